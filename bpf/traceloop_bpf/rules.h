/* SPDX-License-Identifier: GPL-2.0-only
 *
 * What crosses from user space to the kernel: how each system call is captured. Each generation of programs has a table
 * of its own, so a change here leaves rings as they are. `traceloop_decode.layout` mirrors it, as record.h says.
 */
#ifndef TRACELOOP_RULES_H
#define TRACELOOP_RULES_H

#include "record.h"

/* tl_rule.length: an argument's index, or */
#define TL_LENGTH_RESULT 6 /* the call's result */
#define TL_LENGTH_ONE 7    /* the number one: `scale` bytes */

#define TL_RULES 6

struct tl_rule {
	__u8 arg;   /* as in tl_item: the argument's index; above it, 0, or which of its nested pointers this is */
	__u8 kind;
	__u8 length;
	__u8 limit; /* 0, or 1 + the index of an argument: most bytes of a TL_KIND_BUFFER, or those of a nested one's struct */
	__u16 scale;
	__u8 add;   /* bytes more than scale * length */
	__u8 at;    /* nested: where the pointer stands in what the argument points to */
	__u8 pointer; /* nested: the pointer's bytes; 0: the argument is the pointer */
	__u8 field; /* where in what the argument points to the length stands */
	__u8 width; /* that number's bytes; 0: `length` tells it */
	__u8 need;  /* nested: how many bytes of the struct are looked at */
	__u8 content; /* TL_CLASS_... */
	__u8 pad;
};

#define TL_SCALE_BITS 0       /* tl_rule.scale: the length counts bits, in words of the program's */
#define TL_SCALE_PAGES 0xffff /* a byte for each page that the length touches */

#define TL_CALL_KNOWN 1
#define TL_CALL_EXEC 2 /* replaces the process's memory when it succeeds; its exit rules: the file's name and argv as it finds them */
#define TL_CALL_SELECTED 4 /* one of its arguments tells variants apart, which have rules of their own */
#define TL_CALL_OUT_ON_FAILURE 8 /* its exit rules hold when it failed too */
#define TL_CALL_SIGRETURN 0x80 /* its argument is on the stack: where the signal mask is that it restores */
#define TL_SELECTOR_SHIFT 4 /* that argument's index, in flags */

struct tl_call { /* one system call; all zero: no arguments known, all six registers are recorded */
	__u8 flags;     /* TL_CALL_..., and the selector */
	__u8 arguments;
	__u8 enter_rules;
	__u8 exit_rules;
	__u16 enter_bytes; /* most that its items take at entry, and at exit */
	__u16 exit_bytes;
	struct tl_rule rules[2 * TL_RULES]; /* at entry; from TL_RULES on, at exit if the call succeeded */
};

#define TL_CALLS 512 /* per table; the compat table's begin at TL_CALLS, the variants' behind both */
#define TL_VARIANTS 1024

#endif
