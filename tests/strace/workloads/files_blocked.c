// SPDX-License-Identifier: Apache-2.0
// Calls that wait for data, for room, for locks or for a file's other end, so that their lines are split in two.
#include "files.h"
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

// Gives the other process time to wait in its call.
static void later(void)
{
	struct timespec pause = {0, 20000000};
	nanosleep(&pause, NULL);
}

int main(void)
{
	char buffer[100];
	struct iovec in[] = {{buffer, 3}, {buffer + 3, 90}};
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 5};
	struct open_how how = {.flags = O_RDONLY};
	int go[2], data[2], spliced[2];
	fresh_directory();
	make_file("a", "text");
	if (pipe2(data, 0) || pipe2(spliced, 0) || pipe2(go, 0) || mkfifo("fifo", 0600) || mkfifo("fifo2", 0600))
		abort();
	int fd = open("a", O_RDWR);
	syscall(SYS_fcntl, fd, F_SETLK, &lock);
	syscall(SYS_flock, fd, LOCK_EX);
	pid_t child = fork();
	if (!child) {
		int other = open("a", O_RDWR);
		syscall(SYS_write, go[1], "1", 1);
		syscall(SYS_fcntl, other, F_SETLKW, &lock);
		syscall(SYS_flock, other, LOCK_EX);
		later();
		syscall(SYS_write, data[1], "hello", 5);
		later();
		syscall(SYS_write, data[1], "hello again", 11);
		later();
		syscall(SYS_write, data[1], "and more", 8);
		later();
		syscall(SYS_open, "fifo", O_WRONLY, 0);
		later();
		syscall(SYS_open, "fifo2", O_WRONLY, 0);
		_exit(0);
	}
	syscall(SYS_read, go[0], buffer, 1);
	later();
	lock.l_type = F_UNLCK;
	syscall(SYS_fcntl, fd, F_SETLK, &lock);
	later();
	syscall(SYS_flock, fd, LOCK_UN);
	syscall(SYS_read, data[0], buffer, sizeof buffer);
	syscall(SYS_readv, data[0], in, 2);
	syscall(SYS_splice, data[0], NULL, spliced[1], NULL, 100, 0);
	syscall(SYS_open, "fifo", O_RDONLY, 0);
	syscall(SYS_openat2, AT_FDCWD, "fifo2", &how, sizeof how);
	waitpid(child, NULL, 0);
	return 0;
}
