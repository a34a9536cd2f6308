/* SPDX-License-Identifier: Apache-2.0 */
/* count_calls N CGROUP.PROCS: enters the cgroup, then makes exactly N calls lseek(-1, n, 0) and one exit_group on one
 * CPU. Without libc and signals it makes no other call: a recording has the return of the write that entered, and
 * these. */
#include <linux/sched.h>
#include <sys/syscall.h>

static long call(long number, long a, long b, long c)
{
	long result;
	asm volatile("syscall" : "=a"(result) : "0"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return result;
}

__attribute__((used)) void begin(long *stack)
{
	char **argv = (char **)(stack + 1);
	unsigned long cpu = 1, total = 0;
	for (const char *digit = argv[1]; *digit; digit++)
		total = 10 * total + *digit - '0';
	call(SYS_sched_setaffinity, 0, sizeof cpu, (long)&cpu);
	long fd = call(SYS_open, (long)argv[2], 1, 0);
	if (call(SYS_write, fd, (long)"0", 1) != 1)
		call(SYS_exit_group, 1, 0, 0);
	for (unsigned long n = 0; n < total; n++)
		call(SYS_lseek, -1, n, 0);
	call(SYS_exit_group, 0, 0, 0);
}

asm(".globl _start\n_start: mov %rsp, %rdi\nand $-16, %rsp\ncall begin\n");
