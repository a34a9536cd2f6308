/* SPDX-License-Identifier: Apache-2.0
 *
 * A server's mix of system calls, for our recorder and for other tracers: "mixed ROUNDS" makes the 20 calls below ROUNDS
 * times, with paths, buffers, flags, structs and errors to print.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CALLS 20 /* the same as _CALLS in bench/decoding.py */
#define BUFFER 64
#define PAGE 4096
#define SIGSET 8

int main(int argc, char **argv)
{
	static char buffer[BUFFER] = "GET /index.html HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n";
	static const struct sockaddr_un nowhere = {AF_UNIX, "/run/mixed-nowhere.sock"};
	int pair[2];

	if (argc != 2 || socketpair(AF_UNIX, SOCK_DGRAM, 0, pair)) {
		fprintf(stderr, "usage: mixed ROUNDS\n");
		return 2;
	}
	for (int i = atoi(argv[1]); i > 0; i--) {
		struct timespec now;
		struct stat status;
		unsigned long set = 1 << (SIGUSR1 - 1);
		struct iovec parts[] = {{buffer, 3}, {buffer + 4, 11}};
		struct pollfd polled[] = {{pair[1], POLLIN, 0}, {pair[0], POLLIN, 0}};

		syscall(SYS_getppid);
		int fd = syscall(SYS_openat, AT_FDCWD, "/dev/zero", O_RDWR | O_CLOEXEC, 0);
		syscall(SYS_openat, AT_FDCWD, "/etc/no-such-file", O_RDONLY | O_CLOEXEC, 0);
		syscall(SYS_newfstatat, AT_FDCWD, "/etc/passwd", &status, 0);
		syscall(SYS_fstat, fd, &status);
		syscall(SYS_access, "/etc/ld.so.preload", R_OK);
		syscall(SYS_write, fd, buffer, BUFFER);
		syscall(SYS_read, fd, buffer + 32, 16);
		syscall(SYS_lseek, fd, 0, SEEK_SET);
		syscall(SYS_writev, fd, parts, 2);
		void *page = (void *)syscall(SYS_mmap, NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
					     -1, 0L);
		syscall(SYS_munmap, page, PAGE);
		syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, SIGSET);
		syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
		syscall(SYS_sendto, pair[0], buffer, 32, MSG_DONTWAIT, NULL, 0);
		syscall(SYS_poll, polled, 2, 0);
		syscall(SYS_recvfrom, pair[1], buffer, 32, MSG_DONTWAIT, NULL, NULL);
		syscall(SYS_connect, pair[0], &nowhere, sizeof nowhere);
		syscall(SYS_fcntl, fd, F_GETFL);
		syscall(SYS_close, fd);
	}
	return 0;
}
