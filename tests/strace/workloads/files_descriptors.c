// SPDX-License-Identifier: Apache-2.0
// What strace -yy shows of descriptors besides their paths. Each file is looked at with fstat(2), as a trace knows only
// what a call has told; fcntl(fd, F_GETFD) then shows it.
#include "files.h"
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static struct stat told;

static int shown(int fd)
{
	syscall(SYS_fstat, fd, &told);
	return fcntl(fd, F_GETFD);
}

static void devices(void)
{
	int null = open("/dev/null", O_RDWR);
	shown(null);
	write(null, "x", 1);
	shown(open("/dev/null", O_RDONLY)); /* known from its opening on */
	shown(open("/dev/zero", O_RDONLY));
	mknod("disk", S_IFBLK | 0600, 7 << 8 | 0);
	shown(open("disk", O_PATH));
	struct pollfd polled = {null, POLLIN | POLLOUT, 0};
	syscall(SYS_poll, &polled, 1, 0);
}

static int names(void)
{
	int made = open("made", O_CREAT | O_EXCL | O_RDWR, 0600),
	    other = open("other", O_CREAT | O_EXCL | O_RDWR, 0600);
	rename("made", "moved");
	shown(made);
	rename("moved", "other"); /* which loses its name */
	shown(made);
	shown(other);
	unlink("other");
	shown(made);
	make_file("plain", "x"); /* may be a link: O_CREAT follows it */
	int plain = open("plain", O_RDONLY);
	syscall(SYS_newfstatat, AT_FDCWD, "plain", &told, AT_SYMLINK_NOFOLLOW);
	unlink("plain");
	shown(plain);
	symlink("target", "link");
	make_file("target", "x");
	int link = open("link", O_RDONLY);
	unlink("link"); /* the file keeps its name, which the trace does not know */
	shown(link);
	mkdir("d", 0700);
	int d = open("d", O_RDONLY | O_DIRECTORY);
	rename("d", "e");
	shown(d);
	rmdir("e");
	shown(d);
	int memory = syscall(SYS_memfd_create, "m", 0);
	shown(memory);
	return made;
}

static void sockets(int lost)
{
	int ends[2];
	pipe2(ends, O_CLOEXEC);
	shown(ends[0]);
	shown(ends[1]);
	int tcp = socket(AF_INET, SOCK_STREAM, 0);
	shown(tcp);
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(59993), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	bind(tcp, (void *)&at, sizeof at);
	listen(tcp, 1);
	shown(tcp);
	shown(socket(AF_INET6, SOCK_DGRAM, 0));
	int local = socket(AF_UNIX, SOCK_STREAM, 0);
	shown(local);
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "socket"};
	bind(local, (void *)&name, sizeof name);
	listen(local, 1);
	shown(local);
	int pair[2], sent[3] = {lost, tcp, local};
	socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
	char control[CMSG_SPACE(sizeof sent)] = {0};
	struct iovec one = {"x", 1};
	struct msghdr message = {
		.msg_iov = &one, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof sent);
	memcpy(CMSG_DATA(head), sent, sizeof sent);
	syscall(SYS_sendmsg, pair[0], &message, 0);
}

int main(void)
{
	fresh_directory();
	devices();
	sockets(names());
	return 0;
}
