/* SPDX-License-Identifier: GPL-2.0-only
 *
 * What pointer arguments point at: from the call's rules to items behind the record.
 */

#define ROUNDS 40 /* most items and steps of one call */

/*
 * Appends an item for each pointer argument, by the call's rules: a flat work list. A rule is one item, or starts a
 * list, whose elements then are items.
 */
TL_INLINE void capture(struct scratch *s, u8 *data, u64 start, struct tl_call *call)
{
	s->list = 0;
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
			item->arg = arg;
			item->kind = kind | s->list_out;
			if (kind == TL_KIND_STRING)
				goto string;
			if (kind == TL_KIND_BUFFER) {
				size = rule->scale ? size * rule->scale : (size + 63) / 64 * 8;
				if (rule->limit) { /* what the kernel says to have had may be more than it wrote */
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
			if (kind == TL_KIND_MSG) {
				if (bpf_probe_read_user(&s->message, sizeof s->message, (void *)from)) {
					s->list = 0;
					s->message.iov_count = 0;
				}
				seen = size = sizeof s->message;
				goto buffer;
			}
			continue;
		}

		u64 n = s->list_next;
		s->list_next = n + 1;
		if (s->list == TL_KIND_MSG) {
			item->kind = TL_KIND_BUFFER | s->list_out;
			if (n && s->withheld & TL_CLASS_PAYLOAD) {
				s->list = 0;
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
				continue;
			}
			if (!from)
				continue;
			goto buffer;
		}
		item->arg = s->list_arg | n << TL_ITEM_SUB_SHIFT;
		if (s->list == TL_KIND_ARGV) {
			u64 fault = bpf_probe_read_user(&from, sizeof from, (void *)(s->list_at + n * 8)) ? TL_ITEM_FAULT : 0;
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
		/* TL_KIND_IOVEC */
		u64 left = s->list_left;
		struct { u64 base, length; } iov;
		if (n >= s->list_count || n >= TL_SUB_MAX) {
			s->list = 0;
			continue;
		}
		item->kind = TL_KIND_BUFFER | s->list_out;
		if (bpf_probe_read_user(&iov, sizeof iov, (void *)(s->list_at + n * sizeof iov))) {
			item->kind = TL_KIND_IOVEC | s->list_out | TL_ITEM_FAULT;
			item->copied = 0;
			item->size = 0;
			s->length = length + sizeof *item;
			s->failed |= 1ULL << (s->list_arg & 7);
			s->list = 0;
			continue;
		}
		from = iov.base;
		size = iov.length;
		seen = size < left ? size : left;
		s->list_left = left - seen;

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
