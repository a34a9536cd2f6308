/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes to address 0x40 in a function that another one calls, which main calls. With -O0 each has a frame pointer. "wait":
 * says that it is ready, and waits there for a signal.
 */
#include <stdio.h>
#include <unistd.h>

int zero, waits;

__attribute__((noinline)) static int inner(int n)
{
	if (waits) {
		puts("ready");
		fflush(stdout);
		return pause();
	}
	*(volatile int *)(0x40L + zero) = n;
	return n + 1;
}

__attribute__((noinline)) static int outer(int n)
{
	return inner(n + 1) * 3;
}

int main(int count, char **words)
{
	waits = count > 1 && words[1][0] == 'w';
	return outer(zero) + 7;
}
