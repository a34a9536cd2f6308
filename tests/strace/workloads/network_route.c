/* SPDX-License-Identifier: Apache-2.0
 *
 * Netlink by protocol: types, flags and the structs of NETLINK_ROUTE, in requests and answers.
 */
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/xfrm.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static char answer[8192];

/*
 * Sends one request over a new socket and, unless it is a dump, reads the answer, which is an error: there is no
 * interface 77. Runs in strace's own network namespace, because strace knows no sockets of another.
 */
static void ask(int protocol, int type, int flags, const void *payload, size_t size)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK}, here = {.nl_family = AF_NETLINK, .nl_pid = 4711};
	char message[256] = "";
	struct nlmsghdr header = {
		.nlmsg_len = 16 + size, .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags, .nlmsg_seq = 7};
	struct iovec part = {message, 16 + size};
	struct msghdr send = {.msg_name = &kernel, .msg_namelen = sizeof kernel, .msg_iov = &part, .msg_iovlen = 1};
	int fd = syscall(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	int copy = syscall(SYS_dup, fd);

	memcpy(message, &header, sizeof header);
	memcpy(message + 16, payload, size);
	syscall(SYS_bind, fd, &here, sizeof here);
	syscall(SYS_sendto, fd, message, 16 + size, 0, &kernel, sizeof kernel);
	if ((flags & NLM_F_DUMP) != NLM_F_DUMP) {
		syscall(SYS_recvfrom, fd, answer, 100, MSG_DONTWAIT, 0, 0);
		syscall(SYS_sendto, copy, message, 16 + size, 0, 0, 0);
		syscall(SYS_sendmsg, fd, &send, 0);
		syscall(SYS_recvfrom, copy, answer, sizeof answer, MSG_DONTWAIT | MSG_TRUNC, 0, 0);
	}
	syscall(SYS_close, copy);
	syscall(SYS_close, fd);
}

int main(void)
{
	struct ifinfomsg link = {.ifi_index = 77, .ifi_flags = 1, .ifi_change = 1};
	struct ifaddrmsg address = {AF_INET, 24, IFA_F_PERMANENT, RT_SCOPE_HOST, 77};
	struct rtmsg route = {AF_INET, 8, 0, 4, RT_TABLE_MAIN, RTPROT_STATIC, RT_SCOPE_LINK, RTN_UNICAST, RTM_F_NOTIFY};
	struct ndmsg neighbour = {.ndm_family = AF_INET,
				  .ndm_ifindex = 77,
				  .ndm_state = NUD_PERMANENT | NUD_STALE,
				  .ndm_flags = NTF_PROXY,
				  .ndm_type = 1};

	ask(NETLINK_ROUTE, RTM_GETADDR, NLM_F_DUMP, &address, 1);
	ask(NETLINK_ROUTE, RTM_GETADDR, NLM_F_DUMP, &address, sizeof address);
	ask(NETLINK_ROUTE, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, &address, sizeof address);
	ask(NETLINK_ROUTE, RTM_DELADDR, NLM_F_ACK | NLM_F_NONREC, &address, sizeof address);
	ask(NETLINK_ROUTE, RTM_GETLINK, NLM_F_DUMP, &link, 1);
	ask(NETLINK_ROUTE, RTM_GETLINK, NLM_F_ACK, &link, sizeof link);
	ask(NETLINK_ROUTE, RTM_SETLINK, NLM_F_ACK | 0x200, &link, sizeof link);
	ask(NETLINK_ROUTE, RTM_GETROUTE, NLM_F_DUMP, &route, sizeof route);
	ask(NETLINK_ROUTE, RTM_DELROUTE, NLM_F_ACK, &route, 1);
	ask(NETLINK_ROUTE, RTM_GETNEIGH, NLM_F_DUMP, &neighbour, sizeof neighbour);
	ask(NETLINK_ROUTE, RTM_DELNEIGH, NLM_F_ACK, &neighbour, sizeof neighbour);
	ask(NETLINK_GENERIC, GENL_ID_CTRL, NLM_F_ACK, "\0\1\0", 4);
	ask(NETLINK_SOCK_DIAG, 77, NLM_F_DUMP, "", 0);
	ask(NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, "", 0);
	ask(NETLINK_XFRM, XFRM_MSG_GETSADINFO + 70, 0, "", 0);
	ask(NETLINK_KOBJECT_UEVENT, 20, 0, "text", 4);
	return 0;
}
