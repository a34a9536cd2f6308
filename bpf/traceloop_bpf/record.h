/* SPDX-License-Identifier: GPL-2.0-only
 *
 * What crosses from the kernel to user space: the ring of a container and the records in it. This is their one
 * definition. `traceloop_decode.layout` mirrors it, and a test asks a C compiler whether the mirror is true. What
 * crosses the other way is in rules.h.
 *
 * THE RING
 *
 * A container has one ring, the single element of a BPF array map that user space can mmap:
 *
 *     struct tl_ring | one struct tl_cpu per CPU | scratch | struct tl_retry[] | data[ring size] | slack
 *
 * A larger ring is several such: the data of the others continue that of the first, which alone has a head.
 *
 * A position is the number of bytes ever reserved in a ring, and only grows; the byte at position p lies at
 * data[p % ring size]. `head` is the end of what was reserved. A CPU reserves a whole chunk by one atomic add to
 * `head`, then writes records into its chunk alone, one behind the other, until the next does not fit. A record
 * never crosses its chunk's end, so it never wraps.
 *
 * THE CHUNK
 *
 *     tl_chunk | tl_base | record | record | ...
 *
 * tl_chunk names the CPU, and how many records and events that CPU had written to this ring before. Losses are
 * therefore exact: whatever is missing between two chunks of one CPU was overwritten or rejected, and is counted.
 * tl_base carries what the records behind it share: full time, process, and the thread's name. A new one stands
 * wherever the thread on the CPU changes, a thread was renamed, or 32 bits of time run out.
 *
 * THE RECORD
 *
 * Every record begins with a stamp: its position / 8, xor the ring's random cookie. It is written last, so a
 * record with the right stamp is whole, and bytes that a traced program wrote cannot pass for one: it does not
 * know the cookie. All lengths are multiples of eight bytes, all numbers little endian.
 *
 * A program that stalls for a whole lap of the ring while it writes (a virtual CPU that lost its host's CPU) would
 * write into a chunk that is another CPU's by then. It says so: `busy` holds its position while it writes, and when
 * it finds itself lapped, it enters the place in `late`. The reader rejects what it may have damaged.
 */
#ifndef TRACELOOP_RECORD_H
#define TRACELOOP_RECORD_H

#include <linux/types.h>

#define TL_RECORD_VERSION 1

enum tl_type {
	TL_CHUNK = 1,     /* struct tl_chunk */
	TL_BASE = 2,      /* struct tl_base */
	TL_ENTER = 3,     /* a system call begins: tl_header, [__u64 number], __u64 registers[], items */
	TL_EXIT = 4,      /* it returns: tl_header, [__u64 number], __s64 result, [__u64 registers[]], items */
	TL_SIGNAL = 5,    /* struct tl_signal: a signal is delivered */
	TL_TASK_EXIT = 6, /* struct tl_task_exit: a thread ends */
	TL_SIGNAL_SENT = 7, /* struct tl_signal_sent: a signal ends the thread's process, which has not heard of it yet */
};

/* tl_header.length_type */
#define TL_LENGTH_BITS 13 /* low: length in units of eight bytes; above it, the enum tl_type */
#define TL_LENGTH_MASK 0x1fff

/* tl_header.nr of TL_ENTER and TL_EXIT */
#define TL_NR_MASK 0x0fff
#define TL_NR_WIDE 0x0fff /* the number does not fit: it is the first word behind the header */
#define TL_NR_ARGS_SHIFT 12
#define TL_NR_ARGS_MASK 0x7 /* how many registers follow; in TL_EXIT only of a failed call that may have no entry */
#define TL_NR_COMPAT 0x8000 /* a call of the 32-bit table */

struct tl_header {
	__u32 stamp;
	__u32 tid;
	__u32 delta_ns; /* since the ts_ns of the last tl_base before it in the chunk */
	__u16 nr;
	__u16 length_type;
};

struct tl_chunk { /* TL_CHUNK; header.tid, header.delta_ns and header.nr are 0 */
	struct tl_header header;
	__u64 records; /* all but TL_CHUNK and TL_BASE that this CPU wrote before */
	__u64 events;  /* the same without TL_EXIT and TL_SIGNAL_SENT */
	__u32 cpu;
	__u32 pad;
};

struct tl_base { /* TL_BASE; header.delta_ns is the process id (tgid) */
	struct tl_header header;
	__u64 ts_ns; /* CLOCK_BOOTTIME */
	char comm[16];
};

struct tl_signal { /* TL_SIGNAL; header.nr is the signal's number */
	struct tl_header header;
	__u8 siginfo[48]; /* the beginning of the kernel's siginfo_t */
	__u64 handler;    /* sa_handler: 0 SIG_DFL, 1 SIG_IGN */
	__u64 flags;      /* sa_flags */
};

/*
 * When a signal kills without a core dump, the kernel lets SIGKILL arrive at every thread, and forgets the rest. So this
 * is written when it is sent, on the sender's CPU, as a record of the thread that it is sent to.
 */
struct tl_signal_sent { /* TL_SIGNAL_SENT; header.nr is the signal's number */
	struct tl_header header;
	__u8 siginfo[48];  /* as in tl_signal: si_pid is 0 where the sender is in no pid namespace of the receiver's */
	__u32 sender_pid;  /* process and thread that sent it, as the outermost pid namespace has them */
	__u32 sender_tid;
	char sender_comm[16];
};

struct tl_task_exit { /* TL_TASK_EXIT */
	struct tl_header header;
	__u32 code;       /* as wait(2) reports it: status << 8, or the signal, | 0x80 with a core dump */
	__u32 group_dead; /* 1: no other thread of its process is left, and code is the process's */
};

/* An item is what a pointer argument pointed at. Items stand behind the registers or the result. */
#define TL_ITEM_ARG_MASK 0x07  /* tl_item.arg: the argument's index */
#define TL_ITEM_SUB_SHIFT 3    /* above it, the index within a list */
#define TL_SUB_NAME 30         /* behind a TL_KIND_MSG: the address in msg_name */
#define TL_SUB_CONTROL 31      /* behind a TL_KIND_MSG: msg_control */
#define TL_SUB_MAX 16          /* most elements of a list */
#define TL_KIND_MASK 0x0f      /* tl_item.kind: enum tl_kind */
#define TL_ITEM_OUT 0x20       /* read at the call's exit, by an exit rule */
#define TL_ITEM_MORE 0x40      /* there was more than was copied */
#define TL_ITEM_FAULT 0x80     /* what was not copied could not be read */

struct tl_item { /* then `copied` bytes, padded to eight */
	__u8 arg;
	__u8 kind;
	__u16 copied; /* bytes */
	__u32 size;   /* bytes that the call spoke of (TL_KIND_STRING: those seen, without the NUL) */
};

/* How a pointer argument is captured. */
enum tl_kind {
	TL_KIND_STRING = 1, /* up to a NUL */
	TL_KIND_BUFFER = 2, /* scale * length bytes */
	TL_KIND_LENGTH = 3, /* the length is the __u32 that the argument `length` points to */
	TL_KIND_IOVEC = 4,  /* `length` struct iovec: the array, then what its elements point at */
	TL_KIND_MSG = 5,    /* struct msghdr: itself, name, control, then its iovec */
	TL_KIND_ARGV = 6,   /* pointers to strings, up to a null pointer */
	TL_KIND_MMSG = 7,   /* `length` struct mmsghdr: of each, what TL_KIND_MSG has; no item is of this kind.
			       `scale` 0: all that they speak of; 1: what was received, by their msg_len */
	TL_KIND_IOCB = 8,   /* `length` pointers to struct iocb: the pointers; of each, itself, then, as behind a
			       TL_KIND_MSG, what it writes: as a name or an iovec */
};

/* What memory holds: a ring may withhold it by these. */
#define TL_CLASS_PATH 0x01    /* names of files */
#define TL_CLASS_NAME 0x02    /* other names: of attributes, hosts, threads, kinds of file systems */
#define TL_CLASS_ARGV 0x04    /* arguments of programs */
#define TL_CLASS_ADDRESS 0x08 /* addresses of sockets */
#define TL_CLASS_STRUCT 0x10  /* numbers: times, states, masks, lists of descriptors */
#define TL_CLASS_PAYLOAD 0x20 /* contents: of files, pipes, messages, options, attributes */
#define TL_CLASS_ANY 0x3f

/*
 * Cgroup id -> slot of the ring. See `traceloop_bpf.cgroups`. Nobody's container can keep others from being entered: its
 * own cgroup is in a table that user space alone fills, and of those below it a container has no more than a share.
 */
#define TL_BELOW_SHARE 2048
#define TL_FRONT_BITS 12
#define TL_FRONT_MASK 0xfffULL
#define TL_FRONT_LOOK_BEHIND (~TL_FRONT_MASK)

#define TL_LATE 4
#define TL_SCRATCH_SIZE 512 /* per CPU, the recorder's own */
#define TL_RETRIES 256      /* a ring's places for calls in flight whose arguments are to be read again; a power of two */
#define TL_PARTS_MAX 8

struct tl_late {
	__u64 from, to; /* positions that were written late */
	__u64 head;     /* the ring's head just after */
	__u64 pad;
};

struct tl_cpu { /* one CPU's part in a ring; written by that CPU alone */
	__u64 pos, end; /* next byte, and the end of its chunk */
	__u64 records, events;
	__u64 busy;     /* position being written, + 1; 0: none */
	__u64 base_ns;  /* ts_ns and thread of the last tl_base */
	__u32 tid;
	__u32 renames;
	__u64 dropped;  /* events not recorded because a program was interrupted by another */
	struct tl_late late[TL_LATE];
	__u64 late_count;
	__u32 open_tid; /* thread whose TL_ENTER is the last record; 0: another record was */
	__u32 handed_over; /* generation of programs that leaves its events to the next */
	__u64 reread; /* calls of which something could not be read at their entry, and was to be at their exit */
	__u64 unread; /* calls of which something could not be read at their exit either */
	__u64 pad[4];
};

struct tl_retry { /* a call in flight */
	__u64 task;   /* struct task_struct *; 0: the place is free */
	__u32 nr;
	__u32 failed; /* bit per argument to read again at its exit */
};

struct tl_ring {
	__u64 head;
	__u32 cookie;
	__u32 renames; /* bumped when a thread of the container changes its name */
	__u32 zero;
	__u32 parts; /* rings that this one's data are spread over, a power of two; 0: it is itself a part of another */
	__u32 below;     /* cgroups below the container's own that programs entered and that are still there */
	__u32 left_out;  /* those that they could not enter: TL_BELOW_SHARE were there, or the table was full */
	__u32 forgotten; /* calls whose arguments were to be read again at their exit, for which there was no place */
	__u32 io_urings; /* instances of io_uring that it set up, or at least one that it was given */
	__u32 left_out_before; /* as left_out, of cgroups that were there when recording began: by user space */
	__u32 pad;
	__u64 pads[2];

	__u32 version; /* from here on written by user space before use, and seldom by programs */
	__u32 init_pid;
	__u32 retries; /* calls in flight whose strings could not be read at entry */
	__u32 exited;  /* 1: init_pid's last thread has ended, with exit_code, at exit_ns */
	__u64 exit_ns;
	__u32 exit_code;
	__u32 withheld; /* TL_CLASS_... that are not to be recorded */
	__u32 part[TL_PARTS_MAX]; /* their slots, its own first, where there are several */
	/* struct tl_cpu cpu[]; */
};

#endif
