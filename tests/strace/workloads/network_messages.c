/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages over socketpairs and the loopback: buffers, vectors, addresses, descriptors and credentials.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static char buffer[512], control[512], text[] = "The quick brown fox jumps over the lazy dog.";
static struct sockaddr_in here = {.sin_family = AF_INET}, from;

static int udp(int port)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	here.sin_port = htons(port);
	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	bind(fd, (struct sockaddr *)&here, sizeof here);
	return fd;
}

static void loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	ioctl(fd, SIOCSIFFLAGS, &request);
	close(fd);
}

static void plain(int left, int right)
{
	socklen_t length;
	int a = udp(5001), b = udp(5002);

	syscall(SYS_sendto, left, "hello\n", 6, 0, NULL, 0);
	syscall(SYS_recvfrom, right, buffer, sizeof buffer, 0, NULL, NULL);
	syscall(SYS_sendto, left, text, sizeof text, MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);
	syscall(SYS_recvfrom, right, buffer, 10, MSG_PEEK | MSG_TRUNC, NULL, NULL);
	syscall(SYS_recvfrom, right, buffer, 40, 0, NULL, NULL);
	syscall(SYS_recvfrom, right, buffer, 40, MSG_DONTWAIT, NULL, NULL);
	syscall(SYS_recvfrom, right, NULL, 0, MSG_DONTWAIT, NULL, NULL);
	syscall(SYS_sendto, left, 8, 40, MSG_DONTWAIT, NULL, 0);
	syscall(SYS_sendto, left, NULL, 0, 0, NULL, 0);
	syscall(SYS_recvfrom, right, buffer, 40, 0, NULL, NULL);
	syscall(SYS_sendto, -1, text, 4, 0x80000, 8, 1);
	here.sin_port = htons(5002);
	syscall(SYS_sendto, a, text, 7, MSG_CONFIRM, &here, sizeof here);
	length = sizeof from;
	syscall(SYS_recvfrom, b, buffer, sizeof buffer, MSG_TRUNC, &from, &length);
	syscall(SYS_sendto, a, "x", 1, 0, &here, sizeof here);
	length = 64;
	syscall(SYS_recvfrom, b, buffer, sizeof buffer, 0, &from, &length);
	syscall(SYS_recvfrom, b, buffer, sizeof buffer, MSG_DONTWAIT, &from, &length);
	syscall(SYS_sendto, a, text, 7, 0, &here, 5);
	syscall(SYS_sendto, a, text, sizeof text, 0, &here, sizeof here);
	syscall(SYS_recvfrom, b, buffer, 4, MSG_TRUNC, NULL, &length);
	syscall(SYS_recvfrom, b, 8, 4, MSG_DONTWAIT, 8, 8);
	close(a);
	close(b);
}

static void vectors(int left, int right)
{
	struct iovec parts[] = {{"one", 3}, {text, sizeof text}, {"", 0}, {"four", 4}};
	struct iovec into[] = {{buffer, 5}, {buffer + 64, 8}, {buffer + 128, 100}, {buffer + 256, 10}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 4};
	int a = udp(5003), b = udp(5004);

	syscall(SYS_sendmsg, left, &message, 0);
	message.msg_iov = into;
	syscall(SYS_recvmsg, right, &message, 0);
	syscall(SYS_recvmsg, right, &message, MSG_DONTWAIT);
	syscall(SYS_recvmsg, -1, &message, MSG_PEEK);
	syscall(SYS_recvmsg, right, NULL, MSG_DONTWAIT);
	syscall(SYS_sendmsg, left, NULL, 0);
	syscall(SYS_sendmsg, left, 8, 0);
	message.msg_iov = NULL;
	message.msg_iovlen = 0;
	syscall(SYS_sendmsg, a, &message, 0);
	message.msg_iov = parts;
	message.msg_iovlen = 1;
	message.msg_name = &here;
	message.msg_namelen = sizeof here;
	syscall(SYS_sendmsg, a, &message, MSG_DONTROUTE);
	message.msg_name = &from;
	message.msg_namelen = 64;
	message.msg_iov = into;
	message.msg_iovlen = 4;
	syscall(SYS_recvmsg, b, &message, 0);
	message.msg_iov = parts;
	message.msg_iovlen = 2;
	message.msg_name = &here;
	message.msg_namelen = sizeof here;
	syscall(SYS_sendmsg, a, &message, 0);
	message.msg_iov = into;
	message.msg_iovlen = 1;
	syscall(SYS_recvmsg, b, &message, 0);
	syscall(SYS_recvmsg, b, &message, MSG_DONTWAIT);
	message.msg_namelen = 4;
	message.msg_iov = (struct iovec *)8;
	syscall(SYS_sendmsg, a, &message, 0);
	close(a);
	close(b);
}

static void with_control(struct msghdr *message, int level, int type, const void *data, size_t size)
{
	struct cmsghdr *header;

	message->msg_control = control;
	message->msg_controllen = CMSG_SPACE(size);
	memset(control, 0, sizeof control);
	header = CMSG_FIRSTHDR(message);
	header->cmsg_level = level;
	header->cmsg_type = type;
	header->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(header), data, size);
}

static void controls(int left, int right)
{
	struct iovec part = {"fdpass", 6}, into = {buffer, 20};
	struct msghdr send = {.msg_iov = &part, .msg_iovlen = 1}, receive = {.msg_iov = &into, .msg_iovlen = 1};
	int fds[3] = {0, 1, 2}, on = 1, ttl = 17, a = udp(5005);
	struct ucred self = {getpid(), getuid(), getgid()};
	unsigned short segment = 1400;
	struct in_pktinfo info = {.ipi_ifindex = 1, .ipi_spec_dst.s_addr = htonl(INADDR_LOOPBACK)};

	with_control(&send, SOL_SOCKET, SCM_RIGHTS, fds, sizeof fds);
	syscall(SYS_sendmsg, left, &send, MSG_DONTWAIT);
	receive.msg_control = control;
	receive.msg_controllen = sizeof control;
	syscall(SYS_recvmsg, right, &receive, MSG_CMSG_CLOEXEC);
	with_control(&send, SOL_SOCKET, SCM_RIGHTS, fds, 4);
	syscall(SYS_sendmsg, left, &send, 0);
	receive.msg_controllen = sizeof control;
	syscall(SYS_recvmsg, right, &receive, 0);
	fds[0] = 77;
	with_control(&send, SOL_SOCKET, SCM_RIGHTS, fds, 4);
	syscall(SYS_sendmsg, left, &send, 0);
	setsockopt(right, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
	with_control(&send, SOL_SOCKET, SCM_CREDENTIALS, &self, sizeof self);
	syscall(SYS_sendmsg, left, &send, 0);
	receive.msg_controllen = sizeof control;
	syscall(SYS_recvmsg, right, &receive, 0);
	with_control(&send, SOL_SOCKET, 77, "abcdefgh", 8);
	syscall(SYS_sendmsg, left, &send, 0);
	with_control(&send, 77, 77, "abcdefgh", 8);
	syscall(SYS_sendmsg, left, &send, 0);
	with_control(&send, SOL_IP, IP_TTL, &ttl, 4);
	send.msg_name = &here;
	send.msg_namelen = sizeof here;
	syscall(SYS_sendmsg, a, &send, 0);
	with_control(&send, SOL_IP, IP_PKTINFO, &info, sizeof info);
	syscall(SYS_sendmsg, a, &send, 0);
	with_control(&send, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment);
	syscall(SYS_sendmsg, a, &send, 0);
	with_control(&send, SOL_IP, 77, "\1\2\3", 3);
	syscall(SYS_sendmsg, a, &send, 0);
	setsockopt(a, SOL_IP, IP_RECVTTL, &on, sizeof on);
	setsockopt(a, SOL_IP, IP_PKTINFO, &on, sizeof on);
	receive.msg_controllen = sizeof control;
	syscall(SYS_recvmsg, a, &receive, 0);
	receive.msg_controllen = sizeof control;
	send.msg_control = NULL;
	send.msg_controllen = 8;
	syscall(SYS_sendmsg, a, &send, 0);
	send.msg_controllen = 0;
	syscall(SYS_sendmsg, a, &send, 0);
	syscall(SYS_recvmsg, a, &receive, 0);
	send.msg_control = (void *)8;
	send.msg_controllen = 24;
	syscall(SYS_sendmsg, a, &send, 0);
	close(a);
}

static void many(int left, int right)
{
	struct iovec parts[] = {{"one", 3}, {"two", 3}, {"three", 5}}, into[] = {{buffer, 16}, {buffer + 16, 16}};
	struct mmsghdr send[2] = {{.msg_hdr = {.msg_iov = parts, .msg_iovlen = 2}},
				  {.msg_hdr = {.msg_iov = parts + 2, .msg_iovlen = 1}}};
	struct mmsghdr receive[2] = {{.msg_hdr = {.msg_iov = into, .msg_iovlen = 1}},
				     {.msg_hdr = {.msg_iov = into + 1, .msg_iovlen = 1}}};
	struct timespec limit = {1, 0};

	syscall(SYS_sendmmsg, left, send, 2, 0);
	syscall(SYS_recvmmsg, right, receive, 2, MSG_DONTWAIT, NULL);
	syscall(SYS_recvmmsg, right, receive, 2, MSG_DONTWAIT, &limit);
	syscall(SYS_sendmmsg, left, send, 1, MSG_NOSIGNAL);
	syscall(SYS_recvmmsg, right, receive, 2, MSG_WAITFORONE, &limit);
	syscall(SYS_sendmmsg, left, send, 0, MSG_NOSIGNAL);
	syscall(SYS_sendmmsg, -1, send, 2, 0);
	syscall(SYS_sendmmsg, left, NULL, 2, 0);
	syscall(SYS_recvmmsg, -1, receive, 2, 0, NULL);
}

int main(void)
{
	int pair[2], datagrams[2];

	unshare(CLONE_NEWNET);
	loopback_up();
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	socketpair(AF_UNIX, SOCK_DGRAM, 0, datagrams);
	plain(datagrams[0], datagrams[1]);
	vectors(datagrams[0], datagrams[1]);
	controls(pair[0], pair[1]);
	many(datagrams[0], datagrams[1]);
	return 0;
}
