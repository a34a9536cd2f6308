// SPDX-License-Identifier: Apache-2.0
// Namespaces, and descriptors, comparison and tracing of processes.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <unistd.h>

int main(void)
{
	long self = syscall(SYS_getpid);
	syscall(SYS_unshare, (long)CLONE_FILES | CLONE_FS);
	syscall(SYS_unshare, (long)CLONE_NEWUTS | CLONE_NEWIPC);
	syscall(SYS_unshare, 0x1L);
	syscall(SYS_unshare, 0L);
	long name = syscall(SYS_openat, (long)AT_FDCWD, "/proc/self/ns/uts", (long)O_RDONLY | O_CLOEXEC, 0L);
	syscall(SYS_setns, name, (long)CLONE_NEWUTS);
	syscall(SYS_setns, name, (long)CLONE_NEWNET);
	syscall(SYS_setns, name, 0L);
	syscall(SYS_setns, -1L, 0x1L);
	long pidfd = syscall(SYS_pidfd_open, self, 0L);
	syscall(SYS_pidfd_open, self, (long)O_NONBLOCK);
	syscall(SYS_pidfd_open, 999999L, 0L);
	syscall(SYS_pidfd_open, -1L, 0x1L);
	syscall(SYS_pidfd_getfd, pidfd, 1L, 0L);
	syscall(SYS_pidfd_getfd, pidfd, 99L, 0L);
	syscall(SYS_pidfd_getfd, -1L, 1L, 1L);
	syscall(SYS_kcmp, self, self, (long)KCMP_FILE, 1L, 1L);
	syscall(SYS_kcmp, self, self, (long)KCMP_FILE, 1L, 99L);
	syscall(SYS_kcmp, self, self, (long)KCMP_VM, 1L, 2L);
	syscall(SYS_kcmp, self, 999999L, (long)KCMP_FS, 0L, 0L);
	syscall(SYS_kcmp, self, self, 99L, 1L, 2L);
	syscall(SYS_ptrace, (long)PTRACE_ATTACH, 999999L, 0L, 0L);
	syscall(SYS_ptrace, (long)PTRACE_PEEKDATA, 999999L, 0x1000L, 0x2000L);
	syscall(SYS_ptrace, (long)PTRACE_CONT, 999999L, 0L, (long)SIGUSR1);
	syscall(SYS_ptrace, (long)PTRACE_SEIZE, 999999L, 0L, (long)PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL);
	syscall(SYS_ptrace, (long)PTRACE_SETOPTIONS, 999999L, 0L, (long)PTRACE_O_TRACESYSGOOD);
	syscall(SYS_ptrace, (long)PTRACE_GETREGS, 999999L, 0L, 0x1000L);
	syscall(SYS_ptrace, 0x9999L, 999999L, 1L, 2L);
	return 0;
}
