/* SPDX-License-Identifier: Apache-2.0 */
/* Kills itself with SIGKILL while a thread is blocked in futex. Prints the thread's id. */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint32_t word = 77, parked;

static void *block(void *unused)
{
	printf("%d\n", gettid());
	fflush(stdout);
	syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 77, 0, 0, 0);
	return 0;
}

int main(void)
{
	pthread_t thread;
	pthread_create(&thread, 0, block, 0);
	while (syscall(SYS_futex, &word, FUTEX_CMP_REQUEUE_PRIVATE, 0, 1, &parked, 77) != 1)
		sched_yield();
	kill(getpid(), SIGKILL);
	return 0;
}
