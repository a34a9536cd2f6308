/* SPDX-License-Identifier: GPL-2.0-only
 *
 * What pointer arguments point at: from the call's rules to items behind the record.
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

/*
 * Appends an item for each pointer argument, by the call's rules: a flat work list. A rule is one item, or starts a
 * list, whose elements then are items.
 */
TL_INLINE void capture(struct scratch *s, u8 *data, u64 start, struct tl_call *call)
{
	s->list = 0;
	s->outer = 0;
#pragma clang loop unroll(disable)
	for (int round = 0; round < ROUNDS; round++) {
		u64 length = s->length, from, size, seen;
		TL_OPAQUE(length);
		if (length > FIXED_MAX + TL_CALL_MAX)
			break;
		u64 offset = start + length;
		TL_OPAQUE(offset);
		struct tl_item *item = (struct tl_item *)(data + offset);

		if (!s->list) {
			u64 n = s->rule;
			if (n >= s->end) {
				if (!s->exit_end)
					break;
				s->rule = TL_RULES;
				s->end = s->exit_end;
				s->exit_end = 0;
				s->wanted = 0xff;
				s->list_out = TL_ITEM_OUT;
				s->arg[TL_LENGTH_RESULT] = s->result;
				continue;
			}
			TL_OPAQUE(n);
			if (n > 2 * TL_RULES - 1)
				break;
			struct tl_rule *rule = &call->rules[n];
			s->rule = n + 1;
			u64 arg = rule->arg & 7, kind = rule->kind;
			from = s->arg[arg];
			if (!from || !(s->wanted >> arg & 1) || rule->content & s->withheld)
				continue;
			size = s->arg[rule->length & 7];
			s->list_arg = arg;
			item->arg = rule->arg;
			item->kind = kind | s->list_out;
			if (rule->width | rule->pointer) {
				if (rule->width) {
					read_word(s, rule->width, from + rule->field);
					size = s->word[0];
				}
				if (rule->pointer) {
					if (rule->limit && rule->need > s->arg[(rule->limit - 1) & 7])
						continue;
					if (read_word(s, rule->pointer, from + rule->at) || !s->word[0])
						continue;
					from = s->word[0];
				}
			}
			if (kind == TL_KIND_STRING)
				goto string;
			if (kind == TL_KIND_BUFFER) {
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
				seen = size;
				goto buffer;
			}
			if (kind == TL_KIND_LENGTH) {
				u32 there = 0;
				bpf_probe_read_user(&there, sizeof there, (void *)size);
				seen = size = there;
				goto buffer;
			}
			s->list_at = from;
			s->list_count = size;
			s->list_next = 0;
			s->list_left = s->arg[TL_LENGTH_RESULT];
			s->list = kind;
			if (kind == TL_KIND_IOVEC)
				goto iovec;
			if (kind == TL_KIND_MMSG || kind == TL_KIND_IOCB) {
				s->outer = kind;
				s->outer_at = from;
				s->outer_count = size;
				s->outer_next = 0;
				s->outer_whole = !rule->scale;
				if (kind == TL_KIND_MMSG)
					continue;
				if (size > TL_SUB_MAX)
					size = TL_SUB_MAX;
				seen = size = size * (s->compat ? 4 : 8);
				goto buffer;
			}
			if (kind == TL_KIND_MSG) {
				if (read_message(s, from)) {
					s->list = 0;
					s->message.iov_count = 0;
				}
				seen = size = MSGHDR(s);
				goto buffer;
			}
			continue;
		}

		u64 n = s->list_next;
		s->list_next = n + 1;
		if (s->list == TL_KIND_IOCB) { /* the next control block; what it writes is as a message's name or iovec */
			u64 number = s->outer_next, step = s->compat ? 4 : 8;
			s->outer_next = number + 1;
			if (number >= s->outer_count || number >= TL_SUB_MAX || read_word(s, step, s->outer_at + number * step)) {
				s->list = s->outer = 0;
				continue;
			}
			from = s->word[0];
			s->iocb.opcode = 0;
			bpf_probe_read_user(&s->iocb, sizeof s->iocb, (void *)(from + IOCB_PART));
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
			item->arg = s->list_arg | number << TL_ITEM_SUB_SHIFT;
			item->kind = TL_KIND_IOCB | s->list_out;
			seen = size = IOCB_SIZE;
			goto buffer;
		}
		if (s->list == TL_KIND_MMSG) { /* the next message */
			u64 number = s->outer_next;
			s->outer_next = number + 1;
			if (number >= s->outer_count || number >= TL_SUB_MAX) {
				s->list = s->outer = 0;
				continue;
			}
			seen = size = MMSGHDR(s);
			from = s->outer_at + number * size;
			s->list = TL_KIND_MSG;
			if (read_message(s, from))
				s->list = s->outer = 0;
			s->list_left = s->outer_whole ? ~0ULL : s->message.done;
			s->list_next = 0;
			item->arg = s->list_arg | number << TL_ITEM_SUB_SHIFT;
			item->kind = TL_KIND_MSG | s->list_out;
			goto buffer;
		}
		if (s->list == TL_KIND_MSG) {
			item->kind = TL_KIND_BUFFER | s->list_out;
			if (n && s->withheld & TL_CLASS_PAYLOAD) {
				s->list = s->outer;
				continue;
			}
			if (n == 0) {
				item->arg = s->list_arg | TL_SUB_NAME << TL_ITEM_SUB_SHIFT;
				from = s->message.name;
				seen = size = s->message.name_length;
			} else if (n == 1) {
				item->arg = s->list_arg | TL_SUB_CONTROL << TL_ITEM_SUB_SHIFT;
				from = s->message.control;
				seen = size = s->message.control_length;
			} else {
				s->list = TL_KIND_IOVEC;
				s->list_next = 0;
				s->list_at = s->message.iov;
				s->list_count = s->message.iov_count;
				item->arg = s->list_arg;
				item->kind = TL_KIND_IOVEC | s->list_out;
				from = s->list_at;
				goto iovec;
			}
			if (!from)
				continue;
			goto buffer;
		}
		item->arg = s->list_arg | n << TL_ITEM_SUB_SHIFT;
		if (s->list == TL_KIND_ARGV) {
			u64 step = s->compat ? 4 : 8;
			u64 fault = read_word(s, step, s->list_at + n * step) ? TL_ITEM_FAULT : 0;
			from = s->word[0];
			if (fault || !from || n >= TL_SUB_MAX) { /* the list's end is an item too: without one it was cut */
				item->kind = TL_KIND_ARGV | s->list_out | fault | (!fault && from ? TL_ITEM_MORE : 0);
				item->copied = 0;
				item->size = n;
				s->length = length + sizeof *item;
				if (fault)
					s->failed |= 1ULL << (s->list_arg & 7);
				s->list = 0;
				continue;
			}
			item->kind = TL_KIND_STRING | s->list_out;
			goto string;
		}
		item->kind = TL_KIND_BUFFER | s->list_out;
		/* TL_KIND_IOVEC */
		u64 left = s->list_left;
		if (n >= s->list_count || n >= TL_SUB_MAX || !left) {
			s->list = s->outer;
			continue;
		}
		if (s->compat) {
			if (read_word(s, 8, s->list_at + n * 8)) {
				s->list = s->outer;
				continue;
			}
			from = s->word[0] & 0xffffffff;
			size = s->word[0] >> 32;
		} else {
			if (bpf_probe_read_user(s->word, sizeof s->word, (void *)(s->list_at + n * sizeof s->word))) {
				s->list = s->outer;
				continue;
			}
			from = s->word[0];
			size = s->word[1];
		}
		seen = size < left ? size : left;
		s->list_left = left - seen;
		goto buffer;

iovec: {
			u64 count = s->list_count;
			if (count > 1024) /* UIO_MAXIOV: the kernel takes no more */
				count = 1024;
			seen = size = count * (s->compat ? 8 : 16);
			if (!from) {
				s->list = s->outer;
				continue;
			}
		}

buffer: {
			u64 copied = seen;
			if (copied > TL_ITEM_MAX)
				copied = TL_ITEM_MAX;
			TL_OPAQUE(copied);
			if (copied > TL_ITEM_MAX)
				copied = TL_ITEM_MAX;
			u8 flags = seen > TL_ITEM_MAX ? TL_ITEM_MORE : 0;
			if (bpf_probe_read_user(item + 1, copied, (void *)from)) {
				/* Up to the page's end: the next one may not be there. */
				u64 rest = 4096 - (from & 4095);
				flags = TL_ITEM_FAULT;
				s->failed |= 1ULL << (s->list_arg & 7);
				if (rest < copied)
					copied = rest;
				TL_OPAQUE(copied);
				if (copied > TL_ITEM_MAX)
					copied = TL_ITEM_MAX;
				if (bpf_probe_read_user(item + 1, copied, (void *)from))
					copied = 0;
			}
			item->kind |= flags;
			item->copied = copied;
			item->size = size > 0xffffffffULL ? 0xffffffff : size;
			s->length = length + ROUND8(sizeof *item + copied);
			continue;
		}
string: {
			/* Two bytes more than are kept: one for the NUL, one that tells a longer string. */
			long got = bpf_probe_read_user_str(item + 1, TL_ITEM_MAX + 2, (void *)from);
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
	}
}

TL_INLINE u64 recorded_length(u64 length)
{
	TL_OPAQUE(length);
	if (length > RECORD_MAX)
		length = RECORD_MAX;
	return length;
}

#endif
