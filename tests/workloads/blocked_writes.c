/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks argv[1] threads in write(full pipe, unmapped address), prints a line, and ends when its stdin does. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int full[2], begun;

static void *block(void *unused)
{
	__atomic_add_fetch(&begun, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_write, full[1], 8, 100);
	return unused;
}

int main(int argc, char **argv)
{
	int threads = argc > 1 ? atoi(argv[1]) : 1;
	char page[4096] = "";
	pthread_attr_t small;
	pthread_t thread;
	pipe2(full, O_NONBLOCK);
	while (write(full[1], page, sizeof page) > 0)
		;
	fcntl(full[1], F_SETFL, 0);
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 32768);
	for (int n = 0; n < threads; n++)
		if (pthread_create(&thread, &small, block, NULL)) {
			perror("pthread_create");
			return 1;
		}
	while (__atomic_load_n(&begun, __ATOMIC_SEQ_CST) < threads)
		sched_yield();
	puts("blocked");
	fflush(stdout);
	return read(0, page, 1) < 0;
}
