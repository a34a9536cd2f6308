/* SPDX-License-Identifier: Apache-2.0 */
/* ends HOW: ends its process in the given way. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_t leader;

static void *after_the_leader(void *how)
{
	pthread_join(leader, 0);
	if (!strcmp(how, "thread-exits-group"))
		exit(3);
	syscall(SYS_exit, 4); /* the process's exit status since Linux 5.19; the leader's before */
	return 0;
}

int main(int argc, char **argv)
{
	const char *how = argv[1];
	pthread_t thread;
	if (!strcmp(how, "exit"))
		exit(7);
	if (!strcmp(how, "segv"))
		*(volatile int *)8 = 0;
	if (!strcmp(how, "abort"))
		abort();
	leader = pthread_self();
	pthread_create(&thread, 0, after_the_leader, argv[1]);
	syscall(SYS_exit, 5);
	return 0;
}
