/* SPDX-License-Identifier: Apache-2.0 */
/* Writes to address 0x40 in a function that another one calls, which main calls. With -O0 each has a frame pointer. */
#include <stdio.h>

int zero;

__attribute__((noinline)) static int inner(int n)
{
	*(volatile int *)(0x40L + zero) = n;
	return n + 1;
}

__attribute__((noinline)) static int outer(int n)
{
	return inner(n + 1) * 3;
}

int main(void)
{
	return outer(zero) + 7;
}
