/* SPDX-License-Identifier: Apache-2.0 */
/* Signal sets, actions and stacks, and sending and receiving signals, all by direct system calls. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BAD ((void *)8)

struct kernel_sigaction {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
};

static const uint64_t usr1_term = 1ULL << (SIGUSR1 - 1) | 1ULL << (SIGTERM - 1);

static void actions(void)
{
	struct kernel_sigaction set = {SIG_IGN, 0, 0, 0}, old;
	syscall(SYS_rt_sigaction, SIGUSR1, &set, 0, 8);
	syscall(SYS_rt_sigaction, SIGUSR1, 0, &old, 8);
	set = (struct kernel_sigaction){(void *)0x1000, SA_SIGINFO | SA_RESTART | SA_NODEFER | 0x04000000,
					(void *)0x2000, usr1_term};
	syscall(SYS_rt_sigaction, SIGUSR1, &set, &old, 8);
	syscall(SYS_rt_sigaction, SIGUSR1, 0, &old, 8);
	set = (struct kernel_sigaction){SIG_DFL, SA_NOCLDSTOP | SA_NOCLDWAIT | SA_ONSTACK | SA_RESETHAND | 0x300, 0,
					~usr1_term};
	syscall(SYS_rt_sigaction, SIGUSR1, &set, &old, 8);
	set = (struct kernel_sigaction){(void *)0x1000, 0x8000, (void *)0x2000, 0};
	syscall(SYS_rt_sigaction, SIGUSR1, &set, 0, 8);
	set = (struct kernel_sigaction){SIG_DFL, 0, 0, 0};
	syscall(SYS_rt_sigaction, SIGUSR1, &set, &old, 8);
	syscall(SYS_rt_sigaction, SIGRTMIN + 3, 0, &old, 8);
	syscall(SYS_rt_sigaction, 32, 0, 0, 8);
	syscall(SYS_rt_sigaction, SIGKILL, &set, 0, 8);
	syscall(SYS_rt_sigaction, 99, &set, &old, 8);
	syscall(SYS_rt_sigaction, SIGUSR1, &set, &old, 4);
	syscall(SYS_rt_sigaction, SIGUSR1, BAD, &old, 8);
	syscall(SYS_rt_sigaction, SIGUSR1, 0, BAD, 8);
}

static void masks(void)
{
	uint64_t set = usr1_term, old, all = ~0ULL, some = 0x7ffffffff, many = 0xfffffffffffffffe, one = 1ULL << 31,
		 last = 1ULL << 63;
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, &old, 8);
	syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &set, &old, 8);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, 8);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &some, &old, 8);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &many, &old, 8);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &one, &old, 8);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &last, &old, 8);
	set = 0;
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &set, 0, 8);
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, 0, &old, 8);
	syscall(SYS_rt_sigprocmask, 17, &set, &old, 8);
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, BAD, 0, 8);
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, &old, 4);
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, &old, 16);
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, 0, BAD, 8);
	syscall(SYS_rt_sigpending, &old, 8);
	syscall(SYS_rt_sigpending, &old, 4);
	syscall(SYS_rt_sigpending, &old, 16);
	syscall(SYS_rt_sigpending, BAD, 8);
	syscall(SYS_rt_sigsuspend, BAD, 8);
	syscall(SYS_rt_sigsuspend, &set, 4);
}

static void waiting(void)
{
	uint64_t set = usr1_term | 1ULL << (SIGRTMIN - 1), old;
	siginfo_t info;
	struct timespec none = {0, 0}, bad = {0, 2000000000};
	pid_t pid = getpid();
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, 0, 8);
	syscall(SYS_rt_sigtimedwait, &set, &info, &none, 8);
	syscall(SYS_rt_sigtimedwait, &set, &info, &bad, 8);
	syscall(SYS_rt_sigtimedwait, &set, BAD, BAD, 8);
	syscall(SYS_rt_sigtimedwait, BAD, 0, 0, 8);
	syscall(SYS_rt_sigtimedwait, &set, 0, 0, 4);
	syscall(SYS_kill, pid, SIGUSR1);
	syscall(SYS_rt_sigpending, &old, 8);
	syscall(SYS_rt_sigtimedwait, &set, &info, 0, 8);
	syscall(SYS_tkill, pid, SIGTERM);
	syscall(SYS_rt_sigtimedwait, &set, &info, &none, 8);
	syscall(SYS_tgkill, pid, pid, SIGUSR1);
	syscall(SYS_rt_sigtimedwait, &set, 0, &none, 8);
	memset(&info, 0, sizeof info);
	info.si_code = SI_QUEUE;
	info.si_signo = SIGRTMIN;
	info.si_pid = 11;
	info.si_uid = 12;
	info.si_value.sival_ptr = (void *)0x1234;
	syscall(SYS_rt_sigqueueinfo, pid, SIGRTMIN, &info);
	memset(&info, 0, sizeof info);
	syscall(SYS_rt_sigtimedwait, &set, &info, &none, 8);
	info.si_code = SI_MESGQ;
	info.si_errno = ENOENT;
	info.si_value.sival_ptr = 0;
	syscall(SYS_rt_tgsigqueueinfo, pid, pid, SIGUSR1, &info);
	syscall(SYS_rt_sigtimedwait, &set, &info, &none, 8);
	info.si_code = SI_ASYNCIO;
	syscall(SYS_rt_tgsigqueueinfo, pid, pid, SIGTERM, &info);
	syscall(SYS_rt_sigtimedwait, &set, &info, &none, 8);
	syscall(SYS_rt_sigqueueinfo, pid, SIGRTMIN, BAD);
	syscall(SYS_rt_sigqueueinfo, pid, SIGRTMIN, 0);
	info.si_code = SI_KERNEL;
	syscall(SYS_rt_sigqueueinfo, 1, 99, &info);
	syscall(SYS_rt_tgsigqueueinfo, 0, pid, SIGUSR1, &info);
	syscall(SYS_rt_tgsigqueueinfo, pid, pid, SIGUSR1, BAD);
	set = 0;
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &set, 0, 8);
}

static void sending(void)
{
	pid_t pid = getpid();
	siginfo_t info = {.si_signo = SIGTERM, .si_code = SI_QUEUE};
	int fd = syscall(SYS_pidfd_open, pid, 0);
	syscall(SYS_kill, pid, 0);
	syscall(SYS_kill, pid, 99);
	syscall(SYS_kill, 0x7ffffff0, SIGTERM);
	syscall(SYS_kill, pid, SIGCONT);
	syscall(SYS_kill, pid, SIGURG);
	syscall(SYS_kill, -2000000000, SIGRTMIN);
	syscall(SYS_tkill, 0x7ffffff0, SIGHUP);
	syscall(SYS_tkill, -1, SIGIO);
	syscall(SYS_tkill, pid, 0);
	syscall(SYS_tgkill, pid, pid, 0);
	syscall(SYS_tgkill, pid, 0x7ffffff0, SIGRTMAX);
	syscall(SYS_tgkill, -1, -1, 100);
	syscall(SYS_pidfd_send_signal, fd, 0, 0, 0);
	syscall(SYS_pidfd_send_signal, fd, SIGTERM, &info, 0x300);
	syscall(SYS_pidfd_send_signal, -1, SIGTERM, BAD, 0);
	close(fd);
}

static void stacks(void)
{
	static char memory[16384];
	stack_t stack = {memory, 0, sizeof memory}, old;
	syscall(SYS_sigaltstack, 0, &old);
	syscall(SYS_sigaltstack, &stack, &old);
	stack.ss_flags = SS_DISABLE;
	syscall(SYS_sigaltstack, 0, &old);
	syscall(SYS_sigaltstack, &stack, &old);
	stack.ss_flags = SS_DISABLE | (int)(1U << 31);
	syscall(SYS_sigaltstack, &stack, 0);
	stack.ss_flags = 0x300;
	syscall(SYS_sigaltstack, &stack, 0);
	syscall(SYS_sigaltstack, BAD, 0);
	syscall(SYS_sigaltstack, 0, BAD);
	syscall(SYS_sigaltstack, 0, 0);
}

static void descriptors(void)
{
	uint64_t set = usr1_term, none = 0;
	int fd = syscall(SYS_signalfd4, -1, &set, 8, 02000000 | 04000);
	syscall(SYS_signalfd4, fd, &none, 8, 0);
	syscall(SYS_signalfd, fd, &set, 8);
	syscall(SYS_signalfd, -1, &set, 4);
	syscall(SYS_signalfd4, 99, &set, 8, 02000000);
	syscall(SYS_signalfd4, -1, BAD, 8, 0);
	syscall(SYS_signalfd4, -1, &set, 8, 0x1);
	close(fd);
}

int main(void)
{
	actions();
	masks();
	waiting();
	sending();
	stacks();
	descriptors();
	return 0;
}
