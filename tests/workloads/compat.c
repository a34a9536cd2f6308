/* SPDX-License-Identifier: Apache-2.0 */
/* Calls getpid (20), writev (146) with the upper halves of registers set, and number 999 through the 32-bit entry,
 * from a 64-bit program. Then calls getpid through the 64-bit entry. Prints its pid as returned by the 32-bit entry.
 * */
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static long int80(long number, long b, long c, long d)
{
	long result;
	asm volatile("int $0x80"
		     : "=a"(result)
		     : "0"(number), "b"(b), "c"(c), "d"(d)
		     : "r8", "r9", "r10", "r11", "memory");
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
