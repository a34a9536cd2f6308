/* SPDX-License-Identifier: GPL-2.0-only
 *
 * What records tell of signals beside those of record.h: who sent them, which were ignored, what ended a process. Their
 * types are in marks.h; they move no byte of a ring, so this is no part of the layout (see identity.py).
 * `traceloop_decode.layout` mirrors it.
 */
#ifndef TRACELOOP_DEATHS_H
#define TRACELOOP_DEATHS_H

#include "record.h"

#define TL_LEVELS 6  /* most memory cgroups of a TL_OOM */
#define TL_FRAMES 16 /* most frames of a fault's stack */

/* a memory cgroup's use; `limit_bytes` is what the kernel has: a number near 2^63 where there is no limit */
struct tl_level {
	__u64 usage_bytes;
	__u64 limit_bytes;
};

/*
 * TL_OOM: the kernel, out of memory, has chosen the process of this thread to end. `level` has its memory cgroup, then
 * those above it; both numbers of what there is not are 0.
 */
struct tl_oom {
	struct tl_header header;
	struct tl_level level[TL_LEVELS];
};

/* struct bpf_stack_build_id */
struct tl_stack_frame {
	__s32 status;      /* 0 none, 1 build_id and offset, 2 an address in `at` */
	__u8 build_id[20]; /* of the mapped file, filled up with zeros */
	__u64 at;          /* distance in the file */
};

/*
 * Follows a tl_signal where a fault ends the process: its instruction and stack pointer, the trap's number and error
 * code, the addresses of the program's own code, and the stack from the instruction on, as far as frame pointers lead:
 * its addresses, then their places in files. The record ends with the last place.
 */
struct tl_fault {
	__u64 ip;
	__u64 sp;
	__u64 trap;
	__u64 error_code;
	__u64 code_begin;
	__u64 code_end;
	__u64 addresses[TL_FRAMES]; /* of the stack; 0 after the last */
	struct tl_stack_frame stack[TL_FRAMES];
};

#endif
