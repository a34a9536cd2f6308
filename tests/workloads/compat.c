/* SPDX-License-Identifier: Apache-2.0 */
/* Calls by the 32-bit entry, from a 64-bit program: getpid (20), writev (146) with upper halves set, and number 999.
 * Then getpid by the 64-bit one. Prints its number as the 32-bit entry gave it. */
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static long int80(long number, long b, long c, long d)
{
	long result;
	asm volatile("int $0x80" : "=a"(result) : "0"(number), "b"(b), "c"(c), "d"(d) : "r8", "r9", "r10", "r11", "memory");
	return result;
}

int main(void)
{
	int pid = int80(20, 0, 0, 0);
	int80(146, 0x700000001, 0x800000000, 0x900000002);
	int80(999, 1, 2, 3);
	printf("%d\n", pid);
	return syscall(SYS_getpid) != pid;
}
