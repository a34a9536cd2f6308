/* SPDX-License-Identifier: GPL-2.0-only
 *
 * What the kernel knows about a thread: its numbers, the signal that ends its process, its exit code.
 */
#ifndef TRACELOOP_THREADS_BPF_H
#define TRACELOOP_THREADS_BPF_H

#include TL_ARCH
#include "layout.bpf.h"
#include "record.h"
#include "verifier.h"
#include "writer.bpf.h"

#define SIGNAL_GROUP_EXIT 4 /* include/linux/sched/signal.h: all threads are to exit, with group_exit_code */
#define SI_KERNEL 0x80

#define SIGSYS_BIT (1ULL << 30) /* of a sigset_t: SIGSYS is 31 on x86, arm64 and most others */
#define SECCOMP_MODE_DEAD 3     /* kernel/seccomp.c: seccomp is ending the thread (since Linux 5.16) */

#define UPID_SIZE 16 /* struct upid: int nr; struct pid_namespace *ns; */
#define PID_LEVELS 8 /* the deepest nesting at which the daemon may run; the kernel's limit is 32 (MAX_PID_NS_LEVEL) */

/* Returns the number of a thread in the pid namespace of another, or 0, as pid_nr_ns does. */
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

/* Returns the number of a thread in the daemon's pid namespace, or 0. The node itself may be a container. */
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

/*
 * Returns whether this signal kills the thread's process without a core dump: complete_signal has told all threads by
 * now.
 */
TL_INLINE bool is_killed_by(u64 task, u64 number)
{
	u64 process = read64(task + TL_OFFSET_SIGNAL);
	return read32(process + TL_OFFSET_SIGNAL_FLAGS) & SIGNAL_GROUP_EXIT &&
	       read32(process + TL_OFFSET_GROUP_EXIT_CODE) == number;
}

/*
 * Fills in the sender, which is the current thread, and the siginfo as `task` will see it. info: struct
 * kernel_siginfo *.
 */
TL_INLINE void fill_signal_sent(struct tl_signal_sent *record, u64 number, u64 info, u64 task)
{
	/*
	 * SEND_SIG_NOINFO (0): the kernel sends in this process's name, SI_USER. SEND_SIG_PRIV (1): in its own,
	 * SI_KERNEL.
	 */
	bpf_probe_read_kernel(record->siginfo, sizeof record->siginfo, (void *)info);
	if (info < 2) {
		u32 *siginfo = (u32 *)record->siginfo;
		siginfo[0] = number;
		if (info) {
			siginfo[2] = SI_KERNEL;
		} else {
			siginfo[4] = number_in_namespace_of(read64(bpf_get_current_task() + TL_OFFSET_GROUP_LEADER),
							    task);
			siginfo[5] = bpf_get_current_uid_gid();
		}
	}
	u64 sender = bpf_get_current_pid_tgid();
	record->sender_pid = sender >> 32;
	record->sender_tid = sender;
	bpf_get_current_comm(record->sender_comm, sizeof record->sender_comm);
}

/*
 * Returns whether seccomp refuses the current thread's call by SIGSYS. To be asked where the thread has not entered
 * the call and returns its number: SECCOMP_RET_TRAP, KILL_PROCESS, and KILL_THREAD in a process's last thread
 * (__seccomp_filter).
 */
TL_INLINE bool is_refused_by_sigsys(void)
{
	return *(volatile u64 *)(tl_current_task() + TL_OFFSET_PENDING) & SIGSYS_BIT;
}

/*
 * Returns whether seccomp ends the current thread in a call that has no sys_exit: KILL_THREAD in a process that has
 * other threads, and strict mode.
 */
TL_INLINE bool is_ended_by_seccomp(void)
{
#ifdef TL_OFFSET_SECCOMP_MODE
	return *(volatile u32 *)(tl_current_task() + TL_OFFSET_SECCOMP_MODE) == SECCOMP_MODE_DEAD;
#else
	return false;
#endif
}

/* Returns the exit code of a thread, or of its process if the thread is the last one (group_dead). */
TL_INLINE u32 exit_code_of(u64 task, u32 group_dead)
{
	u64 process = read64(task + TL_OFFSET_SIGNAL);
	if (!group_dead)
		return read32(task + TL_OFFSET_EXIT_CODE);
	if (read32(process + TL_OFFSET_SIGNAL_FLAGS) & SIGNAL_GROUP_EXIT)
		return read32(process + TL_OFFSET_GROUP_EXIT_CODE);
	return read32(read64(task + TL_OFFSET_GROUP_LEADER) + TL_OFFSET_EXIT_CODE);
}

/*
 * Notes in the ring how the container's first process ended, if that is the process with this number for the daemon.
 * Only once, because the kernel reuses numbers.
 */
TL_INLINE void note_exit(struct ring *ring, u32 number, u32 code)
{
	if (!number || ring->head.init_pid != number || ring->head.exited)
		return;
	ring->head.exit_code = code;
	ring->head.exit_ns = bpf_ktime_get_boot_ns();
	TL_PUBLISH(ring->head.exited, 1);
}

/* Returns the address of a thread's mount namespace. */
TL_INLINE u64 mounts_of(u64 task)
{
	return read64(read64(task + TL_OFFSET_NSPROXY) + TL_OFFSET_MNT_NS);
}

/*
 * Returns whether the current thread's program is a file that no path of its mount namespace leads to. A runtime executes
 * such a copy of itself (runc, against CVE-2019-5736): a file in memory, or its own in a mount that it has detached. No
 * image of a container can contain one, but name it: /proc/self/exe of its runtime.
 */
TL_INLINE bool executes_file_without_path(void)
{
	u64 task = bpf_get_current_task(), file = read64(read64(task + TL_OFFSET_MM) + TL_OFFSET_EXE_FILE);
	u64 mount = read64(file + TL_OFFSET_FILE_MNT) - TL_OFFSET_MOUNT_MNT; /* its struct vfsmount is in it */
	return read64(mount + TL_OFFSET_MOUNT_NS) != mounts_of(task);
}

#endif
