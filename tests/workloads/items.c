/* SPDX-License-Identifier: Apache-2.0 */
/* Makes calls whose arguments point at lists, messages, addresses and structs. If the bytes are not known beforehand,
 * it prints the call's name and the contents of its argument as hex digits. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static void show(const char *name, const void *bytes, size_t size)
{
	printf("%s ", name);
	for (size_t n = 0; n < size; n++)
		printf("%02x", ((const unsigned char *)bytes)[n]);
	printf("\n");
}

static void lists(void)
{
	char first[3], second[400];
	struct iovec out[3] = {{"one", 3}, {"", 0}, {"two\n", 4}}, in[2] = {{first, 3}, {second, 400}}, many[20];
	int ends[2];
	pipe2(ends, O_CLOEXEC);
	show("pipe2", ends, sizeof ends);
	writev(ends[1], out, 3);
	readv(ends[0], in, 2);
	for (int n = 0; n < 20; n++)
		many[n] = (struct iovec){"abcdefghijklmnopqrst" + n, 1};
	writev(ends[1], many, 20);
	syscall(SYS_writev, ends[1], 8, 1);
	char *argv[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", 0};
	syscall(SYS_execve, "/no/such", argv, 0);
	syscall(SYS_execve, "/no/such", argv + 15, 0);
	syscall(SYS_execve, "/no/such", 8, 0);
}

static void messages(void)
{
	int ends[2], fd = 0;
	char text[64], more[8];
	union {
		char bytes[CMSG_SPACE(sizeof fd)];
		struct cmsghdr header;
	} control = {.header = {CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS}}, received;
	memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
	struct iovec out[2] = {{"fd", 2}, {"pass", 4}}, in[2] = {{more, 4}, {text, 64}};
	struct sockaddr_un name = {AF_UNIX, "\0tl-items-test"};
	socklen_t size = sizeof(sa_family_t) + 14;
	struct msghdr sent = {
		.msg_iov = out, .msg_iovlen = 2, .msg_control = control.bytes, .msg_controllen = sizeof control};
	struct msghdr got = {
		.msg_iov = in, .msg_iovlen = 2, .msg_control = received.bytes, .msg_controllen = sizeof received};
	struct sockaddr_un from;
	socklen_t from_size = sizeof from;

	socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
	show("socketpair", ends, sizeof ends);
	sendmsg(ends[0], &sent, 0);
	recvmsg(ends[1], &got, 0);
	show("recvmsg", received.bytes, sizeof received.bytes);
	int bound = socket(AF_UNIX, SOCK_DGRAM, 0), other = socket(AF_UNIX, SOCK_DGRAM, 0);
	bind(bound, (void *)&name, size);
	sendto(bound, "to myself", 9, 0, (void *)&name, size);
	recvfrom(bound, text, 64, 0, (void *)&from, &from_size);
	sent.msg_name = &name;
	sent.msg_namelen = size;
	sent.msg_control = 0;
	sent.msg_controllen = 0;
	sendmsg(other, &sent, 0);
}

static void connections(void)
{
	struct sockaddr_in local = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}}, peer;
	socklen_t size = sizeof local, peer_size = sizeof peer;
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	bind(listener, (void *)&local, sizeof local);
	listen(listener, 1);
	getsockname(listener, (void *)&local, &size);
	show("getsockname", &local, size);
	connect(client, (void *)&local, size);
	struct pollfd polled[2] = {{listener, POLLIN, 0}, {client, POLLOUT, 0}};
	poll(polled, 2, -1);
	show("poll", polled, sizeof polled);
	int connection = accept4(listener, (void *)&peer, &peer_size, SOCK_CLOEXEC);
	show("accept4", &peer, peer_size);
	accept(-1, 0, 0);
	int epoll = epoll_create1(0);
	struct epoll_event wanted = {EPOLLOUT, {.u64 = 0x1234567890}}, ready[4];
	epoll_ctl(epoll, EPOLL_CTL_ADD, connection, &wanted);
	epoll_wait(epoll, ready, 4, -1);
}

static void structs(void)
{
	char bytes[300];
	struct stat status;
	struct statx statx_;
	struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_NO_SYMLINKS};
	struct timespec moment = {0, 1000};
	int ended;
	syscall(SYS_openat2, AT_FDCWD, "/no/such", &how, sizeof how);
	syscall(SYS_stat, "/", &status);
	show("stat", &status, sizeof status);
	syscall(SYS_statx, AT_FDCWD, "/", 0, STATX_ALL, &statx_);
	show("statx", &statx_, sizeof statx_);
	show("getcwd", bytes, syscall(SYS_getcwd, bytes, sizeof bytes) - 1);
	show("readlink", bytes, syscall(SYS_readlink, "/proc/self/exe", bytes, sizeof bytes));
	syscall(SYS_getrandom, bytes, 300, 0);
	show("getrandom", bytes, 300);
	syscall(SYS_memfd_create, "in memory", 0);
	syscall(SYS_nanosleep, &moment, 0);
	syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &moment, 0);
	prctl(PR_SET_NAME, "a new name");
	pid_t child = fork();
	if (child == 0)
		_exit(9);
	syscall(SYS_wait4, child, &ended, 0, 0);
	rename("/no/from", "/no/to");
	symlink("target", "/no/link");
	chmod("/no/such", 0600);
	lchown("/no/such", 1, 2);
	truncate("/no/such", 5);
	setxattr("/no/such", "user.name", "value", 5, 0);
	mount("source", "/no/such", "tmpfs", MS_NOSUID, "size=1m");
	umount2("/no/such", 0);
	chdir("/no/such");
}

int main(void)
{
	lseek(-1, 0x5747, 0); /* earlier calls are the loader's */
	lists();
	messages();
	connections();
	structs();
	return 0;
}
