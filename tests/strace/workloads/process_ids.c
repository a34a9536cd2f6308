// SPDX-License-Identifier: Apache-2.0
// Credentials: users, groups, sessions, capabilities.
#define _GNU_SOURCE
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

static unsigned ids[3], groups[40];

static void capabilities(unsigned version)
{
	struct __user_cap_header_struct header = {version, 0};
	struct __user_cap_data_struct data[2] = {0};
	syscall(SYS_capget, &header, data);
	data[0].effective = data[0].permitted;
	syscall(SYS_capset, &header, data);
}

int main(void)
{
	syscall(SYS_getuid);
	syscall(SYS_getgid);
	syscall(SYS_geteuid);
	syscall(SYS_getegid);
	syscall(SYS_getresuid, &ids[0], &ids[1], &ids[2]);
	syscall(SYS_getresgid, &ids[0], &ids[1], &ids[2]);
	syscall(SYS_getresuid, 0L, &ids[1], &ids[2]);
	syscall(SYS_setfsuid, 65534L);
	syscall(SYS_setfsuid, -1L);
	syscall(SYS_setfsgid, 65534L);
	syscall(SYS_setfsgid, -1L);
	syscall(SYS_getgroups, 0L, 0L);
	syscall(SYS_getgroups, 40L, groups);
	syscall(SYS_setgroups, 0L, 0L);
	syscall(SYS_getgroups, 0L, 0L);
	syscall(SYS_getgroups, 40L, groups);
	for (int n = 0; n < 40; n++)
		groups[n] = 100 + n;
	syscall(SYS_setgroups, 3L, groups);
	syscall(SYS_getgroups, 40L, groups);
	syscall(SYS_getgroups, 1L, groups);
	syscall(SYS_setgroups, 40L, groups);
	syscall(SYS_getgroups, 40L, groups);
	syscall(SYS_getgroups, -1L, groups);
	syscall(SYS_setgroups, -1L, groups);
	syscall(SYS_setgroups, 2L, 0L);
	syscall(SYS_getpgid, 0L);
	syscall(SYS_getpgid, 999999L);
	syscall(SYS_getpgrp);
	syscall(SYS_getsid, 0L);
	syscall(SYS_getsid, 999999L);
	syscall(SYS_setpgid, 0L, 0L);
	syscall(SYS_setpgid, 999999L, 1L);
	syscall(SYS_setsid);
	if (!fork()) {
		syscall(SYS_setsid);
		syscall(SYS_setregid, -1L, 1000L);
		syscall(SYS_setresgid, -1L, 1000L, 1001L);
		syscall(SYS_setgid, 1000L);
		syscall(SYS_setreuid, -1L, -1L);
		syscall(SYS_setresuid, 1000L, 1000L, 0L);
		syscall(SYS_setuid, 1000L);
		syscall(SYS_setuid, 1234L);
		syscall(SYS_setgid, -1L);
		syscall(SYS_setresuid, 5L, 6L, 7L);
		syscall(SYS_setresgid, 5L, 6L, 7L);
		syscall(SYS_setreuid, 5L, 6L);
		syscall(SYS_setregid, 5L, 6L);
		syscall(SYS_setgroups, 1L, groups);
		return 0;
	}
	syscall(SYS_wait4, -1L, 0L, 0L, 0L);
	capabilities(_LINUX_CAPABILITY_VERSION_3);
	capabilities(_LINUX_CAPABILITY_VERSION_1);
	capabilities(0x12345678);
	struct __user_cap_header_struct other = {_LINUX_CAPABILITY_VERSION_3, 999999};
	syscall(SYS_capget, &other, 0L);
	syscall(SYS_capget, 0L, 0L);
	return 0;
}
