/* SPDX-License-Identifier: GPL-2.0-only
 *
 * What the kernel knows of a thread: its numbers, the signal that ends its process, and how it ended.
 */
#ifndef TRACELOOP_THREADS_BPF_H
#define TRACELOOP_THREADS_BPF_H

#include "arch_x86_64.h"
#include "layout.bpf.h"
#include "record.h"
#include "verifier.h"
#include "writer.bpf.h"

#define SIGNAL_GROUP_EXIT 4 /* include/linux/sched/signal.h: all threads are to exit, with group_exit_code */
#define SI_KERNEL 0x80

#define UPID_SIZE 16 /* struct upid: int nr; struct pid_namespace *ns; */
#define PID_LEVELS 8 /* of at most 32 (MAX_PID_NS_LEVEL), how deep the daemon may be */

/* The number of a thread in the pid namespace of another, or 0 (pid_nr_ns). */
TL_INLINE u32 number_in_namespace_of(u64 thread, u64 other)
{
	u64 pid = read64(thread + TL_OFFSET_THREAD_PID), other_pid = read64(other + TL_OFFSET_THREAD_PID);
	u64 level = read32(other_pid + TL_OFFSET_PID_LEVEL);
	if (level > read32(pid + TL_OFFSET_PID_LEVEL))
		return 0;
	u64 at = TL_OFFSET_PID_NUMBERS + level * UPID_SIZE;
	if (read64(pid + at + TL_OFFSET_UPID_NS) != read64(other_pid + at + TL_OFFSET_UPID_NS))
		return 0;
	return read32(pid + at);
}

/* The number of a thread in the daemon's pid namespace, or 0: a node may itself be a container. */
TL_INLINE u32 number_for_daemon(u64 thread)
{
	u64 pid = read64(thread + TL_OFFSET_THREAD_PID), level = read32(pid + TL_OFFSET_PID_LEVEL);
	u64 at = pid + TL_OFFSET_PID_NUMBERS;
#pragma clang loop unroll(disable)
	for (u64 n = 0; n < PID_LEVELS; n++) {
		if (n <= level && read32(read64(at + TL_OFFSET_UPID_NS) + TL_OFFSET_NS_INUM) == TL_PID_NAMESPACE)
			return read32(at);
		at += UPID_SIZE;
	}
	return 0;
}

/* Does this signal kill the thread's process, and dump no core? All its threads have been told by now (complete_signal). */
TL_INLINE bool is_killed_by(u64 task, u64 number)
{
	u64 process = read64(task + TL_OFFSET_SIGNAL);
	return read32(process + TL_OFFSET_SIGNAL_FLAGS) & SIGNAL_GROUP_EXIT &&
	       read32(process + TL_OFFSET_GROUP_EXIT_CODE) == number;
}

/* Fills in who sends the signal, the current thread, and what `info`, a struct kernel_siginfo *, says to `task`. */
TL_INLINE void fill_signal_sent(struct tl_signal_sent *record, u64 number, u64 info, u64 task)
{
	/* SEND_SIG_NOINFO is 0 and SEND_SIG_PRIV 1: the kernel sends it, in this process's name (SI_USER) or in its own. */
	bpf_probe_read_kernel(record->siginfo, sizeof record->siginfo, (void *)info);
	if (info < 2) {
		u32 *siginfo = (u32 *)record->siginfo;
		siginfo[0] = number;
		if (info) {
			siginfo[2] = SI_KERNEL;
		} else {
			siginfo[4] = number_in_namespace_of(read64(bpf_get_current_task() + TL_OFFSET_GROUP_LEADER), task);
			siginfo[5] = bpf_get_current_uid_gid();
		}
	}
	u64 sender = bpf_get_current_pid_tgid();
	record->sender_pid = sender >> 32;
	record->sender_tid = sender;
	bpf_get_current_comm(record->sender_comm, sizeof record->sender_comm);
}

/* The exit code of a thread; of its process, where it is the last one (group_dead). */
TL_INLINE u32 exit_code_of(u64 task, u32 group_dead)
{
	u64 process = read64(task + TL_OFFSET_SIGNAL);
	if (!group_dead)
		return read32(task + TL_OFFSET_EXIT_CODE);
	if (read32(process + TL_OFFSET_SIGNAL_FLAGS) & SIGNAL_GROUP_EXIT)
		return read32(process + TL_OFFSET_GROUP_EXIT_CODE);
	return read32(read64(task + TL_OFFSET_GROUP_LEADER) + TL_OFFSET_EXIT_CODE);
}

/* Keeps in the ring how the container's first process ended, if this is its last thread. */
TL_INLINE void note_exit(struct ring *ring, u64 task, u32 code)
{
	u32 init_pid = ring->head.init_pid;
	if (!init_pid || init_pid != number_for_daemon(read64(task + TL_OFFSET_GROUP_LEADER)))
		return;
	ring->head.exit_code = code;
	ring->head.exit_ns = bpf_ktime_get_boot_ns();
	TL_PUBLISH(ring->head.exited, 1);
}

#endif
