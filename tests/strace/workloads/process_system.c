// SPDX-License-Identifier: Apache-2.0
// The system as a whole: calls that are refused without harm, and queries.
#define _GNU_SOURCE
#include <linux/reboot.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	static char buffer[64], argument[16];
	argument[0] = 'x'; /* keeps the page in memory, as the kernel does not read it */

	syscall(SYS_reboot, 1L, 2L, (long)LINUX_REBOOT_CMD_RESTART, 0L);
	syscall(SYS_reboot, (long)LINUX_REBOOT_MAGIC1, 5L, (long)LINUX_REBOOT_CMD_CAD_OFF, 0L);
	syscall(SYS_reboot, (long)LINUX_REBOOT_MAGIC1, 3L, (long)LINUX_REBOOT_CMD_RESTART2, argument);
	syscall(SYS_swapon, "/no/such", (long)SWAP_FLAG_PREFER | 3 | SWAP_FLAG_DISCARD);
	syscall(SYS_swapon, "/no/such", 0L);
	syscall(SYS_swapoff, "/no/such");
	syscall(SYS_acct, "/no/such");
	syscall(SYS_delete_module, "no_such_module", 04000L);
	syscall(SYS_delete_module, "no_such_module", 05000L);
	syscall(SYS_init_module, "abc", 3L, "key=value");
	syscall(SYS_init_module, 0L, 0L, "");
	syscall(SYS_finit_module, -1L, "key=value", 3L);
	syscall(SYS_finit_module, -1L, "", 0x10L);
	syscall(SYS_kexec_load, 0L, 1L, 0L, 0xff000000L);
	syscall(SYS_kexec_load, 4096L, 99L, 0L, 0x3e0001L);
	syscall(SYS_kexec_file_load, -1L, -1L, 8L, "cmdline", 0x40L);
	syscall(SYS_kexec_file_load, -1L, -1L, 0L, 0L, 0x6L);
	syscall(SYS_syslog, 10L, 0L, 0L);
	syscall(SYS_syslog, 3L, buffer, -1L);
	syscall(SYS_syslog, 99L, 0L, 0L);
	syscall(SYS_syslog, 8L, 0L, 99L);
	syscall(SYS_getrandom, buffer, 8L, 0L);
	syscall(SYS_getrandom, buffer, 40L, 1L);
	syscall(SYS_getrandom, buffer, 8L, 0x17L);
	syscall(SYS_getrandom, 8L, 8L, 2L);
	syscall(SYS_iopl, 9L);
	syscall(SYS_ioperm, 0x100000L, 1L, 1L);
	syscall(SYS_modify_ldt, 0L, buffer, 64L);
	syscall(SYS_sysfs, 3L, 0L, 0L);
	syscall(SYS_sysfs, 1L, "tmpfs", 0L);
	syscall(SYS_sysfs, 2L, 0L, buffer);
	syscall(SYS_lookup_dcookie, 1L, buffer, 64L);
	syscall(SYS_sync);
	return 0;
}
