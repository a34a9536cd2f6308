/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Values in a record that the programs choose and no kernel gives. They move no byte of a ring, so a version with
 * more of them takes over the rings of one with fewer: this is no part of the layout. `traceloop_decode.layout`
 * mirrors it.
 */
#ifndef TRACELOOP_MARKS_H
#define TRACELOOP_MARKS_H

#include "record.h"
#include <linux/types.h>

/*
 * The result in a TL_EXIT of a call that seccomp refused by ending the thread, or by SIGSYS: there is none. The kernel
 * leaves the call's number where the result would be.
 */
#define TL_NO_RESULT (-0x7fffffffffffffffLL - 1)

/*
 * In a tl_item.kind: the item goes on with the end of what the items before it have the beginning of. Its `size` is
 * that of the whole, with what was left out behind the first of them.
 */
#define TL_ITEM_TAIL 0x10

/*
 * A tl_header.length_type: the container's first process has left the cgroups that are recorded for one that it
 * shares with others. Its own record; struct tl_header and the id of that cgroup. It counts as no event.
 */
#define TL_LEFT 0

/*
 * A tl_header.length_type: struct tl_signal_sent of a signal that its process ignored, as the receiving thread's. It
 * counts as an event.
 */
#define TL_SIGNAL_IGNORED 11

/*
 * A tl_header.length_type: struct tl_signal_sent of a signal that a process outside of the container sent, and that does
 * not end its receiver at once: a TL_SIGNAL follows when it is delivered. It counts as no event.
 */
#define TL_SENDER 12

/* A tl_header.length_type: struct tl_oom (deaths.h). It counts as no event. */
#define TL_OOM 13

/* In a tl_task_exit.group_dead: the kernel ended the process, as it was out of memory. */
#define TL_OUT_OF_MEMORY 2

/*
 * tl_ring.pad counts processes for which there was a TL_OOM; from this bit on, those for which a limit had been reached,
 * below TL_NOTES_CAPABILITIES.
 */
#define TL_OOM_BY_LIMIT 32

/* In tl_ring.exit_code: likewise, of the container's first process. */
#define TL_EXIT_OUT_OF_MEMORY 0x10000

/*
 * A tl_header.length_type: the call that the thread is in asked for a capability. Each that was refused has such a
 * record, the same one of a call once; of those that were granted, each that is new. It counts as no event. header.nr is
 * the call's number, without arguments.
 */
#define TL_CAPABILITY 14

struct tl_capability {
	struct tl_header header;
	__u32 number; /* CAP_... of linux/capability.h */
	__u32 granted;
};

/*
 * tl_ring.apart: calls of the runtime's processes go to TL_AREA_RUNTIME alone, or also to the ring's data, until the
 * container's program begins or a quarter of the ring is used.
 */
#define TL_APART_AREA 1
#define TL_APART_RING 2

/* tl_cpu.late[].pad: what the container's own program asked for on that CPU, a bit per capability */
#define TL_GRANTED 0
#define TL_REFUSED 1

/* In tl_ring.pad, above those counts, written by user space before use: capabilities are noted from the first call on. */
#define TL_NOTES_CAPABILITIES (1ULL << 63)

#endif
