/* SPDX-License-Identifier: GPL-2.0-only
 *
 * What the kernel side gives to user space: the ring of a container and the records in it. This is their only
 * definition. `traceloop_decode.layout` mirrors it, and a test compares the mirror with what a C compiler says. What
 * user space gives to the kernel side is in rules.h; values that were added later without a change of layout, in
 * marks.h.
 *
 * THE RING
 *
 * A container has one ring, the single element of a BPF array map that user space can mmap:
 *
 *     struct tl_ring | one struct tl_cpu per CPU | scratch | struct tl_retry[] | data[ring size] | slack
 *
 * A larger ring consists of several: the data of the others continue the data of the first, and only the first has a
 * head.
 *
 * A position is the number of bytes ever reserved in a ring, and only grows; the byte at position p lies at
 * data[p % ring size]. `head` is the end of what was reserved. A CPU reserves a whole chunk by one atomic add to
 * `head`, then writes records into its own chunk, one after the other, until the next does not fit. A record
 * never crosses its chunk's end, so it never wraps.
 *
 * THE CHUNK
 *
 *     tl_chunk | tl_base | record | record | ...
 *
 * tl_chunk has the CPU's number, and how many records and events that CPU had written to this ring before. Losses are
 * therefore exact: whatever is missing between two chunks of one CPU was overwritten or rejected, and is counted.
 * tl_base has what the records after it share: full time, process, and the thread's name. A new one is written
 * when the thread on the CPU changes, a thread was renamed, or 32 bits of time do not suffice.
 *
 * THE RECORD
 *
 * Every record begins with a stamp: its position / 8, xor the ring's random cookie. The stamp is written last, so a
 * record with the right stamp is whole. Bytes that a traced program wrote cannot pass for a record, because the program
 * does not know the cookie. All lengths are multiples of eight bytes, all numbers little endian.
 *
 * A program that stalls for a whole lap of the ring while it writes (a virtual CPU that lost its host's CPU) writes
 * into a chunk that belongs to another CPU by then. `busy` holds the program's position while it writes; when the
 * program finds that it was lapped, it enters the place in `late`. The reader rejects what may be damaged.
 *
 * THE CALL
 *
 * A call's entry is written as a TL_ENTER. If nothing else is written on that CPU before the call returns there, the
 * return completes the entry's record in place: it appends what a TL_EXIT would have after its header, writes the
 * tl_room, and turns the record into a TL_CALL or TL_CALL_OUT by one store to `length_type`, last. The stamp stays.
 * Otherwise the return is a TL_EXIT of its own. `open` is the position of the entry that may still be completed; it is
 * set before `pos` covers the entry, and cleared after the return is complete. So a reader that copies `pos`, then
 * `open`, then the data knows of the last record of each CPU whether its return was whole before the data was copied.
 *
 * THE AREAS
 *
 * Beside its data a ring has areas: small rings for what must outlive the data. TL_AREA_FIRSTS has each call that was new,
 * and TL_AREA_RUNTIME what the container's runtime did last, at its start or an exec. They are seldom
 * written, so they have no chunks: a program reserves room for one record by an atomic add to the area's `head`, and
 * writes a tl_base and the record there, stamped by their positions like all others; the base's header.nr is the CPU. The
 * first `kept` bytes are never overwritten: the byte at position p is at p if p < size, else at kept + (p - kept) %
 * (size - kept). A record may end after `size`, within the slack. `keeping` of a CPU holds a position at or below the one
 * that it writes, + 1 + the area's number; a program that was lapped while it wrote sets `valid`, below which nothing but
 * the kept bytes can be trusted.
 *
 * THE ORDER
 *
 * Readers run on other CPUs, so what is said above to be stored before something else, or last, is stored by TL_PUBLISH
 * (arch_*.h): no CPU sees the store before those that precede it, nor, if it has eight bytes, before it one that follows. On
 * x86 that is a plain store, on arm64 an atomic exchange. A reader in turn loads `pos` before `open`, both before the data,
 * and this before the heads that tell what was overwritten meanwhile. A record's own bytes need no order among them: it is
 * looked at only if it ends below a `pos` that was loaded before. `head` grows by an atomic add that orders all, so its
 * new value is seen by whoever sees what the CPU wrote into the new chunk.
 *
 * THE TOTALS
 *
 * How often each call was made and failed, and how many bytes were read and written, from the first call to the last.
 */
#ifndef TRACELOOP_RECORD_H
#define TRACELOOP_RECORD_H

#include <linux/types.h>

#define TL_RECORD_VERSION 2

enum tl_type {
	TL_CHUNK = 1, /* struct tl_chunk */
	TL_BASE = 2,  /* struct tl_base */
	/* a system call begins: tl_header, tl_room, [__u64 number], __u64 registers[], items */
	TL_ENTER = 3,
	TL_EXIT = 4,      /* it returns: tl_header, [__u64 number], __s64 result, [__u64 registers[]], items */
	TL_SIGNAL = 5,    /* struct tl_signal: a signal is delivered */
	TL_TASK_EXIT = 6, /* struct tl_task_exit: a thread ends */
	/* struct tl_signal_sent: a signal ends the thread's process, which has not heard of it yet */
	TL_SIGNAL_SENT = 7,
	TL_CALL = 8, /* a TL_ENTER whose call returned: tl_room has the result */
	/* the same with an end like that of a TL_EXIT, __s64 result, items: tl_room says where it begins */
	TL_CALL_OUT = 9,
	/*
	 * as TL_EXIT with registers, of a call that was seen to begin. In the ring's data: by the container's runtime,
	 * before the program began; no event then
	 */
	TL_RETURN = 10,
};

/* tl_header.length_type */
#define TL_LENGTH_BITS 12 /* low: length in units of eight bytes; above it, the enum tl_type */
#define TL_LENGTH_MASK 0x0fff

/* tl_header.nr of TL_ENTER and TL_EXIT */
#define TL_NR_MASK 0x0fff
#define TL_NR_WIDE 0x0fff /* the number does not fit: it is the first word after the header */
#define TL_NR_ARGS_SHIFT 12
#define TL_NR_ARGS_MASK 0x7 /* how many registers follow; in TL_EXIT only where the call may have no entry */
#define TL_NR_COMPAT 0x8000 /* a call of the 32-bit table */

struct tl_header {
	__u32 stamp;
	__u32 tid;
	__u32 delta_ns; /* since the ts_ns of the last tl_base before it in the chunk */
	__u16 nr;
	__u16 length_type;
};

/* follows the header of a TL_ENTER, and is written when the call returns; not in a request of io_uring (requests.h) */
struct tl_room {
	__u32 duration_ns;
	union {
		__s32 result;  /* TL_CALL */
		__u32 exit_at; /* TL_CALL_OUT: distance of the end's first byte from the record's */
	};
};

/* TL_CHUNK; header.tid, header.delta_ns and header.nr are 0 */
struct tl_chunk {
	struct tl_header header;
	__u64 records; /* that this CPU wrote before, without TL_CHUNK and TL_BASE */
	__u64 events;  /* the same without those types that say they count as none */
	__u32 cpu;
	__u32 pad;
};

/* TL_BASE; header.delta_ns is the process id (tgid) */
struct tl_base {
	struct tl_header header;
	__u64 ts_ns; /* CLOCK_BOOTTIME */
	char comm[16];
};

/* TL_SIGNAL; header.nr is the signal's number */
struct tl_signal {
	struct tl_header header;
	__u8 siginfo[48]; /* the beginning of the kernel's siginfo_t */
	__u64 handler;    /* sa_handler: 0 SIG_DFL, 1 SIG_IGN */
	__u64 flags;      /* sa_flags */
};

/*
 * When a signal kills without a core dump, the kernel delivers SIGKILL to every thread and forgets the signal itself.
 * So this is written when the signal is sent, on the sender's CPU, as a record of the receiving thread.
 */
/* TL_SIGNAL_SENT; header.nr is the signal's number */
struct tl_signal_sent {
	struct tl_header header;
	/* as in tl_signal: si_pid is 0 where the sender is in no pid namespace of the receiver's */
	__u8 siginfo[48];
	__u32 sender_pid; /* process and thread that sent it, as the outermost pid namespace has them */
	__u32 sender_tid;
	char sender_comm[16];
};

/* TL_TASK_EXIT */
struct tl_task_exit {
	struct tl_header header;
	__u32 code;       /* as wait(2) reports it: status << 8, or the signal, | 0x80 with a core dump */
	__u32 group_dead; /* 1: no other thread of its process is left, and code is the process's; | TL_OUT_OF_MEMORY */
};

/* An item is memory that a pointer argument points at. Items follow the registers or the result. */
#define TL_ITEM_ARG_MASK 0x07 /* tl_item.arg: the argument's index */
#define TL_ITEM_SUB_SHIFT 3   /* above it, the index within a list */
#define TL_SUB_NAME 30        /* after a TL_KIND_MSG: the address in msg_name */
#define TL_SUB_CONTROL 31     /* after a TL_KIND_MSG: msg_control */
#define TL_SUB_MAX 16         /* most elements of a list */
#define TL_KIND_MASK 0x0f     /* tl_item.kind: enum tl_kind */
#define TL_ITEM_OUT 0x20      /* read at the call's exit, by an exit rule */
#define TL_ITEM_MORE 0x40     /* there was more than was copied */
#define TL_ITEM_FAULT 0x80    /* the bytes that were not copied could not be read */

/* then `copied` bytes, padded to eight */
struct tl_item {
	__u8 arg;
	__u8 kind;
	__u16 copied; /* bytes */
	__u32 size;   /* bytes that the call names (TL_KIND_STRING: bytes seen, without the NUL) */
};

/* How a pointer argument is captured. */
enum tl_kind {
	TL_KIND_STRING = 1, /* up to a NUL */
	TL_KIND_BUFFER = 2, /* scale * length bytes */
	TL_KIND_LENGTH = 3, /* the length is the __u32 that the argument `length` points to */
	TL_KIND_IOVEC = 4,  /* `length` struct iovec: the array, then the memory of its elements */
	TL_KIND_MSG = 5,    /* struct msghdr: itself, name, control, then its iovec */
	TL_KIND_ARGV = 6,   /* pointers to strings, up to a null pointer */
	TL_KIND_MMSG = 7,   /* `length` struct mmsghdr: for each, the items of TL_KIND_MSG; no item has this kind.
			       `scale` 0: all the memory that they name; 1: what was received, by their msg_len */
	TL_KIND_IOCB = 8,   /* `length` pointers to struct iocb: the pointers; for each, the struct, then what it
			       writes, as a name or an iovec after a TL_KIND_MSG */
};

/* Classes of memory, by which a ring may withhold it. */
#define TL_CLASS_PATH 0x01    /* names of files */
#define TL_CLASS_NAME 0x02    /* other names: of attributes, hosts, threads, kinds of file systems */
#define TL_CLASS_ARGV 0x04    /* arguments of programs */
#define TL_CLASS_ADDRESS 0x08 /* addresses of sockets */
#define TL_CLASS_STRUCT 0x10  /* numbers: times, states, masks, lists of descriptors */
#define TL_CLASS_PAYLOAD 0x20 /* contents: of files, pipes, messages, options, attributes */
#define TL_CLASS_ANY 0x3f

/*
 * The tables cgroup id -> slot of the ring; see `traceloop_bpf.cgroups`. No container can keep another's own cgroup from
 * being recorded: the table of those has a place for each ring. Each has a share of the table of those below; sixteen
 * that fill theirs leave no places for others' further ones, which are counted.
 */
#define TL_BELOW_SHARE 2048
#define TL_FRONT_BITS 12
#define TL_FRONT_MASK 0xfffULL
#define TL_FRONT_LOOK_BEHIND (~TL_FRONT_MASK)

#define TL_LATE 4
#define TL_SCRATCH_SIZE 688 /* per CPU, the programs' own */
#define TL_RETRIES 256      /* places of a ring for calls in flight whose arguments are read again; a power of two */
#define TL_PARTS_MAX 8

struct tl_late {
	__u64 from, to; /* positions that were written late */
	__u64 head;     /* the ring's head just after */
	__u64 pad;
};

/* one CPU's state in a ring; only that CPU writes it */
struct tl_cpu {
	__u64 pos, end; /* next byte, and the end of its chunk */
	__u64 records, events;
	__u64 busy;    /* the position that is being written, + 1; 0: none */
	__u64 base_ns; /* ts_ns and thread of the last tl_base */
	__u32 tid;
	__u32 renames;
	__u64 dropped; /* events not recorded because a program was interrupted by another */
	struct tl_late late[TL_LATE];
	__u64 late_count;
	__u32 open_tid;    /* not used any more */
	__u32 handed_over; /* generation of programs that leaves its events to the next */
	__u64 reread;      /* calls with memory that could not be read at entry, and was to be read at exit */
	__u64 unread;      /* calls with memory that could not be read at exit either */
	__u64 open;        /* position of the TL_ENTER that its call's return may complete; 0: none */
	__u64 open_end;    /* its end; it can only be completed while this is `pos` */
	__u64 now_ns;      /* the programs' own */
	__u64 keeping;     /* what is being written to an area; 0: nothing */
};

/* a call in flight */
struct tl_retry {
	__u64 task; /* struct task_struct *; 0: the place is free */
	__u32 nr;
	__u32 failed; /* a bit for each argument that is read again at exit */
};

#define TL_AREAS 2
#define TL_AREA_FIRSTS 0
#define TL_AREA_RUNTIME 1

struct tl_area {
	__u64 head;    /* bytes that were reserved */
	__u64 valid;   /* the lowest position that can be trusted, from `kept` on */
	__u64 dropped; /* records that were to be kept, for which there was no room */
	__u32 size;    /* bytes; 0: nothing is kept. Written by user space before use, as is `kept` */
	__u32 kept;
};

#define TL_TOTAL_CALLS 512 /* per table; the last one counts numbers that no table has */
#define TL_TOTALS_MAX 8    /* sets of totals: each CPU has its own, or shares one */

struct tl_totals {
	__u64 calls[TL_TOTAL_CALLS];
	__u32 failed[TL_TOTAL_CALLS];
	__u64 read_bytes, written_bytes; /* as the calls that read and write returned them */
};

#define TL_SEEN 4096     /* hashes of calls in TL_AREA_FIRSTS */
#define TL_GROUPS 512    /* counts of new calls that resemble each other */
#define TL_SKIP_WORDS 16 /* a bit per call of both tables that is counted alone */

struct tl_ring {
	__u64 head;
	__u32 cookie;
	__u32 renames; /* bumped when a thread of the container changes its name */
	__u32 zero;
	__u32 parts;     /* rings that hold this one's data, a power of two; 0: it is itself a part of another */
	__u32 below;     /* cgroups besides the container's own that programs entered and that still exist */
	__u32 left_out;  /* cgroups that programs could not enter: TL_BELOW_SHARE existed, or the table was full */
	__u32 forgotten; /* calls whose arguments were to be read again at exit, for which there was no place */
	__u32 io_urings; /* instances of io_uring that the container set up, or at least one that it was given */
	__u32 left_out_before; /* as left_out, counted by user space when recording began */
	__u32 born;     /* the process that made the container's cgroup, if it is recorded from then on; see births.h */
	__u32 apart;    /* TL_APART_...; 0: the runtime is not told from the program. Set before use */
	__u32 runtimes; /* processes in the container that are its runtime's now */
	__u64 pad;      /* see TL_OOM_BY_LIMIT */

	__u32 version; /* from here on written by user space before use, and seldom by programs */
	__u32 init_pid;
	__u32 retries; /* calls in flight whose memory could not be read at entry */
	__u32 exited;  /* 1: init_pid's last thread has ended, with exit_code, at exit_ns */
	__u64 exit_ns;
	__u32 exit_code;
	__u32 withheld;           /* TL_CLASS_... that are not recorded */
	__u32 part[TL_PARTS_MAX]; /* where there are several parts, or `born`: their slots, its own first */
};

#endif
