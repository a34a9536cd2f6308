// SPDX-License-Identifier: Apache-2.0
// A little of everything, with two threads and a child: the test of the comparison itself.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void *blocked(void *fd)
{
	char byte;
	syscall(SYS_read, (long)fd, &byte, 1);
	return NULL;
}

static void handler(int number)
{
	(void)number;
}

int main(void)
{
	int ends[2], status;
	pthread_t thread;

	syscall(SYS_openat, AT_FDCWD, "a.txt", O_RDWR | O_CREAT | O_TRUNC, 0644);
	syscall(SYS_write, 3, "hello\0\1\377\tworld this is more than 32 bytes", 42);
	syscall(SYS_close, 3);
	syscall(SYS_close, 3);
	syscall(SYS_openat, AT_FDCWD, "/nonexistent/x", O_RDONLY);
	syscall(SYS_getpid);
	syscall(SYS_getppid);
	syscall(SYS_pipe2, ends, 0);
	pthread_create(&thread, NULL, blocked, (void *)(long)ends[0]);
	usleep(20000); // long enough to block under both
	syscall(SYS_write, ends[1], "x", 1);
	pthread_join(thread, NULL);
	signal(SIGUSR1, handler);
	syscall(SYS_kill, syscall(SYS_getpid), SIGUSR1);
	if (fork() == 0)
		syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
	syscall(SYS_wait4, -1, &status, 0, NULL);
	return 7;
}
