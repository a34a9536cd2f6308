// SPDX-License-Identifier: Apache-2.0
// Limits, resources used, and information about the system.
#define _GNU_SOURCE
#include <sched.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

int main(void)
{
	static struct rlimit limit, old;
	static struct rusage usage;
	static struct sysinfo info;
	static struct utsname name;
	static unsigned cpu, node;

	unsigned long first_cpu = 1; /* the same in each run */
	syscall(SYS_sched_setaffinity, 0L, 8L, &first_cpu);
	syscall(SYS_getrlimit, (long)RLIMIT_STACK, &limit);
	syscall(SYS_getrlimit, (long)RLIMIT_CPU, &limit);
	syscall(SYS_getrlimit, 99L, &limit);
	syscall(SYS_getrlimit, (long)RLIMIT_CORE, 0L);
	limit = (struct rlimit){1000, 2000};
	syscall(SYS_setrlimit, (long)RLIMIT_MSGQUEUE, &limit);
	limit = (struct rlimit){4096, 1 << 30};
	syscall(SYS_setrlimit, (long)RLIMIT_NOFILE, &limit);
	limit = (struct rlimit){3, 2};
	syscall(SYS_setrlimit, (long)RLIMIT_NICE, &limit);
	syscall(SYS_setrlimit, (long)RLIMIT_NICE, 0L);
	limit = (struct rlimit){1024, 10240};
	syscall(SYS_prlimit64, 0L, (long)RLIMIT_CORE, &limit, &old);
	syscall(SYS_prlimit64, 0L, (long)RLIMIT_AS, 0L, &old);
	syscall(SYS_prlimit64, 0L, (long)RLIMIT_DATA, 0L, 0L);
	limit = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
	syscall(SYS_prlimit64, 999999L, (long)RLIMIT_RTTIME, &limit, &old);
	syscall(SYS_prlimit64, 0L, 0x4dL, &limit, &old);
	syscall(SYS_getrusage, (long)RUSAGE_SELF, &usage);
	syscall(SYS_getrusage, (long)RUSAGE_CHILDREN, &usage);
	syscall(SYS_getrusage, (long)RUSAGE_THREAD, &usage);
	syscall(SYS_getrusage, 7L, &usage);
	syscall(SYS_getrusage, (long)RUSAGE_SELF, 0L);
	syscall(SYS_sysinfo, &info);
	syscall(SYS_sysinfo, 0L);
	syscall(SYS_uname, &name);
	syscall(SYS_uname, 0L);
	syscall(SYS_getcpu, &cpu, &node, 0L);
	syscall(SYS_getcpu, &cpu, 0L, 0L);
	syscall(SYS_getcpu, 8L, 0L, 0L);
	syscall(SYS_getpriority, (long)PRIO_PROCESS, 0L);
	syscall(SYS_getpriority, (long)PRIO_USER, 1234567L);
	syscall(SYS_getpriority, 9L, 0L);
	syscall(SYS_setpriority, (long)PRIO_PROCESS, 0L, 5L);
	syscall(SYS_setpriority, (long)PRIO_PGRP, 999999L, -5L);
	syscall(SYS_setpriority, 9L, 0L, 5L);
	syscall(SYS_unshare, (long)CLONE_NEWUTS);
	syscall(SYS_sethostname, "a-recorded-host", 15L);
	syscall(SYS_sethostname, "x", -1L);
	syscall(SYS_sethostname, 8L, 5L);
	syscall(SYS_setdomainname, "a.domain", 8L);
	syscall(SYS_setdomainname, "", 0L);
	syscall(SYS_setdomainname, "y", 1000L);
	syscall(SYS_uname, &name);
	return 0;
}
