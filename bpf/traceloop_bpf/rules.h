/* SPDX-License-Identifier: GPL-2.0-only
 *
 * What user space gives to the kernel side: how each system call is captured. Each generation of programs has a table
 * of its own, so a change here leaves rings as they are. `traceloop_decode.layout` mirrors it, as record.h says.
 */
#ifndef TRACELOOP_RULES_H
#define TRACELOOP_RULES_H

#include "record.h"

/* tl_rule.length: an argument's index, or */
#define TL_LENGTH_RESULT 6 /* the call's result */
#define TL_LENGTH_ONE 7    /* the number one: `scale` bytes */
#define TL_LENGTH_INT 8    /* flag: that argument has 32 bits; the register's upper half means nothing */

#define TL_RULES 6

struct tl_rule {
	__u8 arg; /* as in tl_item: the argument's index; above it the number of a nested pointer, or 0 */
	__u8 kind;
	__u8 length;
	/* 0, or 1 + the index of the argument that has the size of the buffer, or of a nested rule's struct */
	__u8 limit;
	__u16 scale;
	__u8 add;     /* bytes more than scale * length */
	__u8 at;      /* nested: the pointer's offset in the memory that the argument points at */
	__u8 pointer; /* nested: the pointer's size in bytes; 0: the argument is the pointer */
	__u8 field;   /* the length's offset in the memory that the argument points at */
	__u8 width;   /* the length's size in bytes; 0: `length` says where it is */
	__u8 need;    /* nested: how many bytes of the struct are read */
	__u8 content; /* TL_CLASS_... */
	__u8 ends;    /* TL_ENDS_...: what is copied of memory that is longer than an item */
};

/*
 * A tl_rule.kind, as TL_KIND_ARGV, of which only the list's end is recorded: a TL_KIND_ARGV whose `size` is the number of
 * pointers.
 */
#define TL_KIND_COUNT 9

#define TL_ENDS_HEAD 0  /* the beginning */
#define TL_ENDS_BOTH 1  /* the beginning and the end, half an item each */
#define TL_ENDS_WRITE 2 /* the same; more of the end if the call's first argument is descriptor 2 */

#define TL_SCALE_BITS 0       /* tl_rule.scale: the length counts bits, in words of the program's size */
#define TL_SCALE_PAGES 0xffff /* a byte for each page that the length touches */

#define TL_CALL_KNOWN 1
#define TL_CALL_EXEC 2 /* replaces the process's memory if it succeeds; its exit rules: the file's name, then argv */
#define TL_CALL_SELECTED 4       /* the value of one argument selects a variant, which has rules of its own */
#define TL_CALL_OUT_ON_FAILURE 8 /* its exit rules also apply when it failed */
#define TL_SELECTOR_SHIFT 4      /* the index of the selecting argument, in three bits of the flags */
#define TL_CALL_SIGRETURN 0x80   /* its argument is the address of the signal mask that it restores, on the stack */
#define TL_CALL_FORKS 0x100      /* makes a child, which returns 0 from it without having entered it */
#define TL_CALL_READS 0x400      /* its result is a number of bytes that were read, */
#define TL_CALL_WRITES 0x800     /* or written */
#define TL_CALL_NAMES 0x1000     /* its first rule is of a path, of the address of a socket, or of a program's name */
#define TL_CALL_OPENS 0x2000     /* opens a file by its name */
#define TL_CALL_QUIET 0x4000     /* says nothing of how a container is set up, unless it fails */
#define TL_CALL_ACCOUNTS 0x8000  /* may take memory: the kernel asks for CAP_SYS_ADMIN then, and goes on without */
#define TL_CALL_LONG 0x200 /* has an entry rule with TL_ENDS_WRITE, whose more for descriptor 2 is not in enter_bytes */

/* one system call; all zero: its arguments are not known, and all six registers are recorded */
struct tl_call {
	__u16 flags; /* TL_CALL_..., and the selector */
	__u8 arguments;
	__u8 enter_rules;
	__u8 exit_rules;
	__u8 pad;
	__u16 enter_bytes; /* the most bytes that its items take at entry, and at exit */
	__u16 exit_bytes;
	/* for the entry; from TL_RULES on, for the exit of a call that succeeded */
	struct tl_rule rules[2 * TL_RULES];
};

/*
 * A key of the map `below` that is no cgroup's id (these count up from 1): this plus the number of a container's first
 * process, in the daemon's pid namespace. The value is the container's slot, wherever the process goes.
 */
#define TL_FIRST_PROCESS (1ULL << 63)

#define TL_CALLS 512 /* per table; the compat table begins at TL_CALLS, the variants follow both */
#define TL_VARIANTS 1024

#endif
