/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks N threads in futex at once, each with arguments of its own, then wakes them all.
 * Prints the address of the words that they wait on, and the sum of their calls' results. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MOST = 10000 };
static uint32_t words[MOST], parked[MOST];
static long result[MOST];

static long futex(uint32_t *word, int operation, uint32_t value, uint64_t fourth, void *fifth, uint32_t sixth)
{
	return syscall(SYS_futex, word, operation, value, fourth, fifth, sixth);
}

static void *wait(void *number)
{
	uintptr_t n = (uintptr_t)number;
	result[n] = futex(&words[n], FUTEX_WAIT_PRIVATE, 7 * n + 1, 0, (void *)(n << 32 | 5), 11 * n + 3);
	return 0;
}

int main(int argc, char **argv)
{
	uintptr_t threads = atoi(argv[1]);
	pthread_attr_t small;
	pthread_t thread[MOST];
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, PTHREAD_STACK_MIN);
	for (uintptr_t n = 0; n < threads; n++) {
		words[n] = 7 * n + 1;
		if (pthread_create(&thread[n], &small, wait, (void *)n))
			return 1;
	}
	/* A thread is blocked if it can be requeued to another word. */
	for (uintptr_t n = 0; n < threads; n++)
		while (futex(&words[n], FUTEX_CMP_REQUEUE_PRIVATE, 0, 1, &parked[n], words[n]) != 1)
			sched_yield();
	for (uintptr_t n = 0; n < threads; n++)
		if (futex(&parked[n], FUTEX_WAKE_PRIVATE, 1, 0, 0, 0) != 1)
			return 2;
	long sum = 0;
	for (uintptr_t n = 0; n < threads; n++) {
		pthread_join(thread[n], 0);
		sum += result[n];
	}
	printf("%lu %ld\n", (unsigned long)words, sum);
	return 0;
}
