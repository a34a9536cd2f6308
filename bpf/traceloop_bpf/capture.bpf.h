/* SPDX-License-Identifier: GPL-2.0-only
 *
 * What pointer arguments point at: from the call's rules to items after the record.
 *
 * THEORY OF OPERATION
 *
 * The verifier walks a loop round by round, and nested loops cost it their product. So capture() is one flat loop. Each
 * round takes one step; a step finds what is to be read next, if anything, and what the round after it continues with. The
 * round then reads it, at one place for strings and at one for buffers. All state lies in the scratch:
 *
 *     s->list         the step takes                       and then continues with
 *     0               the call's next rule                 the next rule, or the list that the rule begins
 *     TL_KIND_IOVEC   the next element's memory            its next element; after the last, s->outer
 *     TL_KIND_MSG     name, then control                   the message's iovec
 *     TL_KIND_ARGV    the next string, or the list's end   the next string; after the end, rules
 *     TL_KIND_MMSG    the next message's header            that message; after the last, rules
 *     TL_KIND_IOCB    the next pointer's control block     what it writes, as a message; after the last, rules
 *
 * s->outer is TL_KIND_MMSG or TL_KIND_IOCB while one of their elements is walked, else 0. Rules are used up at s->end;
 * where entry rules were read again at exit, the exit rules follow (s->exit_end).
 */
#ifndef TRACELOOP_CAPTURE_BPF_H
#define TRACELOOP_CAPTURE_BPF_H

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

enum step { STEP_STOP, STEP_NOTHING, STEP_STRING, STEP_BUFFER };

/* Reads a number of `bytes` bytes, eight at most, to s->word[0]; true: it cannot be read. */
TL_INLINE bool read_word(struct scratch *s, u64 bytes, u64 at)
{
	s->word[0] = 0;
	bytes &= 15;
	return bpf_probe_read_user(s->word, bytes, (void *)at);
}

/* Reads a struct msghdr, or mmsghdr, to s->message. */
TL_INLINE bool read_message(struct scratch *s, u64 at)
{
	if (!s->compat)
		return bpf_probe_read_user(&s->message, sizeof s->message - (s->outer ? 0 : 8), (void *)at);
	bool fault = bpf_probe_read_user(&s->message32, sizeof s->message32 - (s->outer ? 0 : 4), (void *)at);
	s->message.name = s->message32.name;
	s->message.name_length = s->message32.name_length;
	s->message.iov = s->message32.iov;
	s->message.iov_count = s->message32.iov_count;
	s->message.control = s->message32.control;
	s->message.control_length = s->message32.control_length;
	s->message.done = s->message32.done;
	return fault;
}

/* The list's element `n` is the item. */
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

/* A buffer's bytes, where its rule's length says `size`. */
TL_INLINE u64 scaled(struct scratch *s, struct tl_rule *rule, u64 size)
{
	u64 scale = rule->scale;
	if (scale - 1 < TL_SCALE_PAGES - 1)
		size = size * scale + rule->add;
	else if (scale == TL_SCALE_BITS)
		size = s->compat ? (size + 31) / 32 * 4 : (size + 63) / 64 * 8;
	else
		size = (size + (1 << PAGE_SHIFT) - 1) >> PAGE_SHIFT;
	if (rule->limit && !rule->pointer) { /* what the kernel says to have had may be more than it wrote */
		u64 most = s->arg[(rule->limit - 1) & 7];
		if (size > most)
			size = most;
	}
	return size;
}

/* Begins the list that a rule speaks of, of `size` elements at `from`; what the list itself is, is the item. */
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
	return STEP_NOTHING; /* TL_KIND_ARGV */
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
	s->list_arg = arg;
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
		bpf_probe_read_user(&there, sizeof there, (void *)found->size);
		found->seen = found->size = there;
		return STEP_BUFFER;
	}
	return begin_list(s, rule, found);
}

/* The next control block; what it writes is as a message's name or iovec. */
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
	bpf_probe_read_user(&s->iocb, sizeof s->iocb, (void *)(found->from + IOCB_PART));
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
	/* The list's end is an item too: without one it was cut. */
	name_item(s, item, n, TL_KIND_ARGV | fault | (!fault && found->from ? TL_ITEM_MORE : 0));
	item->copied = 0;
	item->size = n;
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
		end = bpf_probe_read_user(s->word, sizeof s->word, (void *)(s->list_at + n * sizeof s->word));
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

TL_INLINE enum step next_step(struct scratch *s, struct tl_item *item, struct tl_call *call, struct found *found)
{
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
	return next_of_iovec(s, item, found, n);
}

TL_INLINE void read_buffer(struct scratch *s, struct tl_item *item, u64 length, const struct found *found)
{
	u64 copied = found->seen;
	if (copied > TL_ITEM_MAX)
		copied = TL_ITEM_MAX;
	TL_OPAQUE(copied);
	if (copied > TL_ITEM_MAX)
		copied = TL_ITEM_MAX;
	u8 flags = found->seen > TL_ITEM_MAX ? TL_ITEM_MORE : 0;
	if (bpf_probe_read_user(item + 1, copied, (void *)found->from)) {
		/* Up to the page's end: the next one may not be there. */
		u64 rest = 4096 - (found->from & 4095);
		flags = TL_ITEM_FAULT;
		s->failed |= 1ULL << (s->list_arg & 7);
		if (rest < copied)
			copied = rest;
		TL_OPAQUE(copied);
		if (copied > TL_ITEM_MAX)
			copied = TL_ITEM_MAX;
		if (bpf_probe_read_user(item + 1, copied, (void *)found->from))
			copied = 0;
	}
	item->kind |= flags;
	item->copied = copied;
	item->size = found->size > 0xffffffffULL ? 0xffffffff : found->size;
	s->length = length + ROUND8(sizeof *item + copied);
}

TL_INLINE void read_string(struct scratch *s, struct tl_item *item, u64 length, const struct found *found)
{
	/* Two bytes more than are kept: one for the NUL, one that tells a longer string. */
	long got = bpf_probe_read_user_str(item + 1, TL_ITEM_MAX + 2, (void *)found->from);
	u64 copied = got > 0 ? got - 1 : 0; /* "" gives 0 up to 6.1 and 1 since */
	u8 flags = 0;
	if (got < 0) {
		flags = TL_ITEM_FAULT;
		s->failed |= 1ULL << (s->list_arg & 7);
	}
	item->size = copied;
	if (copied > TL_ITEM_MAX) {
		copied = TL_ITEM_MAX;
		flags = TL_ITEM_MORE;
	}
	TL_OPAQUE(copied);
	if (copied > TL_ITEM_MAX)
		copied = TL_ITEM_MAX;
	item->kind |= flags;
	item->copied = copied;
	s->length = length + ROUND8(sizeof *item + copied);
}

/* The arguments of a call that begins are to be read. */
TL_INLINE void read_at_entry(struct scratch *s, struct tl_call *call)
{
	s->arg[TL_LENGTH_RESULT] = ~0ULL;
	s->rule = 0;
	s->end = call->enter_rules;
	s->exit_end = 0;
	s->wanted = 0xff;
	s->list_out = 0;
}

/* Of a call that returns, first the arguments in `again` (a bit each, may be 0), then what `exit_rules` rules say. */
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

/* Appends an item for each pointer argument to the record at `header`, which has `length` bytes; how many it has then. */
TL_INLINE u64 capture(struct scratch *s, struct tl_header *header, u64 length, struct tl_call *call)
{
	s->arg[TL_LENGTH_ONE] = 1;
	s->length = length;
	s->failed = 0;
	s->list = 0;
	s->outer = 0;
#pragma clang loop unroll(disable)
	for (int round = 0; round < ROUNDS; round++) {
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
	length = s->length;
	TL_OPAQUE(length);
	if (length > RECORD_MAX)
		length = RECORD_MAX;
	return length;
}

#endif
