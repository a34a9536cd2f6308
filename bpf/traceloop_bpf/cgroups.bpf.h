/* SPDX-License-Identifier: GPL-2.0-only
 *
 * What the kernel knows about a cgroup (struct cgroup): its id, its hierarchy, who is in it.
 */
#ifndef TRACELOOP_CGROUPS_BPF_H
#define TRACELOOP_CGROUPS_BPF_H

#include "verifier.h"
#include "writer.bpf.h"

TL_INLINE u64 id_of(u64 cgroup)
{
	return read64(read64(cgroup + TL_OFFSET_CGROUP_KN) + TL_OFFSET_KN_ID);
}

/* Returns whether a cgroup is of cgroup2. */
TL_INLINE bool is_v2(u64 cgroup)
{
	/* 0 is the hierarchy of cgroup2: the "0::" of /proc/PID/cgroup */
	return read32(read64(cgroup + TL_OFFSET_CGROUP_ROOT) + TL_OFFSET_HIERARCHY_ID) == 0;
}

/* Returns whether a process and its threads are all that is in a cgroup and below it. */
TL_INLINE bool is_alone_in(u64 cgroup, u64 task)
{
	return read32(cgroup + TL_OFFSET_NR_POPULATED_CSETS) == 1 &&
	       !read32(cgroup + TL_OFFSET_NR_POPULATED_CHILDREN) &&
	       read32(read64(task + TL_OFFSET_CGROUPS) + TL_OFFSET_CSS_SET_TASKS) ==
		       read32(read64(task + TL_OFFSET_SIGNAL) + TL_OFFSET_NR_THREADS);
}

#endif
