/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Recognises a container's cgroup when it is made, and a container's first process: see births.h.
 */
#ifndef TRACELOOP_BIRTHS_BPF_H
#define TRACELOOP_BIRTHS_BPF_H

#include "births.h"
#include "cgroups.bpf.h"
#include "layout.bpf.h"
#include "threads.bpf.h"
#include "verifier.h"
#include "writer.bpf.h"

/*
 * The texts that shapes are compared with, and room after each, so that every index of a loop is in it. There is one,
 * as the kernel's cgroup_mutex is held while a program at cgroup_mkdir runs.
 */
#define NAMES_PARENT TL_NAME_MAX
#define NAMES_MAKER (2 * TL_NAME_MAX)
#define NAMES_MASK (4 * TL_NAME_MAX - 1)

struct names {
	char text[NAMES_MASK + 1]; /* the cgroup's name; the parent's; the making thread's */
	u64 length;                /* of the cgroup's name, without its NUL */
	u64 id_at;                 /* where the id begins that the name ends with; NAMES_MASK: there is none */
	u64 suffix;                /* TL_SUFFIX_SCOPE, TL_SUFFIX_SERVICE or TL_SUFFIX_FREE */
	u64 body;                  /* the length without that end */
	u64 shape;                 /* the number of the shape that fits */
};

TL_INLINE u64 name_of(u64 cgroup)
{
	return read64(read64(cgroup + TL_OFFSET_CGROUP_KN) + TL_OFFSET_KN_NAME);
}

TL_INLINE char letter(const struct names *n, u64 at)
{
	at &= NAMES_MASK;
	TL_OPAQUE(at);
	return n->text[at & NAMES_MASK];
}

#define ENDS_WITH(n, end) \
	((n)->length >= sizeof(end) - 1 && is_at(n, (n)->length - (sizeof(end) - 1), end, sizeof(end) - 1))

TL_INLINE bool is_at(const struct names *n, u64 from, const char *text, u64 size)
{
	bool same = true;
#pragma clang loop unroll(full)
	for (u64 i = 0; i < size; i++)
		same &= letter(n, from + i) == text[i];
	return same;
}

/* Returns whether the digits of an id are at a place of the name. */
TL_INLINE bool is_id(const struct names *n, u64 from)
{
#pragma clang loop unroll(disable)
	for (u64 i = 0; i < TL_ID_DIGITS; i++) {
		char c = letter(n, from + i);
		if ((c < '0' || c > '9') && (c < 'a' || c > 'f'))
			return false;
	}
	return true;
}

/* Reads the names that shapes are compared with. Returns whether that was possible. */
TL_INLINE bool read_names(struct names *n, u64 cgroup, u64 parent)
{
	long size = bpf_probe_read_kernel_str(n->text, TL_NAME_MAX, (void *)name_of(cgroup));
	if (size < 2 || size > TL_NAME_MAX)
		return false;
	n->length = size - 1;
	n->text[NAMES_PARENT] = 0;
	bpf_probe_read_kernel_str(n->text + NAMES_PARENT, TL_NAME_MAX, (void *)name_of(parent));
	bpf_get_current_comm(n->text + NAMES_MAKER, 16);
	n->suffix = TL_SUFFIX_FREE;
	if (ENDS_WITH(n, ".scope"))
		n->suffix = TL_SUFFIX_SCOPE;
	else if (ENDS_WITH(n, ".service"))
		n->suffix = TL_SUFFIX_SERVICE;
	n->body = n->length - (n->suffix == TL_SUFFIX_SCOPE ? 6 : 0);
	n->id_at = NAMES_MASK;
	if (n->body >= TL_ID_DIGITS && is_id(n, n->body - TL_ID_DIGITS))
		n->id_at = n->body - TL_ID_DIGITS;
	return true;
}

/* Without branches, as the verifier would walk each of them for each shape. */
TL_INLINE bool fits(const struct names *n, const struct tl_shape *shape)
{
	u64 kind = shape->kind, suffix = shape->suffix;
	u64 at = (kind == TL_SHAPE_BELOW) * NAMES_PARENT + (kind == TL_SHAPE_RUNTIME) * NAMES_MAKER;
	TL_OPAQUE(at);
	at &= NAMES_PARENT | NAMES_MAKER;
	const u64 *text = (const u64 *)(n->text + at);
	u64 differs = 0;
#pragma clang loop unroll(full)
	for (u64 i = 0; i < TL_SHAPE_TEXT / 8; i++)
		differs |= (text[i] ^ shape->text[i]) & shape->mask[i];
	differs |= (suffix != TL_SUFFIX_FREE) & (suffix != n->suffix);
	differs |= (kind == TL_SHAPE_ID) & (n->id_at != shape->length);
	differs |= (kind == TL_SHAPE_BELOW) & (n->id_at != 0);
	return !differs;
}

/*
 * Returns the shape of a cgroup that is made, or 0. The number of the shape goes through memory: so the verifier, which
 * walks the loop turn by turn, does not know it, and walks what follows once instead of once for each shape.
 */
TL_INLINE struct tl_shape *shape_of(struct names *n, struct tl_shapes *shapes)
{
	n->shape = TL_SHAPES;
#pragma clang loop unroll(disable)
	for (u64 i = 0; i < TL_SHAPES; i++) {
		struct tl_shape *shape = &shapes->shape[i];
		if (shape->kind == TL_SHAPE_END)
			break;
		if (fits(n, shape)) {
			n->shape = i;
			break;
		}
	}
	u64 number = TL_RELOAD(n->shape);
	return number < TL_SHAPES ? &shapes->shape[number] : 0;
}

/* Reads the current process's command line into TL_WORDS_MAX bytes. Returns how many were read. */
TL_INLINE u32 read_command_line(char *words)
{
	u64 memory = read64(bpf_get_current_task() + TL_OFFSET_MM);
	u64 from = read64(memory + TL_OFFSET_ARG_START), length = read64(memory + TL_OFFSET_ARG_END) - from;
	if (length >= TL_WORDS_MAX)
		length = TL_WORDS_MAX - 1;
	TL_OPAQUE(length);
	length &= TL_WORDS_MAX - 1;
	return read_user(words, length, (void *)from) ? 0 : length;
}

/* Returns whether no process has been in a cgroup that is recorded since its birth. */
TL_INLINE bool is_untouched(const struct ring *ring)
{
	return ring->head.born && !ring->head.head;
}

#define CRUN 0x6e757263ULL              /* "crun" */
#define RUNC_INIT 0x3a325b3a636e7572ULL /* "runc:[2:" */
#define RUNC_INIT_END 0x5d54494e49ULL   /* "INIT]" */

/*
 * Returns whether the current thread is a container's first process by its names: runc calls that one "runc:[2:INIT]",
 * and crun has no other process there, which is called "crun" until it executes the container's program. To be asked
 * where it is renamed; for containers in the pid namespace of the node or of their pod. comm: the new name.
 */
TL_INLINE bool is_named_by_runtime(u64 comm)
{
	u64 now[2] = {}, new[2] = {};
	bpf_get_current_comm(now, sizeof now);
	bpf_probe_read_kernel_str(new, sizeof new, (void *)comm);
	bool is_crun = (now[0] & 0xffffffffffULL) == CRUN; /* with its NUL */
	return is_crun || (new[0] == RUNC_INIT &&new[1] == RUNC_INIT_END);
}

/* Returns a process's struct upid of its own pid namespace, if that is below the daemon's; else 0. */
TL_INLINE u64 upid_below(u64 leader)
{
	u64 pid = read64(leader + TL_OFFSET_THREAD_PID), level = read32(pid + TL_OFFSET_PID_LEVEL);
	u64 own = pid + TL_OFFSET_PID_NUMBERS + level * UPID_SIZE;
	bool is_below = level && read32(read64(own + TL_OFFSET_UPID_NS) + TL_OFFSET_NS_INUM) != TL_PID_NAMESPACE;
	return is_below ? own : 0;
}

/* Returns whether a process is the first of a pid namespace that is below the daemon's. */
TL_INLINE bool is_first_of_namespace(u64 leader)
{
	u64 own = upid_below(leader);
	return own && read32(own) == 1;
}

#endif
