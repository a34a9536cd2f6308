/* SPDX-License-Identifier: Apache-2.0 */
/* Calls execve from a thread that is not its process's leader. Prints the ids of process and thread. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static void *replace(void *unused)
{
	char *argv[] = {"true", "of", "thread", 0}, *environment[] = {0};
	printf("%d %d\n", getpid(), gettid());
	fflush(stdout);
	execve("/bin/true", argv, environment);
	return 0;
}

int main(void)
{
	pthread_t thread;
	pthread_create(&thread, 0, replace, 0);
	pthread_join(thread, 0);
	return 1;
}
