/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Copies the memory that pointer arguments point at: from the call's rules to the record's items.
 *
 * THEORY OF OPERATION
 *
 * The verifier walks a loop round by round, and nested loops cost it their product. So capture() is one flat loop.
 * Each round takes one step; a step finds what is to be read next, if anything, and what the round after it continues
 * with. The round then reads it, at one place for strings and at one for buffers. All state lies in the scratch:
 *
 *     s->list         the step takes                       and then continues with
 *     0               the call's next rule                 the next rule, or the list that the rule begins
 *     TL_KIND_IOVEC   the next element's memory            its next element; after the last, s->outer
 *     TL_KIND_MSG     name, then control                   the message's iovec
 *     TL_KIND_ARGV    the next string, or the list's end   the next string; after the end, rules
 *     TL_KIND_COUNT   the list's end                       the next piece of the list; after the end, rules
 *     TL_KIND_MMSG    the next message's header            that message; after the last, rules
 *     TL_KIND_IOCB    the next pointer's control block     what it writes, as a message; after the last, rules
 *
 * What is longer than an item may have its end read as well, into items of its own (TL_ITEM_TAIL), before the next
 * step: s->tail is what is read next. Of a string the end must be found first, an item's length a round, from s->scan
 * on.
 *
 * s->outer is TL_KIND_MMSG or TL_KIND_IOCB while one of their elements is walked, else 0. Rules are used up at s->end;
 * where entry rules were read again at exit, the exit rules follow (s->exit_end).
 */
#ifndef TRACELOOP_CAPTURE_BPF_H
#define TRACELOOP_CAPTURE_BPF_H

#include "marks.h"
#include "rules.h"
#include "scratch.bpf.h"

#define ROUNDS 40 /* most items and steps of one call */

#define MSGHDR(s) ((s)->compat ? 28 : 56)
#define MMSGHDR(s) ((s)->compat ? 32 : 64)
#define IOCB_SIZE 64
#define IOCB_PART 16 /* where struct iocb_part begins */
#define IOCB_CMD_PWRITE 1
#define IOCB_CMD_PREADV 7
#define IOCB_CMD_PWRITEV 8
#define PAGE_SHIFT 12
/* A round counts POINTERS pointers, and a list has PIECES times as many at most. */
#define PIECE_MASK (TL_ITEM_MAX < 64 ? 15 : TL_ITEM_MAX < 256 ? 63 : 255)
#define POINTERS (PIECE_MASK / 8)
#define PIECES 16
#define PATH_BYTES_MAX 4096

enum step { STEP_STOP, STEP_NOTHING, STEP_STRING, STEP_BUFFER };

/* Reads a number of `bytes` bytes, eight at most, to s->word[0]. Returns true if it cannot be read. */
TL_INLINE bool read_word(struct scratch *s, u64 bytes, u64 at)
{
	s->word[0] = 0;
	bytes &= 15;
	return read_user(s->word, bytes, (void *)at);
}

/* Reads a struct msghdr, or mmsghdr, to s->message. Returns true if it cannot be read. */
TL_INLINE bool read_message(struct scratch *s, u64 at)
{
	if (!s->compat)
		return read_user(&s->message, sizeof s->message - (s->outer ? 0 : 8), (void *)at);
	bool fault = read_user(&s->message32, sizeof s->message32 - (s->outer ? 0 : 4), (void *)at);
	s->message.name = s->message32.name;
	s->message.name_length = s->message32.name_length;
	s->message.iov = s->message32.iov;
	s->message.iov_count = s->message32.iov_count;
	s->message.control = s->message32.control;
	s->message.control_length = s->message32.control_length;
	s->message.done = s->message32.done;
	return fault;
}

/* Makes the list's element `n` the item. */
TL_INLINE void name_item(struct scratch *s, struct tl_item *item, u64 n, u64 kind)
{
	item->arg = s->list_arg | n << TL_ITEM_SUB_SHIFT;
	item->kind = kind | s->list_out;
}

TL_INLINE enum step begin_iovec(struct scratch *s, struct found *found)
{
	u64 count = s->list_count;
	if (count > 1024) /* UIO_MAXIOV: the kernel takes no more */
		count = 1024;
	found->from = s->list_at;
	found->seen = found->size = count * (s->compat ? 8 : 16);
	if (found->from)
		return STEP_BUFFER;
	s->list = s->outer;
	return STEP_NOTHING;
}

/* Returns a buffer's size in bytes from `size`, which counts the rule's units. */
TL_INLINE u64 scaled(struct scratch *s, struct tl_rule *rule, u64 size)
{
	u64 scale = rule->scale;
	if (scale - 1 < TL_SCALE_PAGES - 1)
		size = size * scale + rule->add;
	else if (scale == TL_SCALE_BITS)
		size = s->compat ? (size + 31) / 32 * 4 : (size + 63) / 64 * 8;
	else
		size = (size + (1 << PAGE_SHIFT) - 1) >> PAGE_SHIFT;
	if (rule->limit && !rule->pointer) { /* the kernel may report more than it wrote */
		u64 most = s->arg[(rule->limit - 1) & 7];
		if (size > most)
			size = most;
	}
	return size;
}

/* Begins a rule's list, found->size elements at found->from; the item is the list itself. */
TL_INLINE enum step begin_list(struct scratch *s, struct tl_rule *rule, struct found *found)
{
	u64 kind = rule->kind, size = found->size;
	s->list_at = found->from;
	s->list_count = size;
	s->list_next = 0;
	s->list_left = s->arg[TL_LENGTH_RESULT];
	s->list = kind;
	if (kind == TL_KIND_IOVEC)
		return begin_iovec(s, found);
	if (kind == TL_KIND_MMSG || kind == TL_KIND_IOCB) {
		s->outer = kind;
		s->outer_at = found->from;
		s->outer_count = size;
		s->outer_next = 0;
		s->outer_whole = !rule->scale;
		if (kind == TL_KIND_MMSG)
			return STEP_NOTHING;
		if (size > TL_SUB_MAX)
			size = TL_SUB_MAX;
		found->seen = found->size = size * (s->compat ? 4 : 8);
		return STEP_BUFFER;
	}
	if (kind == TL_KIND_MSG) {
		if (read_message(s, found->from)) {
			s->list = 0;
			s->message.iov_count = 0;
		}
		found->seen = found->size = MSGHDR(s);
		return STEP_BUFFER;
	}
	s->list_count = 0; /* TL_KIND_ARGV, TL_KIND_COUNT */
	return STEP_NOTHING;
}

TL_INLINE enum step next_rule(struct scratch *s, struct tl_item *item, struct tl_call *call, struct found *found)
{
	u64 n = s->rule;
	if (n >= s->end) {
		if (!s->exit_end)
			return STEP_STOP;
		s->rule = TL_RULES;
		s->end = s->exit_end;
		s->exit_end = 0;
		s->wanted = 0xff;
		s->list_out = TL_ITEM_OUT;
		s->arg[TL_LENGTH_RESULT] = s->result;
		return STEP_NOTHING;
	}
	TL_OPAQUE(n);
	if (n > 2 * TL_RULES - 1)
		return STEP_STOP;
	struct tl_rule *rule = &call->rules[n];
	s->rule = n + 1;
	u64 arg = rule->arg & 7, kind = rule->kind;
	found->from = s->arg[arg];
	if (!found->from || !(s->wanted >> arg & 1) || rule->content & s->withheld)
		return STEP_NOTHING;
	found->size = s->arg[rule->length & 7];
	if (rule->length & TL_LENGTH_INT)
		found->size &= 0xffffffff;
	s->list_arg = arg;
	s->ends = rule->ends == TL_ENDS_WRITE && (u32)s->arg[0] != 2 ? TL_ENDS_BOTH : rule->ends;
	item->arg = rule->arg;
	item->kind = kind | s->list_out;
	if (rule->width | rule->pointer) {
		if (rule->width) {
			read_word(s, rule->width, found->from + rule->field);
			found->size = s->word[0];
		}
		if (rule->pointer) {
			if (rule->limit && rule->need > s->arg[(rule->limit - 1) & 7])
				return STEP_NOTHING;
			if (read_word(s, rule->pointer, found->from + rule->at) || !s->word[0])
				return STEP_NOTHING;
			found->from = s->word[0];
		}
	}
	if (kind == TL_KIND_STRING)
		return STEP_STRING;
	if (kind == TL_KIND_BUFFER) {
		found->seen = found->size = scaled(s, rule, found->size);
		return STEP_BUFFER;
	}
	if (kind == TL_KIND_LENGTH) {
		u32 there = 0;
		read_user(&there, sizeof there, (void *)found->size);
		found->seen = found->size = there;
		return STEP_BUFFER;
	}
	return begin_list(s, rule, found);
}

/* Takes the next control block, and makes what it writes the name or the iovec of a message. */
TL_INLINE enum step next_iocb(struct scratch *s, struct tl_item *item, struct found *found)
{
	u64 n = s->outer_next, step = s->compat ? 4 : 8;
	s->outer_next = n + 1;
	if (n >= s->outer_count || n >= TL_SUB_MAX || read_word(s, step, s->outer_at + n * step)) {
		s->list = s->outer = 0;
		return STEP_NOTHING;
	}
	found->from = s->word[0];
	s->iocb.opcode = 0;
	read_user(&s->iocb, sizeof s->iocb, (void *)(found->from + IOCB_PART));
	u64 opcode = s->iocb.opcode;
	bool vector = opcode == IOCB_CMD_PREADV || opcode == IOCB_CMD_PWRITEV;
	s->message.name = opcode == IOCB_CMD_PWRITE ? s->iocb.from : 0;
	s->message.name_length = s->iocb.size > 0xffffffff ? 0xffffffff : s->iocb.size;
	s->message.control = 0;
	s->message.iov = vector ? s->iocb.from : 0;
	s->message.iov_count = vector ? s->iocb.size : 0;
	s->list_left = opcode == IOCB_CMD_PREADV ? 0 : ~0ULL;
	s->list = TL_KIND_MSG;
	s->list_next = 0;
	name_item(s, item, n, TL_KIND_IOCB);
	found->seen = found->size = IOCB_SIZE;
	return STEP_BUFFER;
}

TL_INLINE enum step next_mmsg(struct scratch *s, struct tl_item *item, struct found *found)
{
	u64 n = s->outer_next;
	s->outer_next = n + 1;
	if (n >= s->outer_count || n >= TL_SUB_MAX) {
		s->list = s->outer = 0;
		return STEP_NOTHING;
	}
	found->seen = found->size = MMSGHDR(s);
	found->from = s->outer_at + n * found->size;
	s->list = TL_KIND_MSG;
	if (read_message(s, found->from))
		s->list = s->outer = 0;
	s->list_left = s->outer_whole ? ~0ULL : s->message.done;
	s->list_next = 0;
	name_item(s, item, n, TL_KIND_MSG);
	return STEP_BUFFER;
}

TL_INLINE enum step next_of_message(struct scratch *s, struct tl_item *item, struct found *found, u64 n)
{
	if (n && s->withheld & TL_CLASS_PAYLOAD) {
		s->list = s->outer;
		return STEP_NOTHING;
	}
	if (n > 1) {
		s->list = TL_KIND_IOVEC;
		s->list_next = 0;
		s->list_at = s->message.iov;
		s->list_count = s->message.iov_count;
		name_item(s, item, 0, TL_KIND_IOVEC);
		return begin_iovec(s, found);
	}
	name_item(s, item, n ? TL_SUB_CONTROL : TL_SUB_NAME, TL_KIND_BUFFER);
	found->from = n ? s->message.control : s->message.name;
	found->seen = found->size = n ? s->message.control_length : s->message.name_length;
	return found->from ? STEP_BUFFER : STEP_NOTHING;
}

TL_INLINE enum step next_argv(struct scratch *s, struct tl_item *item, struct found *found, u64 n)
{
	u64 step = s->compat ? 4 : 8;
	u64 fault = read_word(s, step, s->list_at + n * step) ? TL_ITEM_FAULT : 0;
	found->from = s->word[0];
	if (!fault && found->from && n < TL_SUB_MAX) {
		name_item(s, item, n, TL_KIND_STRING);
		return STEP_STRING;
	}
	/* The list's end is an item too; a list without one was cut. */
	name_item(s, item, n, TL_KIND_ARGV | fault | (!fault && found->from ? TL_ITEM_MORE : 0));
	item->copied = 0;
	item->size = n;
	s->length += sizeof *item;
	if (fault)
		s->failed |= 1ULL << (s->list_arg & 7);
	s->list = 0;
	return STEP_NOTHING;
}

/* Returns 1 if a number is not 0, without a branch, as the verifier would walk both ways of each. */
TL_INLINE u64 is_not_null(u64 pointer)
{
	u64 negative = -pointer;
	TL_OPAQUE(negative);
	return (pointer | negative) >> 63;
}

/* Returns how many pointers of a piece come before a null pointer; POINTERS if none is null. */
TL_INLINE u64 before_null(const void *piece, bool compat)
{
	u64 count = 0, going_on = 1;
	if (compat) {
#pragma clang loop unroll(full)
		for (int n = 0; n < POINTERS; n++) {
			going_on &= is_not_null(((const u32 *)piece)[n]);
			count += going_on;
		}
		return count;
	}
#pragma clang loop unroll(full)
	for (int n = 0; n < POINTERS; n++) {
		going_on &= is_not_null(((const u64 *)piece)[n]);
		count += going_on;
	}
	return count;
}

/* Counts the pointers of the list's next piece, which ends where a page ends, as the next page may not be there. */
TL_INLINE enum step next_count(struct scratch *s, struct tl_item *item, struct found *found, u64 n)
{
	u64 shift = s->compat ? 2 : 3, rest = (1 << PAGE_SHIFT) - (s->list_at & ((1 << PAGE_SHIFT) - 1));
	rest = rest >> shift | !(rest >> shift);
	found->size = rest < POINTERS ? rest : POINTERS;
	found->seen = found->size << shift;
	u64 fault = read_user(item + 1, TL_RELOAD(found->seen) & PIECE_MASK, (void *)s->list_at);
	u64 count = before_null(item + 1, s->compat), all = TL_RELOAD(found->size);
	bool more = !fault && count >= all;
	if (more)
		count = all;
	s->list_count += fault ? 0 : count;
	s->list_at += TL_RELOAD(found->seen);
	if (more && n < PIECES - 1)
		return STEP_NOTHING;
	name_item(s, item, 0, TL_KIND_ARGV | (fault ? TL_ITEM_FAULT : 0) | (more ? TL_ITEM_MORE : 0));
	item->copied = 0;
	item->size = s->list_count;
	s->length += sizeof *item;
	if (fault)
		s->failed |= 1ULL << (s->list_arg & 7);
	s->list = 0;
	return STEP_NOTHING;
}

TL_INLINE enum step next_of_iovec(struct scratch *s, struct tl_item *item, struct found *found, u64 n)
{
	u64 left = s->list_left;
	bool end = n >= s->list_count || n >= TL_SUB_MAX || !left;
	name_item(s, item, n, TL_KIND_BUFFER);
	if (!end && s->compat) {
		end = read_word(s, 8, s->list_at + n * 8);
		found->from = s->word[0] & 0xffffffff;
		found->size = s->word[0] >> 32;
	} else if (!end) {
		end = read_user(s->word, sizeof s->word, (void *)(s->list_at + n * sizeof s->word));
		found->from = s->word[0];
		found->size = s->word[1];
	}
	if (end) {
		s->list = s->outer;
		return STEP_NOTHING;
	}
	found->seen = found->size < left ? found->size : left;
	s->list_left = left - found->seen;
	return STEP_BUFFER;
}

/* The next part of the end of what is in the item before; or first, of a string, where that is. */
TL_INLINE enum step next_end(struct scratch *s, struct tl_item *item, struct found *found)
{
	item->arg = s->tail_arg;
	item->kind = s->tail_kind | TL_ITEM_TAIL;
	if (s->scan) {
		found->from = s->scan;
		return STEP_STRING;
	}
	u64 size = s->tail_end - s->tail_begin;
	if (!s->tail_left) {
		/* a list's elements share the room */
		u64 most = s->ends == TL_ENDS_WRITE && !s->list ? TL_LONG_MAX : HALF;
		s->tail_left = size - HALF < most ? size - HALF : most;
	}
	u64 left = s->tail_left, bytes = left < TL_ITEM_MAX ? left : TL_ITEM_MAX;
	found->from = s->tail_end - left;
	found->size = size;
	found->seen = bytes;
	s->tail_left = left - bytes;
	s->tail = left != bytes;
	return STEP_BUFFER;
}

TL_INLINE enum step next_step(struct scratch *s, struct tl_item *item, struct tl_call *call, struct found *found)
{
	if (s->scan | s->tail)
		return next_end(s, item, found);
	if (!s->list)
		return next_rule(s, item, call, found);
	u64 n = s->list_next;
	s->list_next = n + 1;
	if (s->list == TL_KIND_IOCB)
		return next_iocb(s, item, found);
	if (s->list == TL_KIND_MMSG)
		return next_mmsg(s, item, found);
	if (s->list == TL_KIND_MSG)
		return next_of_message(s, item, found, n);
	if (s->list == TL_KIND_ARGV)
		return next_argv(s, item, found, n);
	if (s->list == TL_KIND_COUNT)
		return next_count(s, item, found, n);
	return next_of_iovec(s, item, found, n);
}

/*
 * What begins at `begin`, in this item, is longer than it; its end is to be read next. How many bytes are left here.
 */
TL_INLINE u64 split(struct scratch *s, struct tl_item *item, u64 begin)
{
	s->tail_begin = begin;
	s->tail_left = 0;
	s->tail_arg = item->arg;
	s->tail_kind = item->kind;
	return HALF;
}

TL_INLINE void read_buffer(struct scratch *s, struct tl_item *item, u64 length, const struct found *found)
{
	u64 copied = found->seen;
	if (copied > TL_ITEM_MAX && s->ends && (item->kind & TL_KIND_MASK) == TL_KIND_BUFFER) {
		s->tail = 1;
		s->tail_end = found->from + copied;
		copied = split(s, item, found->from);
	}
	if (copied > TL_ITEM_MAX)
		copied = TL_ITEM_MAX;
	TL_OPAQUE(copied);
	if (copied > TL_ITEM_MAX)
		copied = TL_ITEM_MAX;
	u8 flags = found->seen > TL_ITEM_MAX ? TL_ITEM_MORE : 0; /* seen of an end is no more than the item has */
	if (read_user(item + 1, copied, (void *)found->from)) {
		/* Reads up to the page's end: the next page may not be there. */
		u64 rest = 4096 - (found->from & 4095);
		flags = TL_ITEM_FAULT;
		s->failed |= 1ULL << (s->list_arg & 7);
		s->tail = 0;
		if (rest < copied)
			copied = rest;
		TL_OPAQUE(copied);
		if (copied > TL_ITEM_MAX)
			copied = TL_ITEM_MAX;
		if (read_user(item + 1, copied, (void *)found->from))
			copied = 0;
	}
	item->kind |= flags;
	item->copied = copied;
	item->size = found->size > 0xffffffffULL ? 0xffffffff : found->size;
	s->length = length + ROUND8(sizeof *item + copied);
}

/* Ends a round of the search for a string's end, which read `got` bytes. */
TL_INLINE void end_scan(struct scratch *s, struct tl_item *item, long got)
{
	u64 at = s->scan;
	s->scan = 0;
	if (got < 0) {
		s->failed |= 1ULL << (s->list_arg & 7);
		item->kind |= TL_ITEM_FAULT;
		item->copied = 0;
		item->size = at - s->tail_begin;
		s->length += sizeof *item;
	} else if (got <= TL_ITEM_MAX + 1) {
		s->tail = 1;
		s->tail_end = at + (got ? got - 1 : 0);
	} else if (at - s->tail_begin < PATH_BYTES_MAX) { /* a longer one is no path */
		s->scan = at + TL_ITEM_MAX;
	}
}

TL_INLINE void read_string(struct scratch *s, struct tl_item *item, u64 length, const struct found *found)
{
	/* Reads two bytes more than are kept: one for the NUL, one that shows that the string is longer. */
	long got = read_user_str(item + 1, TL_ITEM_MAX + 2, (void *)found->from);
	if (s->scan) {
		end_scan(s, item, got);
		return;
	}
	u64 copied = got > 0 ? got - 1 : 0; /* "" gives 0 up to 6.1 and 1 since */
	u8 flags = 0;
	if (got < 0) {
		flags = TL_ITEM_FAULT;
		s->failed |= 1ULL << (s->list_arg & 7);
		/* Keeps what there is up to the page's end: the next page may not be there. */
		u64 rest = 4096 - (found->from & 4095);
		if (rest > TL_ITEM_MAX)
			rest = TL_ITEM_MAX;
		TL_OPAQUE(rest);
		if (rest > TL_ITEM_MAX)
			rest = TL_ITEM_MAX;
		copied = read_user(item + 1, rest, (void *)found->from) ? 0 : rest;
	}
	item->size = copied;
	if (copied > TL_ITEM_MAX) {
		copied = TL_ITEM_MAX;
		flags = TL_ITEM_MORE;
		if (s->ends) {
			s->scan = found->from + TL_ITEM_MAX;
			copied = split(s, item, found->from);
		}
	}
	TL_OPAQUE(copied);
	if (copied > TL_ITEM_MAX)
		copied = TL_ITEM_MAX;
	item->kind |= flags;
	item->copied = copied;
	s->length = length + ROUND8(sizeof *item + copied);
}

/* Prepares capture() for the arguments of a call that begins. */
TL_INLINE void read_at_entry(struct scratch *s, struct tl_call *call)
{
	s->arg[TL_LENGTH_RESULT] = ~0ULL;
	s->rule = 0;
	s->end = call->enter_rules;
	s->exit_end = 0;
	s->wanted = 0xff;
	s->list_out = 0;
}

/*
 * Prepares capture() for a call that returns: first the arguments in `again`, a bit each, then `exit_rules` exit
 * rules.
 */
TL_INLINE void read_at_exit(struct scratch *s, struct tl_call *call, u64 again, u64 exit_rules, u64 result)
{
	s->result = result;
	s->arg[TL_LENGTH_RESULT] = again ? ~0ULL : result;
	s->rule = again ? 0 : TL_RULES;
	s->end = again ? call->enter_rules : TL_RULES + exit_rules;
	s->exit_end = again && exit_rules ? TL_RULES + exit_rules : 0;
	s->wanted = again ? again : 0xff;
	s->list_out = again ? 0 : TL_ITEM_OUT;
}

/* Returns how many bytes the record has up to now. */
TL_INLINE u64 length_of(struct scratch *s)
{
	u64 length = s->length;
	TL_OPAQUE(length);
	return length > RECORD_MAX ? RECORD_MAX : length;
}

/*
 * Appends an item for each pointer argument to the record at `header`, which has `length` bytes; how many it has
 * then.
 */
TL_INLINE u64 capture(struct scratch *s, struct tl_header *header, u64 length, struct tl_call *call)
{
	s->arg[TL_LENGTH_ONE] = 1;
	s->length = length;
	s->failed = 0;
	s->list = 0;
	s->outer = 0;
	s->scan = 0;
	s->tail = 0;
#pragma clang loop unroll(disable)
	for (int round = 0; round < ROUNDS; round++) {
		TL_OPAQUE(s); /* else LLVM keeps addresses within it on the stack, for all rounds */
		length = s->length;
		TL_OPAQUE(length);
		if (length > FIXED_MAX + TL_CALL_MAX)
			break;
		struct tl_item *item = (struct tl_item *)((u8 *)header + length);
		struct found *found = &s->found;
		enum step step = next_step(s, item, call, found);
		TL_OPAQUE(step); /* else LLVM copies what follows into each step, and the verifier walks every copy */
		if (step == STEP_STOP)
			break;
		if (step == STEP_BUFFER)
			read_buffer(s, item, length, found);
		else if (step == STEP_STRING)
			read_string(s, item, length, found);
	}
	return length_of(s);
}

#endif
