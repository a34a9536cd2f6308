/* SPDX-License-Identifier: Apache-2.0
 *
 * Socket options of every level: numbers, structs and names.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/tcp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

static int set(int fd, int level, int name, const void *value, socklen_t length)
{
	return syscall(SYS_setsockopt, fd, level, name, value, length);
}

static int set_int(int fd, int level, int name, int value)
{
	return set(fd, level, name, &value, sizeof value);
}

static void get(int fd, int level, int name, socklen_t length)
{
	char value[256] = "";

	syscall(SYS_getsockopt, fd, level, name, value, &length);
}

static void get_int(int fd, int level, int name)
{
	get(fd, level, name, sizeof(int));
}

static void sockets(void)
{
	static const int names[] = {SO_DEBUG,      SO_REUSEADDR, SO_TYPE,     SO_ERROR,     SO_DONTROUTE,
				    SO_BROADCAST,  SO_SNDBUF,    SO_RCVBUF,   SO_KEEPALIVE, SO_OOBINLINE,
				    SO_PRIORITY,   SO_REUSEPORT, SO_PASSCRED, SO_RCVLOWAT,  SO_SNDLOWAT,
				    SO_ACCEPTCONN, SO_PROTOCOL,  SO_DOMAIN,   SO_MARK,      SO_INCOMING_CPU,
				    SO_ZEROCOPY,   SO_BUSY_POLL, 777};
	struct linger linger = {1, 5};
	struct timeval limit = {2, 500000};
	struct sock_filter code[] = {{BPF_RET | BPF_K, 0, 0, 0xffffffff}};
	struct sock_fprog filter = {1, code};
	int tcp = socket(AF_INET, SOCK_STREAM, 0), pair[2];

	for (unsigned n = 0; n < sizeof names / sizeof *names; n++) {
		set_int(tcp, SOL_SOCKET, names[n], 1);
		get_int(tcp, SOL_SOCKET, names[n]);
	}
	set(tcp, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	get(tcp, SOL_SOCKET, SO_LINGER, sizeof linger);
	get(tcp, SOL_SOCKET, SO_LINGER, 4);
	set(tcp, SOL_SOCKET, SO_LINGER, &linger, 4);
	set(tcp, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	get(tcp, SOL_SOCKET, SO_RCVTIMEO, sizeof limit);
	get(tcp, SOL_SOCKET, SO_SNDTIMEO, 64);
	set(tcp, SOL_SOCKET, SO_SNDTIMEO, &limit, 8);
	set(tcp, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2);
	set(tcp, SOL_SOCKET, SO_BINDTODEVICE, "lo\0", 3);
	get(tcp, SOL_SOCKET, SO_BINDTODEVICE, 16);
	set(tcp, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
	set_int(tcp, SOL_SOCKET, SO_DETACH_FILTER, 0);
	set(tcp, SOL_SOCKET, SO_REUSEADDR, "", 1);
	set(tcp, SOL_SOCKET, SO_REUSEADDR, "\1\2\3\4\5\6\7", 8);
	set(tcp, SOL_SOCKET, SO_REUSEADDR, NULL, 4);
	set(tcp, SOL_SOCKET, SO_REUSEADDR, (void *)8, 4);
	set(tcp, SOL_SOCKET, SO_REUSEADDR, &linger, 0);
	set(tcp, SOL_SOCKET, SO_REUSEADDR, &linger, -1);
	set_int(-1, SOL_SOCKET, SO_REUSEADDR, -5);
	get(tcp, SOL_SOCKET, SO_REUSEADDR, 8);
	get(tcp, SOL_SOCKET, SO_REUSEADDR, 2);
	get(tcp, SOL_SOCKET, SO_REUSEADDR, 0);
	get(tcp, SOL_SOCKET, SO_REUSEADDR, -1);
	get_int(-1, SOL_SOCKET, SO_REUSEADDR);
	syscall(SYS_getsockopt, tcp, SOL_SOCKET, SO_TYPE, NULL, NULL);
	syscall(SYS_getsockopt, tcp, SOL_SOCKET, SO_TYPE, 8, 8);
	get(tcp, SOL_SOCKET, SO_PEERCRED, 12);
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	get(pair[0], SOL_SOCKET, SO_PEERCRED, 12);
	get(pair[0], SOL_SOCKET, SO_PEERCRED, 64);
	get(pair[0], SOL_SOCKET, SO_PEERCRED, 8);
	get(pair[0], SOL_SOCKET, SO_PEERGROUPS, 64);
	get_int(pair[0], SOL_SOCKET, SO_COOKIE);
	get(pair[0], SOL_SOCKET, SO_MEMINFO, 36);
	get(pair[0], SOL_SOCKET, SO_PEERSEC, 36);
}

static void internet(void)
{
	static const int names[] = {TCP_NODELAY,  TCP_MAXSEG,       TCP_CORK,     TCP_KEEPIDLE,     TCP_KEEPINTVL,
				    TCP_KEEPCNT,  TCP_SYNCNT,       TCP_LINGER2,  TCP_DEFER_ACCEPT, TCP_WINDOW_CLAMP,
				    TCP_QUICKACK, TCP_USER_TIMEOUT, TCP_FASTOPEN, TCP_INQ,          77};
	static const int ip[] = {IP_TOS,
				 IP_TTL,
				 IP_HDRINCL,
				 IP_RECVOPTS,
				 IP_PKTINFO,
				 IP_MTU_DISCOVER,
				 IP_RECVERR,
				 IP_RECVTTL,
				 IP_MTU,
				 IP_FREEBIND,
				 IP_TRANSPARENT,
				 IP_MULTICAST_TTL,
				 IP_MULTICAST_LOOP,
				 IP_BIND_ADDRESS_NO_PORT,
				 177};
	struct ip_mreq group = {.imr_multiaddr.s_addr = inet_addr("224.0.0.77"),
				.imr_interface.s_addr = htonl(INADDR_LOOPBACK)};
	struct ip_mreqn interface = {.imr_multiaddr.s_addr = inet_addr("224.0.0.78"), .imr_ifindex = 1};
	struct ipv6_mreq group6 = {.ipv6mr_interface = 1};
	static const int ip6[] = {
		IPV6_V6ONLY, IPV6_UNICAST_HOPS, IPV6_RECVPKTINFO, IPV6_MULTICAST_HOPS, IPV6_TCLASS, IPV6_MTU, 177};
	int tcp = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0),
	    udp6 = socket(AF_INET6, SOCK_DGRAM, 0);

	for (unsigned n = 0; n < sizeof names / sizeof *names; n++) {
		set_int(tcp, IPPROTO_TCP, names[n], 5);
		get_int(tcp, IPPROTO_TCP, names[n]);
	}
	get(tcp, IPPROTO_TCP, TCP_CONGESTION, 16);
	set(tcp, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
	set(tcp, IPPROTO_TCP, TCP_CONGESTION, "nonesuch\n", 9);
	for (unsigned n = 0; n < sizeof ip / sizeof *ip; n++) {
		set_int(udp, SOL_IP, ip[n], 1);
		get_int(udp, SOL_IP, ip[n]);
	}
	set(udp, SOL_IP, IP_ADD_MEMBERSHIP, &group, sizeof group);
	set(udp, SOL_IP, IP_DROP_MEMBERSHIP, &group, sizeof group);
	set(udp, SOL_IP, IP_ADD_MEMBERSHIP, &interface, sizeof interface);
	set(udp, SOL_IP, IP_ADD_MEMBERSHIP, &interface, 4);
	set(udp, SOL_IP, IP_MULTICAST_IF, &group.imr_interface, 4);
	get_int(udp, SOL_IP, IP_MULTICAST_IF);
	for (unsigned n = 0; n < sizeof ip6 / sizeof *ip6; n++) {
		set_int(udp6, SOL_IPV6, ip6[n], 1);
		get_int(udp6, SOL_IPV6, ip6[n]);
	}
	inet_pton(AF_INET6, "ff02::77", &group6.ipv6mr_multiaddr);
	set(udp6, SOL_IPV6, IPV6_ADD_MEMBERSHIP, &group6, sizeof group6);
	set(udp6, SOL_IPV6, IPV6_DROP_MEMBERSHIP, &group6, sizeof group6);
	set(udp6, SOL_IPV6, IPV6_ADD_MEMBERSHIP, &group6, 5);
	set_int(udp, IPPROTO_UDP, 1, 1);
	set_int(udp, IPPROTO_UDP, 77, 1);
	get_int(udp, 777, 77);
	get_int(udp, SOL_RAW, 1);
}

static void others(void)
{
	struct packet_mreq membership = {
		.mr_ifindex = 1, .mr_type = PACKET_MR_PROMISC, .mr_alen = 6, .mr_address = "abcdef"};
	struct tpacket_req ring = {.tp_block_size = 4096, .tp_block_nr = 1, .tp_frame_size = 2048, .tp_frame_nr = 2};
	int packet = socket(AF_PACKET, SOCK_RAW, 0), netlink = socket(AF_NETLINK, SOCK_RAW, 0);

	set_int(netlink, SOL_NETLINK, NETLINK_PKTINFO, 1);
	set_int(netlink, SOL_NETLINK, NETLINK_EXT_ACK, 1);
	set_int(netlink, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, 1);
	set_int(netlink, SOL_NETLINK, 777, 1);
	get_int(netlink, SOL_NETLINK, NETLINK_CAP_ACK);
	get(netlink, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, 8);
	set(packet, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &membership, sizeof membership);
	set(packet, SOL_PACKET, PACKET_RX_RING, &ring, sizeof ring);
	get(packet, SOL_PACKET, PACKET_STATISTICS, 8);
	get_int(packet, SOL_PACKET, PACKET_VERSION);
	set_int(packet, SOL_PACKET, PACKET_AUXDATA, 1);
}

int main(void)
{
	unshare(CLONE_NEWNET);
	sockets();
	internet();
	others();
	return 0;
}
