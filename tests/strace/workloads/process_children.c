// SPDX-License-Identifier: Apache-2.0
// Children: how they start, what they execute, how they end, and what their parent is told.
#define _GNU_SOURCE
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int status, child_tid, parent_tid, pidfd;
static struct rusage usage;
static siginfo_t info;
static char stack[65536] __attribute__((aligned(16)));

static long clone_fork(unsigned long flags)
{
	return syscall(SYS_clone, flags, 0L, &parent_tid, &child_tid, 0L);
}

static long clone3_fork(struct clone_args *args, size_t size)
{
	return syscall(SYS_clone3, args, size);
}

static int in_thread(void *argument)
{
	syscall(SYS_gettid);
	return *(int *)argument;
}

int main(void)
{
	/* Writes to them, so that they are in memory in each child. */
	static char path[16], quotes[] = "with \"quotes\"", more[] = "and more", environment[] = "A=0";
	char *no_environment[] = {0}, *one[] = {environment, 0}, *argv[] = {path + 5, quotes, more, 0};
	strcpy(path, "/bin/true");
	environment[2] = '1';
	quotes[0] = 'w', more[0] = 'a';
	int seven = 7;

	/* Blocks SIGCHLD: strace shows ignored signals, and under it they interrupt calls. */
	sigset_t children;
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	sigprocmask(SIG_BLOCK, &children, 0);

	if (!syscall(SYS_fork))
		syscall(SYS_exit_group, 0L);
	syscall(SYS_wait4, -1L, &status, 0L, &usage);

	if (!vfork())
		_exit(9);
	syscall(SYS_wait4, -1L, &status, (long)__WALL, 0L);

	if (!clone_fork(SIGCHLD))
		syscall(SYS_exit, 3L);
	syscall(SYS_waitid, (long)P_ALL, 0L, &info, (long)WEXITED | WNOWAIT, 0L);
	syscall(SYS_waitid, (long)P_ALL, 0L, &info, (long)WEXITED, &usage);

	long child = clone_fork(CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD);
	if (!child)
		syscall(SYS_kill, (long)getpid(), (long)SIGKILL);
	syscall(SYS_wait4, child, &status, 0L, 0L);

	child = clone_fork(SIGCHLD);
	if (!child) {
		syscall(SYS_kill, (long)getpid(), (long)SIGSTOP);
		syscall(SYS_exit_group, 255L);
	}
	syscall(SYS_wait4, child, &status, (long)WUNTRACED, 0L);
	syscall(SYS_kill, child, (long)SIGCONT);
	syscall(SYS_waitid, (long)P_PID, child, &info, (long)WEXITED, 0L);

	clone(in_thread, stack + sizeof stack, CLONE_VM | CLONE_FS | CLONE_FILES | SIGCHLD, &seven);
	syscall(SYS_wait4, -1L, &status, (long)__WCLONE | __WNOTHREAD, 0L);
	syscall(SYS_wait4, -1L, &status, 0L, 0L);
	child = clone_fork(CLONE_PIDFD | SIGCHLD);
	if (!child)
		syscall(SYS_exit_group, 1L);
	syscall(SYS_waitid, (long)P_PIDFD, (long)parent_tid, &info, (long)WEXITED, 0L);
	syscall(SYS_close, (long)parent_tid);

	struct clone_args args = {.exit_signal = SIGCHLD};
	if (!clone3_fork(&args, sizeof args))
		syscall(SYS_exit_group, 2L);
	syscall(SYS_wait4, -1L, &status, 0L, 0L);
	args.flags = CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_PIDFD;
	args.parent_tid = (uintptr_t)&parent_tid;
	args.child_tid = (uintptr_t)&child_tid;
	args.pidfd = (uintptr_t)&pidfd;
	if (!clone3_fork(&args, CLONE_ARGS_SIZE_VER0))
		syscall(SYS_exit_group, 2L);
	syscall(SYS_wait4, -1L, &status, 0L, 0L);
	args.flags = CLONE_PARENT_SETTID;
	child = clone3_fork(&args, sizeof args);
	if (!child) {
		syscall(SYS_kill, syscall(SYS_getpid), (long)SIGSTOP);
		syscall(SYS_exit_group, 2L);
	}
	syscall(SYS_wait4, child, &status, (long)WUNTRACED, 0L);
	syscall(SYS_wait4, child, &status, (long)WNOHANG, &usage);
	syscall(SYS_waitid, (long)P_PID, child, &info, (long)WEXITED | WNOHANG, &usage);
	syscall(SYS_kill, child, (long)SIGKILL);
	syscall(SYS_waitid, (long)P_PID, child, &info, (long)WEXITED | WSTOPPED, &usage);
	clone3_fork(0, 0);
	clone3_fork(&args, 8);
	struct clone_args failing = {.flags = CLONE_THREAD | CLONE_NEWNS, .stack = 4096, .stack_size = 8192, .tls = 5};
	clone3_fork(&failing, sizeof failing);
	clone_fork(CLONE_THREAD | SIGCHLD);
	clone_fork(CLONE_NEWUSER | CLONE_FS | SIGCHLD);
	clone_fork(CLONE_THREAD | 77);

	syscall(SYS_wait4, -1L, &status, (long)WNOHANG, 0L);
	syscall(SYS_wait4, 999999L, 0L, 0x40L, 0L);
	syscall(SYS_waitid, 77L, 5L, 0L, 0L, 0L);
	syscall(SYS_waitid, (long)P_PGID, 5L, 0L, (long)WSTOPPED | WCONTINUED | WNOHANG, 0L);
	syscall(SYS_execve, "/no/such", argv, no_environment);
	syscall(SYS_execve, "/no/such", argv, one);
	syscall(SYS_execve, "/no/such", 0L, 0L);
	syscall(SYS_execveat, -100L, "/no/such", argv, no_environment, 0x1100L);
	syscall(SYS_execveat, 77L, "", argv, one, 0x1000L);
	syscall(SYS_set_tid_address, &child_tid);
	syscall(SYS_getpid);
	syscall(SYS_getppid);
	syscall(SYS_gettid);
	child = clone_fork(SIGCHLD);
	if (!child)
		syscall(SYS_execve, path, argv, no_environment);
	syscall(SYS_wait4, child, &status, 0L, 0L);
	child = clone_fork(SIGCHLD);
	if (!child)
		syscall(SYS_execveat, -1L, path, argv, one, 0L);
	syscall(SYS_wait4, child, &status, 0L, &usage);
	syscall(SYS_exit_group, 42L);
}
