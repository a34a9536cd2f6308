/* SPDX-License-Identifier: Apache-2.0 */
/* Calls cachestat(2), number 451 everywhere, with wrong arguments, and a number that no kernel has. Prints its pid. */
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	if (syscall(451, -1, 0x1000, 0x2000, 7) != -1 || errno != EBADF)
		return 1;
	if (syscall(511, 1, 2, 3, 4, 5, 6) != -1 || errno != ENOSYS)
		return 1;
	printf("%d\n", getpid());
	return 0;
}
