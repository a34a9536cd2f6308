/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes a request of each kind by io_uring, in the directory argv[1], and prints for each what the recorder has to show:
 * its name, a tab, its result, a tab, and what its line contains. argv[2] is "sqpoll" to have them polled. Ends with
 * status 77 where the kernel has no io_uring for it.
 */
#include "uring.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define BIND 56 /* since Linux 6.11 */
#define LISTEN 57

static struct uring ring;

static int told(const char *name, const char *shown)
{
	int result = run(&ring);
	printf("%s\t%d\t%s\n", name, result, shown);
	return result;
}

static struct io_uring_sqe *request(int opcode, int fd, const void *addr, unsigned len, uint64_t off)
{
	struct io_uring_sqe *sqe = next(&ring, opcode, 0x1000 + ring.put);
	sqe->fd = fd;
	sqe->addr = (uintptr_t)addr;
	sqe->len = len;
	sqe->off = off;
	return sqe;
}

static int supports(int opcode)
{
	char memory[sizeof(struct io_uring_probe) + 256 * sizeof(struct io_uring_probe_op)];
	memset(memory, 0, sizeof memory);
	struct io_uring_probe *probe = (struct io_uring_probe *)memory;
	if (syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_PROBE, probe, 256) < 0)
		fail("IORING_REGISTER_PROBE");
	return opcode <= probe->last_op && probe->ops[opcode].flags & IO_URING_OP_SUPPORTED;
}

static void files(void)
{
	static char buffer[64];
	static struct statx stats;
	request(IORING_OP_OPENAT, AT_FDCWD, "missing", 0, 0)->open_flags = O_RDONLY;
	told("openat", "\"missing\", O_RDONLY");
	request(IORING_OP_OPENAT, AT_FDCWD, "", 0, 0)->open_flags = O_RDONLY;
	told("openat", "\"\", O_RDONLY");
	request(IORING_OP_MKDIRAT, AT_FDCWD, "directory", 0750, 0);
	told("mkdirat", "AT_FDCWD, \"directory\", 0750");
	request(IORING_OP_OPENAT, AT_FDCWD, "directory/file", 0640, 0)->open_flags = O_RDWR | O_CREAT | O_CLOEXEC;
	int fd = told("openat", "\"directory/file\", O_RDWR|O_CREAT|O_CLOEXEC, 0640");
	request(IORING_OP_WRITE, fd, "written by a request", 20, 0);
	told("write", "\"written by a request\", 20, 0");
	struct iovec parts[] = {{"one", 3}, {"two", 3}};
	request(IORING_OP_WRITEV, fd, parts, 2, 20);
	told("writev", "[{iov_base=\"one\", iov_len=3}, {iov_base=\"two\", iov_len=3}], 2, 20");
	request(IORING_OP_READ, fd, buffer, sizeof buffer, 8);
	told("read", "\"by a requestonetwo\", 64, 8");
	request(IORING_OP_FSYNC, fd, NULL, 0, 0);
	told("fsync", "0, 0, 0");
	request(IORING_OP_FALLOCATE, fd, (void *)4096, 0, 0);
	told("fallocate", "0, 0, 4096");
	request(IORING_OP_STATX, AT_FDCWD, "directory/file", STATX_SIZE, (uintptr_t)&stats)->statx_flags = 0;
	told("statx", "\"directory/file\", ");
	request(IORING_OP_RENAMEAT, AT_FDCWD, "directory/file", AT_FDCWD, (uintptr_t) "directory/renamed");
	told("renameat2", "\"directory/file\", AT_FDCWD, \"directory/renamed\"");
	request(IORING_OP_LINKAT, AT_FDCWD, "directory/renamed", AT_FDCWD, (uintptr_t) "directory/linked");
	told("linkat", "\"directory/renamed\", AT_FDCWD, \"directory/linked\"");
	request(IORING_OP_SYMLINKAT, AT_FDCWD, "to/nowhere", 0, (uintptr_t) "directory/symbolic");
	told("symlinkat", "\"to/nowhere\", AT_FDCWD, \"directory/symbolic\"");
	request(IORING_OP_UNLINKAT, AT_FDCWD, "directory/linked", 0, 0);
	told("unlinkat", "\"directory/linked\", 0");
	request(IORING_OP_UNLINKAT, AT_FDCWD, "directory", 0, 0)->unlink_flags = AT_REMOVEDIR;
	told("unlinkat", "\"directory\", AT_REMOVEDIR");
	struct {
		uint64_t flags, mode, resolve;
	} how = {O_RDONLY, 0, 0x08}; /* RESOLVE_BENEATH */
	request(IORING_OP_OPENAT2, AT_FDCWD, "/etc/hostname", sizeof how, (uintptr_t)&how);
	told("openat2", "RESOLVE_BENEATH");
	request(IORING_OP_CLOSE, fd, NULL, 0, 0);
	told("close", "");
	request(IORING_OP_CLOSE, fd, NULL, 0, 0);
	told("close", "");
}

static void sockets(void)
{
	static char buffer[64];
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM, 0), other = socket(AF_INET, SOCK_STREAM, 0);
	address.sin_port = htons(1);
	request(IORING_OP_CONNECT, other, &address, 0, size);
	told("connect", "sin_port=htons(1), sin_addr=inet_addr(\"127.0.0.1\")");
	if (supports(IORING_OP_SOCKET)) {
		request(IORING_OP_SOCKET, AF_INET, NULL, 0, SOCK_STREAM);
		close(told("socket", "AF_INET, SOCK_STREAM, IPPROTO_IP"));
	}
	address.sin_port = 0;
	if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &size))
		fail("listen");
	if (supports(BIND)) {
		struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		request(BIND, other, &any, 0, sizeof any);
		told("bind", "sin_port=htons(0), sin_addr=inet_addr(\"127.0.0.1\")");
		request(LISTEN, other, NULL, 5, 0);
		told("listen", "5");
	}
	int datagrams = socket(AF_INET, SOCK_DGRAM, 0);
	request(IORING_OP_SEND, datagrams, "datagram", 8, (uintptr_t)&address)->addr_len = size;
	told("sendto", "\"datagram\", 8, 0, {sa_family=AF_INET, sin_port=htons(");
	int client = socket(AF_INET, SOCK_STREAM, 0);
	request(IORING_OP_CONNECT, client, &address, 0, size);
	told("connect", "sin_addr=inet_addr(\"127.0.0.1\")");
	struct sockaddr_in peer;
	socklen_t peer_size = sizeof peer;
	request(IORING_OP_ACCEPT, listener, &peer, 0, (uintptr_t)&peer_size)->accept_flags = SOCK_CLOEXEC;
	int server = told("accept4", "sin_addr=inet_addr(\"127.0.0.1\")");
	request(IORING_OP_SEND, client, "sent", 4, 0)->msg_flags = MSG_NOSIGNAL;
	told("sendto", "\"sent\", 4, 0");
	request(IORING_OP_RECV, server, buffer, sizeof buffer, 0);
	told("recvfrom", "\"sent\", 64, 0");
	struct iovec part = {"in a message", 12};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	request(IORING_OP_SENDMSG, server, &message, 1, 0);
	told("sendmsg", "iov_base=\"in a message\"");
	struct iovec room = {buffer, sizeof buffer};
	struct msghdr received = {.msg_iov = &room, .msg_iovlen = 1};
	request(IORING_OP_RECVMSG, client, &received, 1, 0);
	told("recvmsg", "iov_base=\"in a message\"");
	request(IORING_OP_SHUTDOWN, client, NULL, SHUT_WR, 0);
	told("shutdown", "SHUT_WR");
}

static void others(void)
{
	request(IORING_OP_NOP, -1, NULL, 0, 0);
	told("nop", "");
	struct {
		int64_t seconds, nanoseconds;
	} time = {0, 1000000};
	request(IORING_OP_TIMEOUT, -1, &time, 1, 0);
	told("timeout", "{tv_sec=0, tv_nsec=1000000}, 0, 0");
	int ends[2];
	if (pipe(ends) || write(ends[1], "x", 1) != 1)
		fail("pipe");
	request(IORING_OP_POLL_ADD, ends[0], NULL, 0, 0)->poll32_events = POLLIN;
	told("poll_add", "POLLIN");
	int epoll = epoll_create1(0);
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 7};
	request(IORING_OP_EPOLL_CTL, epoll, &event, EPOLL_CTL_ADD, ends[0]);
	told("epoll_ctl", "EPOLL_CTL_ADD, ");
	request(IORING_OP_READ, 999, NULL, 1, 0);
	told("read", "999, NULL, 1, 0");
	request(200, 5, NULL, 0, 0);
	told("opcode_200", "");
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2 || chdir(argv[1]))
		fail("chdir");
	ring = set_up(8, argc > 2 && !strcmp(argv[2], "sqpoll") ? IORING_SETUP_SQPOLL : 0);
	files();
	sockets();
	others();
	return 0;
}
