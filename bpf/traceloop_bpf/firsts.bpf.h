/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Which calls are new: what a call is known by, and how often the like of it was new already.
 *
 * A call is known by its number, its error, and what it names first: a path, the address of a socket, or for execve the
 * path and the arguments. The ring has a hash of each call that was kept (`seen`), so one that names something costs a
 * hash of it and a look. Where a program names something new each time, its group is counted: the same number, error and
 * directory, or address without its port, or program. After a number of new ones only each doubling is kept, and what is
 * not kept is not remembered either, so that random names do not make the ring forget others.
 */
#ifndef TRACELOOP_FIRSTS_BPF_H
#define TRACELOOP_FIRSTS_BPF_H

#include "layout.bpf.h"
#include "rules.h"
#include "verifier.h"

#define WORDS_MAX 32  /* words of a name that are hashed */
#define NEW_MAX 16    /* new ones of a group that are all kept; */
#define OPENS_MAX 128 /* of files that are opened, as programs have many libraries, while the area is young */
#define OTHER_MAX 4   /* of a signal, or of an exit code */
#define LARGE 64      /* bytes of output that a call which names something keeps */

TL_INLINE u64 mixed(u64 hash, u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 29;
}

/* Hashes `bytes` bytes; the place has eight more. */
TL_INLINE u64 hash_of(const u8 *from, u64 bytes, u64 hash)
{
	hash = mixed(hash, bytes);
#pragma clang loop unroll(disable)
	for (u64 i = 0; i < WORDS_MAX; i++) {
		if (i * 8 >= bytes)
			break;
		u64 word = *(const u64 *)(from + i * 8), rest = bytes - i * 8;
		if (rest < 8)
			word &= ~0ULL >> (64 - rest * 8);
		hash = mixed(hash, word);
	}
	return hash;
}

/* Hashes a path up to its last slash. */
TL_INLINE u64 hash_of_directory(const u8 *from, u64 bytes, u64 hash)
{
	u64 found = hash;
#pragma clang loop unroll(disable)
	for (u64 i = 0; i < WORDS_MAX * 8; i++) {
		u64 n = i;
		TL_OPAQUE(n); /* else LLVM counts down from the lesser bound to 0, which Linux 6.1 cannot follow */
		if (n >= bytes)
			break;
		hash = (hash ^ from[i]) * 0x100000001b3ULL;
		if (from[i] == '/')
			found = hash;
	}
	return found;
}

/* Returns whether three quarters of the area are not filled yet. */
TL_INLINE bool is_young(struct ring *ring)
{
	struct tl_area *area = &ring->areas[TL_AREA_FIRSTS];
	return area->head < area->size / 4 * 3;
}

/* Counts a new one of a group; returns whether it is to be kept: the first `most`, then each doubling. */
TL_INLINE bool is_kept(struct ring *ring, u64 group, u32 most)
{
	u64 n = group * 0x9e3779b97f4a7c15ULL >> 40, tag = group >> 32 ? group >> 32 : 1;
	n &= TL_GROUPS - 1;
	u64 word = ring->groups[n];
	if (word >> 32 != tag)
		word = tag << 32;
	ring->groups[n] = ++word;
	u32 count = word;
	return count <= most || !(count & (count - 1));
}

/* Returns a place in `seen`, of those that a call's hash may have: its own, and three beside it. */
TL_INLINE u32 *seen_at(struct ring *ring, u64 place, u32 beside)
{
	u64 n = place ^ beside;
	TL_OPAQUE(n);
	return &ring->seen[n & (TL_SEEN - 1)];
}

/* Returns a call's own place in `seen`: calls that name something cannot crowd out those that do not. */
TL_INLINE u64 place_of_seen(u64 hash, bool names)
{
	u64 n = hash >> 40;
	return names ? TL_SEEN / 4 + (n & 0xffff) * (TL_SEEN * 3 / 4) / 0x10000 : n & (TL_SEEN / 4 - 1);
}

/*
 * Looks for a call beside its own place, where another one is. Returns whether it was there, and else in *free the place
 * to take: with one place alone, two calls that a program makes in turn would drive each other out for ever.
 */
TL_INLINE bool is_beside(struct ring *ring, u64 place, u32 print, u32 **free)
{
#pragma clang loop unroll(full)
	for (u32 beside = 1; beside < 4; beside++) {
		u32 *other = seen_at(ring, place, beside);
		if (*other == print)
			return true;
		if (**free && !*other)
			*free = other;
	}
	return false;
}

#endif
