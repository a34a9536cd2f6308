/* SPDX-License-Identifier: Apache-2.0 */
/* Ends by a fault of its own: writes to an address, jumps to one, aborts, or divides by zero. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile int zero;

int main(int count, char **words)
{
	const char *how = count > 1 ? words[1] : "segv";
	fprintf(stderr, "about to %s\n", how);
	if (!strcmp(how, "segv"))
		*(volatile int *)(0x40L + zero) = 1;
	if (!strcmp(how, "jump"))
		((void (*)(void))0x1234)();
	if (!strcmp(how, "abort"))
		abort();
	if (!strcmp(how, "fpe"))
		return 7 / zero;
	return 1;
}
