// SPDX-License-Identifier: Apache-2.0
// prctl and related calls: a thread's own settings.
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <linux/prctl.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <linux/filter.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

static long option(long number, long second, long third, long fourth, long fifth)
{
	return syscall(SYS_prctl, number, second, third, fourth, fifth);
}

int main(void)
{
	static char name[16];
	static int number;
	static unsigned long word;

	option(PR_SET_NAME, (long)"recorded", 0, 0, 0);
	option(PR_SET_NAME, (long)"a name that is far too long", 0, 0, 0);
	option(PR_GET_NAME, (long)name, 0, 0, 0);
	option(PR_SET_NAME, 8, 0, 0, 0);
	option(PR_SET_PDEATHSIG, 15, 0, 0, 0);
	option(PR_SET_PDEATHSIG, 99, 0, 0, 0);
	option(PR_GET_PDEATHSIG, (long)&number, 0, 0, 0);
	option(PR_GET_DUMPABLE, 0, 0, 0, 0);
	option(PR_SET_DUMPABLE, 0, 0, 0, 0);
	option(PR_SET_DUMPABLE, 1, 0, 0, 0);
	option(PR_SET_DUMPABLE, 7, 0, 0, 0);
	option(PR_GET_KEEPCAPS, 0, 0, 0, 0);
	option(PR_SET_KEEPCAPS, 1, 0, 0, 0);
	option(PR_GET_TIMING, 0, 0, 0, 0);
	option(PR_SET_TIMING, 0, 0, 0, 0);
	option(PR_GET_SECCOMP, 0, 0, 0, 0);
	option(PR_CAPBSET_READ, 21, 0, 0, 0);
	option(PR_CAPBSET_READ, 99, 0, 0, 0);
	option(PR_CAPBSET_DROP, 99, 0, 0, 0);
	option(PR_GET_TSC, (long)&number, 0, 0, 0);
	option(PR_SET_TSC, PR_TSC_ENABLE, 0, 0, 0);
	option(PR_GET_SECUREBITS, 0, 0, 0, 0);
	option(PR_SET_SECUREBITS, 5, 0, 0, 0);
	option(PR_SET_TIMERSLACK, 50000, 0, 0, 0);
	option(PR_GET_TIMERSLACK, 0, 0, 0, 0);
	option(PR_TASK_PERF_EVENTS_DISABLE, 0, 0, 0, 0);
	option(PR_TASK_PERF_EVENTS_ENABLE, 0, 0, 0, 0);
	option(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0);
	option(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 0, 0, 0);
	option(PR_MCE_KILL_GET, 0, 0, 0, 0);
	option(PR_SET_MM, PR_SET_MM_BRK, 0, 0, 0);
	option(PR_SET_MM, PR_SET_MM_EXE_FILE, -1, 0, 0);
	option(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	option(PR_GET_CHILD_SUBREAPER, (long)&number, 0, 0, 0);
	option(PR_GET_TID_ADDRESS, (long)&word, 0, 0, 0);
	option(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	option(PR_GET_THP_DISABLE, 0, 0, 0, 0);
	option(PR_SET_FP_MODE, 1, 0, 0, 0);
	option(PR_GET_FP_MODE, 0, 0, 0, 0);
	option(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 12, 0, 0);
	option(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 12, 0, 0);
	option(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	option(PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, 0, 0, 0);
	option(PR_GET_SPECULATION_CTRL, 9, 0, 0, 0);
	option(PR_SET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, PR_SPEC_ENABLE, 0, 0);
	option(PR_SET_SPECULATION_CTRL, PR_SPEC_INDIRECT_BRANCH, 0x40, 0, 0);
	option(PR_SET_IO_FLUSHER, 0, 0, 0, 0);
	option(PR_GET_IO_FLUSHER, 0, 0, 0, 0);
	option(PR_SET_VMA, PR_SET_VMA_ANON_NAME, 4096, 4096, (long)"label");
	option(PR_SET_VMA, 7, 1, 2, 3);
	option(PR_SET_PTRACER, 1, 0, 0, 0);
	option(PR_SET_PTRACER, -1, 0, 0, 0);
	option(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0);
	option(PR_SCHED_CORE, PR_SCHED_CORE_GET, 0, 0, (long)&word);
	option(PR_PAC_RESET_KEYS, 3, 0, 0, 0);
	option(PR_SVE_GET_VL, 0, 0, 0, 0);
	option(PR_SET_UNALIGN, 1, 0, 0, 0);
	option(PR_GET_UNALIGN, (long)&number, 0, 0, 0);
	option(PR_SET_FPEMU, 1, 0, 0, 0);
	option(PR_SET_ENDIAN, 0, 0, 0, 0);
	option(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	option(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0);
	option(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	option(12345, 1, 2, 3, 0x4567);

	syscall(SYS_arch_prctl, (long)ARCH_GET_FS, &word);
	syscall(SYS_arch_prctl, (long)ARCH_SET_GS, 0x1234L);
	syscall(SYS_arch_prctl, (long)ARCH_GET_GS, &word);
	syscall(SYS_arch_prctl, (long)ARCH_GET_CPUID, 0L);
	syscall(SYS_arch_prctl, (long)ARCH_SET_CPUID, 1L);
	syscall(SYS_arch_prctl, 0x3001L, 0x1L);
	syscall(SYS_arch_prctl, 0x9999L, 0x1234L);
	syscall(SYS_personality, 0xffffffffL);
	syscall(SYS_personality, 0x0040000L);
	syscall(SYS_personality, 0xffffffffL);
	syscall(SYS_personality, 0L);
	syscall(SYS_personality, 0x5000008L);
	syscall(SYS_personality, 0L);

	struct sock_filter code[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
	struct sock_fprog program = {1, code};
	unsigned action = SECCOMP_RET_LOG;
	syscall(SYS_seccomp, (long)SECCOMP_GET_ACTION_AVAIL, 0L, &action);
	syscall(SYS_seccomp, (long)SECCOMP_SET_MODE_FILTER, (long)SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG,
		&program);
	syscall(SYS_seccomp, (long)SECCOMP_SET_MODE_FILTER, 0x100L, 0L);
	syscall(SYS_seccomp, (long)SECCOMP_SET_MODE_STRICT, 1L, 0L);
	syscall(SYS_seccomp, 99L, 0L, 0L);
	option(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, (long)&program, 0, 0);
	option(PR_SET_SECCOMP, 9, 0, 0, 0);
	return 0;
}
