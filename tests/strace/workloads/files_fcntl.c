// SPDX-License-Identifier: Apache-2.0
// Calls fcntl with every command.
#include "files.h"
#include <signal.h>

#define F_CANCELLK 1029

#define FCNTL(...) syscall(SYS_fcntl, __VA_ARGS__)

static void flags(int fd)
{
	FCNTL(fd, F_GETFL);
	FCNTL(fd, F_GETFL, 5);
	FCNTL(99, F_GETFL);
	FCNTL(fd, F_SETFL, O_RDWR | O_APPEND | O_NONBLOCK);
	FCNTL(fd, F_GETFL);
	FCNTL(fd, F_SETFL, 0);
	FCNTL(99, F_SETFL, O_NOATIME | 0x30000000);
	FCNTL(fd, F_GETFD);
	FCNTL(fd, F_SETFD, FD_CLOEXEC);
	FCNTL(fd, F_GETFD);
	FCNTL(fd, F_SETFD, 0);
	FCNTL(99, F_SETFD, 2);
	FCNTL(99, F_SETFD, 3);
	FCNTL(99, F_GETFD);
	FCNTL(fd, F_DUPFD, 20);
	FCNTL(fd, F_DUPFD_CLOEXEC, 30);
	FCNTL(99, F_DUPFD, 0);
	FCNTL(fd, F_DUPFD, -1L);
	FCNTL(20, F_GETFL);
}

static void locks(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 10};
	FCNTL(fd, F_SETLK, &lock);
	FCNTL(fd, F_GETLK, &lock);
	lock = (struct flock){.l_type = F_RDLCK, .l_whence = SEEK_END, .l_start = -5, .l_len = -3};
	FCNTL(fd, F_GETLK, &lock);
	FCNTL(fd, F_SETLKW, &lock);
	lock = (struct flock){.l_type = F_UNLCK, .l_whence = SEEK_CUR, .l_start = 0, .l_len = 0};
	FCNTL(fd, F_SETLK, &lock);
	lock = (struct flock){.l_type = 77, .l_whence = 9, .l_start = 1, .l_len = 2, .l_pid = 5};
	FCNTL(fd, F_SETLK, &lock);
	FCNTL(fd, F_GETLK, &lock);
	FCNTL(99, F_GETLK, &lock);
	FCNTL(fd, F_SETLK, NOWHERE);
	FCNTL(fd, F_SETLK, NULL);
	lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 4, .l_len = 4};
	FCNTL(fd, 37 /* F_OFD_SETLK */, &lock);
	FCNTL(fd, 36 /* F_OFD_GETLK */, &lock);
	FCNTL(fd, 38 /* F_OFD_SETLKW */, NOWHERE);
}

static void owners(int fd)
{
	struct f_owner_ex owner = {1, 0};
	FCNTL(fd, F_SETOWN, 0);
	FCNTL(fd, F_SETOWN, -1L);
	FCNTL(fd, F_SETOWN, 1);
	FCNTL(fd, F_GETOWN);
	FCNTL(fd, F_SETOWN_EX, &owner);
	FCNTL(fd, F_GETOWN_EX, &owner);
	owner = (struct f_owner_ex){9, 3};
	FCNTL(fd, F_SETOWN_EX, &owner);
	FCNTL(fd, F_GETOWN_EX, NOWHERE);
	unsigned int uids[2];
	FCNTL(fd, 17 /* F_GETOWNER_UIDS */, uids);
	FCNTL(fd, 17, NOWHERE);
	FCNTL(fd, F_SETSIG, SIGUSR1);
	FCNTL(fd, F_GETSIG);
	FCNTL(fd, F_SETSIG, 0);
	FCNTL(fd, F_GETSIG);
	FCNTL(fd, F_SETSIG, 200);
	FCNTL(fd, F_SETSIG, 40);
	FCNTL(fd, F_GETSIG);
}

static void rest(int fd)
{
	int pipe[2], memory = syscall(SYS_memfd_create, "m", 2);
	if (pipe2(pipe, 0))
		abort();
	FCNTL(pipe[0], F_SETPIPE_SZ, 65536);
	FCNTL(pipe[0], F_GETPIPE_SZ);
	FCNTL(fd, F_SETPIPE_SZ, -1L);
	FCNTL(fd, F_GETPIPE_SZ);
	FCNTL(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
	FCNTL(memory, F_GET_SEALS);
	FCNTL(memory, F_ADD_SEALS, 0x100);
	FCNTL(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE);
	FCNTL(99, F_GET_SEALS);
	FCNTL(memory, F_ADD_SEALS, 0);
	FCNTL(fd, F_SETLEASE, F_RDLCK);
	FCNTL(fd, F_SETLEASE, F_UNLCK);
	FCNTL(fd, F_SETLEASE, 77);
	FCNTL(fd, F_GETLEASE);
	FCNTL(99, F_GETLEASE);
	FCNTL(fd, F_NOTIFY, DN_ACCESS | DN_CREATE | DN_MULTISHOT);
	FCNTL(fd, F_NOTIFY, 0);
	FCNTL(fd, 0x7777, 0x99);
	FCNTL(fd, F_CANCELLK, 0x99);
	FCNTL(fd, -1L, -1);
}

int main(void)
{
	fresh_directory();
	make_file("a.txt", "hello\n");
	int fd = open("a.txt", O_RDWR);
	flags(fd);
	locks(fd);
	owners(fd);
	rest(fd);
	return 0;
}
