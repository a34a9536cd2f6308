/* SPDX-License-Identifier: Apache-2.0
 *
 * Netlink: headers of messages, single and several at once, over a protocol that has no message types of its own.
 */
#define _GNU_SOURCE
#include <linux/netlink.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct sockaddr_nl kernel = {.nl_family = AF_NETLINK}, here = {.nl_family = AF_NETLINK, .nl_pid = 4711}, from;

static size_t put(char *at, int length, int type, int flags, const char *payload, size_t size)
{
	struct nlmsghdr header = {
		.nlmsg_len = length, .nlmsg_type = type, .nlmsg_flags = flags, .nlmsg_seq = 7, .nlmsg_pid = 4712};

	memcpy(at, &header, sizeof header);
	memcpy(at + sizeof header, payload, size);
	return NLMSG_ALIGN(sizeof header + size);
}

int main(void)
{
	char message[256] = "", answer[256];
	int fd, other;
	size_t size;
	socklen_t length = sizeof from;
	struct iovec part = {message, 0};
	struct msghdr send = {.msg_name = &here, .msg_namelen = sizeof here, .msg_iov = &part, .msg_iovlen = 1};

	unshare(CLONE_NEWNET);
	fd = syscall(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_USERSOCK);
	other = syscall(SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK);
	syscall(SYS_bind, fd, &here, sizeof here);
	here.nl_pid = 4712;
	syscall(SYS_bind, other, &here, sizeof here);
	here.nl_pid = 4711;

	size = put(message, 17, 0x12, NLM_F_REQUEST | NLM_F_DUMP, "\2", 1);
	syscall(SYS_sendto, other, message, size, 0, &here, sizeof here);
	syscall(SYS_recvfrom, fd, answer, sizeof answer, 0, &from, &length);
	syscall(SYS_sendto, other, message, 17, 0, &here, sizeof here);
	syscall(SYS_recvfrom, fd, answer, 4, MSG_TRUNC, &from, &length);
	size = put(message, 16, NLMSG_NOOP, 0, "", 0);
	syscall(SYS_sendto, other, message, size, 0, &here, sizeof here);
	size = put(message, 20, NLMSG_DONE, NLM_F_MULTI, "\0\0\0\0", 4);
	syscall(SYS_sendto, other, message, size, 0, &here, sizeof here);
	size = put(message, 36, NLMSG_ERROR, 0, "\377\377\377\377\24\0\0\0\22\0\1\3\5\0\0\0\0\0\0\0", 20);
	syscall(SYS_sendto, other, message, size, 0, &here, sizeof here);
	size = put(message, 20, NLMSG_ERROR, 0, "\0\0\0\0", 4);
	syscall(SYS_sendto, other, message, size, 0, &here, sizeof here);
	size = put(message, 24, 0x1234, NLM_F_REQUEST | NLM_F_ACK | NLM_F_ECHO, "abcdefgh", 8);
	size += put(message + size, 20, NLMSG_OVERRUN, NLM_F_MULTI | NLM_F_DUMP_INTR, "ijkl", 4);
	syscall(SYS_sendto, other, message, size, 0, &here, sizeof here);
	part.iov_len = size;
	syscall(SYS_sendmsg, other, &send, 0);
	send.msg_name = &from;
	part.iov_len = sizeof message;
	while (syscall(SYS_recvmsg, fd, &send, MSG_DONTWAIT) > 0)
		part.iov_len = sizeof message;
	size = put(message, 40, NLMSG_ERROR, 0, "\352\377\377\377\24\0\0\0\22\0\1\3\5\0\0\0\0\0\0\0abcd", 24);
	syscall(SYS_sendto, other, message, size, 0, &here, sizeof here);
	size = put(message, 36, NLMSG_ERROR, NLM_F_CAPPED, "\0\0\0\0\50\0\0\0\22\0\1\3\5\0\0\0\0\0\0\0", 20);
	syscall(SYS_sendto, other, message, size, 0, &here, sizeof here);
	size = put(message, 24, NLMSG_DONE, 0, "\5\0\0\0\377\377\377\377", 8);
	syscall(SYS_sendto, other, message, size, 0, &here, sizeof here);
	size = put(message, 18, NLMSG_DONE, 0, "\5\0", 2);
	syscall(SYS_sendto, other, message, size, 0, &here, sizeof here);
	size = put(message, 100, 0, 0x8000, "abcdefghijklmnopqrstuvwxyz0123456789", 36);
	syscall(SYS_sendto, other, message, size, 0, &here, sizeof here);
	syscall(SYS_sendto, other, message, 30, 0, &here, sizeof here);
	put(message, 200, 3, 0, "abcdefgh", 8);
	syscall(SYS_sendto, other, message, 24, 0, &here, sizeof here);
	put(message, 8, 3, 0, "abcdefgh", 8);
	syscall(SYS_sendto, other, message, 24, 0, &here, sizeof here);
	syscall(SYS_sendto, other, message, 8, MSG_DONTWAIT, &kernel, sizeof kernel);
	syscall(SYS_sendto, other, message, 0, MSG_DONTWAIT, &kernel, sizeof kernel);
	return 0;
}
