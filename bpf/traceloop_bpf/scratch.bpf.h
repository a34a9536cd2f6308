/* SPDX-License-Identifier: GPL-2.0-only
 *
 * The state of a program while it captures one call. It is in map memory, because a program has 512 bytes of stack,
 * and because the verifier takes numbers in map memory for unknown in every round of a loop, and so checks one round
 * for all.
 */
#ifndef TRACELOOP_SCRATCH_BPF_H
#define TRACELOOP_SCRATCH_BPF_H

#include TL_ARCH
#include "layout.bpf.h"

#define HALF (TL_ITEM_MAX / 2 & ~7) /* bytes of a beginning, or of an end */
/*
 * Most bytes of the end of what is written to descriptor 2: with the beginning and all items' heads, TL_CALL_MAX in
 * all.
 */
#define LONG_ROOM ((TL_CALL_MAX - HALF - 16) * TL_ITEM_MAX / (TL_ITEM_MAX + 8))
#define TL_LONG_MAX (LONG_ROOM > HALF ? LONG_ROOM & ~7 : HALF)

/* struct user_msghdr */
struct message {
	u64 name;
	u32 name_length, pad;
	u64 iov, iov_count;
	u64 control, control_length;
	u64 flags;
	u64 done; /* struct mmsghdr: msg_len */
};

/* struct user_msghdr of a 32-bit program */
struct message32 {
	u32 name, name_length, iov, iov_count, control, control_length, flags, done;
};

/* struct iocb, from aio_lio_opcode */
struct iocb_part {
	u16 opcode, priority;
	u32 fd;
	u64 from, size;
};

/* The memory that a step found: `seen` of the `size` bytes that the call names exist. */
struct found {
	u64 from, size, seen;
};

struct scratch {
	u64 arg[8]; /* [TL_LENGTH_RESULT], [TL_LENGTH_ONE] */
	u64 frame[TL_FRAME_WORDS];
	u64 length;    /* of the record so far */
	u64 rule, end; /* next rule, and where to stop */
	u64 exit_end;  /* where to stop after the entry rules are read again at exit */
	u64 wanted;    /* bit per argument */
	u64 failed;    /* bit per argument that could not be read */
	u64 compat;    /* a 32-bit program's call: words and pointers have four bytes */
	u64 list;      /* tl_kind of the list that is walked; 0: none */
	u64 list_at, list_count, list_next;
	u64 list_left; /* bytes that the call moved, less those of the elements so far */
	u64 list_arg, list_out;
	u64 outer; /* TL_KIND_MMSG or TL_KIND_IOCB while its elements are walked, each a list; else 0 */
	u64 outer_at, outer_count, outer_next, outer_whole;
	u64 result;
	u64 word[2]; /* a number that was read from the program's memory */
	struct message message;
	struct message32 message32;
	struct iocb_part iocb;
	u64 withheld; /* TL_CLASS_... */
	struct found found;
	u64 ends;                 /* TL_ENDS_... of the current rule; TL_ENDS_WRITE only for descriptor 2 */
	u64 scan;                 /* where the search for a string's end continues; 0: there is none */
	u64 tail;                 /* 1: the next step reads an end */
	u64 tail_begin, tail_end; /* the memory whose end is read */
	u64 tail_left;            /* bytes of the end that are still to be read; 0: not determined yet */
	u32 tail_arg, tail_kind;  /* of the item that has the beginning */
	/* of a call that returns */
	u32 in_place;  /* 1: its return completes the record of its entry */
	u32 is_begun;  /* 1: it executed the container's program, or one that the runtime brought in */
	u64 registers; /* how many its record has */
	u64 again;     /* bit per argument whose memory is read again */
	u64 exit_rules;
	s64 returned;   /* the result, a number that is no length */
	u64 record;     /* the record's position */
	u64 names_from; /* where its items begin that say what the call names, and their end: distances from the record */
	u64 names_to;
	u64 entered; /* 1: the call's entry was seen */
	u64 like;    /* its number and table, and whether its entry was seen, as one number */
	u64 nr;
	u64 has_entry; /* position of the entry whose nr, compat and arg these are; 0: of none */
	u64 apart;     /* TL_APART_...: the thread is the runtime's, and its record goes there; 0: it is not */
	u64 refused; /* the capabilities that the last call to be refused any was, a bit each; above them, which call */
};

_Static_assert(sizeof(struct scratch) == TL_SCRATCH_SIZE, "TL_SCRATCH_SIZE");

TL_INLINE struct scratch *scratch_of(struct ring *ring, u32 cpu)
{
	return (struct scratch *)ring->scratch[cpu & (TL_CPUS - 1)];
}

#endif
