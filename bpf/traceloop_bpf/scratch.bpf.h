/* SPDX-License-Identifier: GPL-2.0-only
 *
 * What a program keeps in map memory while it captures one call: it has 512 bytes of stack, and the verifier sees unknown
 * numbers in map memory in every round of a loop, and so checks one.
 */
#ifndef TRACELOOP_SCRATCH_BPF_H
#define TRACELOOP_SCRATCH_BPF_H

#include "arch_x86_64.h"
#include "layout.bpf.h"

struct message { /* struct user_msghdr */
	u64 name;
	u32 name_length, pad;
	u64 iov, iov_count;
	u64 control, control_length;
	u64 flags;
	u64 done; /* struct mmsghdr: msg_len */
};

struct message32 { /* the same of a 32-bit program */
	u32 name, name_length, iov, iov_count, control, control_length, flags, done;
};

struct iocb_part { /* struct iocb, from aio_lio_opcode */
	u16 opcode, priority;
	u32 fd;
	u64 from, size;
};

struct scratch {
	u64 arg[8]; /* [TL_LENGTH_RESULT], [TL_LENGTH_ONE] */
	u64 frame[TL_FRAME_WORDS];
	u64 length;       /* of the record so far */
	u64 rule, end;    /* next rule, and where to stop */
	u64 exit_end;     /* where to stop after the entry rules are read again at exit */
	u64 wanted;       /* bit per argument */
	u64 failed;       /* bit per argument that could not be read */
	u64 compat;       /* of a 32-bit program: words and pointers of four bytes */
	u64 list;         /* tl_kind of the list that is being walked; 0: none */
	u64 list_at, list_count, list_next;
	u64 list_left;    /* bytes that the call moved and that no element has shown yet */
	u64 list_arg, list_out;
	u64 outer;        /* TL_KIND_MMSG while its messages are walked, each a list */
	u64 outer_at, outer_count, outer_next, outer_whole;
	u64 result;
	u64 word[2];      /* a number of a width that a rule tells */
	struct message message;
	struct message32 message32;
	struct iocb_part iocb;
	u64 withheld;     /* TL_CLASS_... */
	u64 pad[2];
};

_Static_assert(sizeof(struct scratch) == TL_SCRATCH_SIZE, "TL_SCRATCH_SIZE");

TL_INLINE struct scratch *scratch_of(struct ring *ring, u32 cpu)
{
	return (struct scratch *)ring->scratch[cpu & (TL_CPUS - 1)];
}

#endif
