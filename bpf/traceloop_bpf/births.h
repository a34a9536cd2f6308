/* SPDX-License-Identifier: GPL-2.0-only
 *
 * How a container is recognised when its cgroup is made, and what user space is told of it. `traceloop_bpf.births`
 * mirrors this, and a test compares the mirror with what a C compiler says.
 *
 * A cgroup that is made is compared with the shapes, in their order; the first that fits decides. No shape fits: it is
 * no container's. A cgroup below a recorded one is not compared, but recorded as its container's, unless no process has
 * been in the recorded one yet: engines make a pod's cgroup, or the one that all their containers share, just before.
 */
#ifndef TRACELOOP_BIRTHS_H
#define TRACELOOP_BIRTHS_H

#include <linux/types.h>

#define TL_SHAPES 64
#define TL_SHAPE_TEXT 48
#define TL_NAME_MAX 256   /* of a cgroup: NAME_MAX of linux/limits.h, and the NUL */
#define TL_PATH_MAX 512   /* a longer path is cut; the cgroup is found by its id then */
#define TL_WORDS_MAX 1024 /* of a command line, which is cut then; a power of two */
#define TL_ID_DIGITS 64   /* of the ids that engines make: a SHA-256 */
#define TL_STOCK 4096

/* tl_shape.kind: what fits */
#define TL_SHAPE_END 0     /* nothing: the last one */
#define TL_SHAPE_NAME 1    /* the text is the cgroup's whole name */
#define TL_SHAPE_BEGINS 2  /* the name begins with the text */
#define TL_SHAPE_ID 3      /* the name is the text and an id */
#define TL_SHAPE_BELOW 4   /* the name is an id, and the text is the parent's name */
#define TL_SHAPE_RUNTIME 5 /* the text is the name of the thread that makes the cgroup */

/* tl_shape.suffix: what the name must end with, after what `kind` says */
#define TL_SUFFIX_FREE 0    /* ".scope" or nothing */
#define TL_SUFFIX_SCOPE 1   /* ".scope" */
#define TL_SUFFIX_SERVICE 2 /* ".service" */

struct tl_shape {
	__u64 text[TL_SHAPE_TEXT / 8];
	__u64 mask[TL_SHAPE_TEXT /
		   8]; /* the bits of the text that are compared; the NUL's too where it is a whole name */
	__u8 kind;
	__u8 suffix;
	__u8 whose;      /* a number of user space's, which comes back in tl_birth; 0: never a container's */
	__u8 length;     /* of the text, without its NUL */
	__u8 is_service; /* 1: see TL_BORN_SERVICE */
	__u8 pad[3];
};

/*
 * In tl_ring.born: any process that is put into the cgroup is the container's, as systemd's services have no pid
 * namespaces. Its first process is the first that fails, or the last one.
 */
#define TL_BORN_SERVICE 0x80000000

/* the element of the map `shapes` */
struct tl_shapes {
	struct tl_shape shape[TL_SHAPES];
	__u64 missed; /* births for which no ring was in stock */
	__u64 untold; /* births that user space was not told of, because it read no events; they are not recorded */
};

/* an event: a container's cgroup was made */
struct tl_birth {
	__u64 id;           /* the cgroup's */
	__u64 at_ns;        /* CLOCK_BOOTTIME */
	__u32 slot;         /* 0: no ring was in stock, and the cgroup is not recorded */
	__u32 cookie;       /* the ring's; 0 as well */
	__u32 maker;        /* the process that made it, in the daemon's pid namespace */
	__u32 whose;        /* tl_shape.whose */
	__u32 moved;        /* 1: the ring was the parent's, whose birth was told before: the parent is no container */
	__u32 words_length; /* of `words`, bytes */
	char path[TL_PATH_MAX];
	char words[TL_WORDS_MAX]; /* the maker's command line, a NUL after each word: it ends soon, and has the names */
};

#define TL_STREAMS 3

/* What a descriptor stands for: a pipe or a socket, if `magic` is that of pipefs or sockfs. */
struct tl_stream {
	__u64 magic; /* of the superblock: linux/magic.h; 0 if it was not read */
	__u64 inode;
};

/*
 * an event, told from a birth by its size: a process came into a recorded cgroup from outside; one of a runtime, once it
 * has executed the program. No recorded call says what it has open.
 */
struct tl_entry {
	__u64 at_ns; /* CLOCK_BOOTTIME */
	__u32 slot;
	__u32 cookie;
	__u32 process; /* in the daemon's pid namespace */
	__u32 pad;
	struct tl_stream streams[TL_STREAMS]; /* descriptors 0, 1 and 2 of a program that was just executed, at at_ns */
};

#endif
