/* SPDX-License-Identifier: Apache-2.0 */
/* Renames a thread by itself, then from another thread through /proc. It calls lseek with a number after each name. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

static pid_t main_tid;

static void *rename_it(void *unused)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/self/task/%d/comm", main_tid);
	int fd = open(path, O_WRONLY);
	return (void *)(long)(write(fd, "by-another", 10) != 10);
}

int main(void)
{
	pthread_t thread;
	void *failed;
	main_tid = gettid();
	lseek(-1, 1, 0);
	prctl(PR_SET_NAME, "by-itself");
	lseek(-1, 2, 0);
	pthread_create(&thread, 0, rename_it, 0);
	pthread_join(thread, &failed);
	lseek(-1, 3, 0);
	return failed != 0;
}
