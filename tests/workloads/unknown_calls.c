/* SPDX-License-Identifier: Apache-2.0 */
/* Calls numbers that no kernel has, with six arguments each, and one through the 32-bit entry. Prints its pid. */
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	static const long numbers[] = {9999, 511, 512, 4095, 0xdeadbeef, -1};
	for (int n = 0; n < 6; n++)
		if (syscall(numbers[n], 1, 2, 3, 0x123456789abcdef0, 5, 6) != -1 || errno != ENOSYS)
			return 1;
	printf("%d\n", getpid());
	return 0;
}
