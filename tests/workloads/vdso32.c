/* SPDX-License-Identifier: Apache-2.0 */
/* A 32-bit program without libraries: unlinks argv[1] through the vDSO's entry, which uses SYSENTER or SYSCALL. */
#define AT_SYSINFO 32

asm(".globl _start\n_start:\n\tmov %esp, %eax\n\tand $-16, %esp\n\tsub $12, %esp\n\tpush %eax\n\tcall begin\n");

static int call(unsigned long entry, int number, int argument)
{
	int result;
	asm volatile("call *%3" : "=a"(result) : "0"(number), "b"(argument), "r"(entry) : "memory");
	return result;
}

__attribute__((used)) void begin(unsigned long *stack)
{
	unsigned long argc = stack[0], *at = stack + argc + 2, entry = 0;
	while (*at)
		at++;
	for (at++; *at; at += 2)
		if (*at == AT_SYSINFO)
			entry = at[1];
	int status = call(entry, 10 /* unlink */, stack[2]) != 0;
	call(entry, 1 /* exit */, status);
}
