/* SPDX-License-Identifier: Apache-2.0
 *
 * Sockets with addresses of every family: created, bound, connected, accepted, shut down. Runs in a network namespace
 * of its own, so that every port is free.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define PATH "traceloop-socket"

static void loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	syscall(SYS_ioctl, fd, SIOCSIFFLAGS, &request);
	close(fd);
}

static void create(void)
{
	int pair[2];

	syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
	syscall(SYS_socket, AF_INET, SOCK_STREAM, IPPROTO_TCP);
	syscall(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
	syscall(SYS_socket, AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
	syscall(SYS_socket, AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
	syscall(SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	syscall(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
	syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 77);
	syscall(SYS_socket, AF_PACKET, SOCK_DGRAM, htons(0x0800));
	syscall(SYS_socket, AF_INET, SOCK_STREAM, 200);
	syscall(SYS_socket, AF_UNIX, 77, 3);
	syscall(SYS_socket, 99, SOCK_STREAM, 1);
	syscall(SYS_socket, -1, -1, -1);
	syscall(SYS_socket, AF_BLUETOOTH, SOCK_RAW, 1);
	syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, pair);
	syscall(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair);
	syscall(SYS_socketpair, AF_INET, SOCK_STREAM, IPPROTO_TCP, pair);
	syscall(SYS_socketpair, AF_UNIX, SOCK_DGRAM, 0, NULL);
	syscall(SYS_socketpair, AF_UNIX, SOCK_DGRAM, 0, 8);
}

static void inet(void)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(18080)};
	struct sockaddr_in other = {0};
	socklen_t length = sizeof other;
	int server = syscall(SYS_socket, AF_INET, SOCK_STREAM, IPPROTO_IP);
	int client = syscall(SYS_socket, AF_INET, SOCK_STREAM, IPPROTO_IP);
	int taken;

	inet_pton(AF_INET, "127.0.0.1", &name.sin_addr);
	syscall(SYS_accept, server, NULL, NULL);
	syscall(SYS_bind, server, &name, sizeof name);
	syscall(SYS_bind, server, &name, sizeof name);
	syscall(SYS_bind, server, &name, 8);
	syscall(SYS_bind, server, &name, 2);
	syscall(SYS_bind, server, &name, 1);
	syscall(SYS_bind, server, &name, 0);
	syscall(SYS_bind, server, NULL, 16);
	syscall(SYS_bind, server, 8, 16);
	syscall(SYS_bind, server, &name, 128);
	syscall(SYS_bind, server, &name, 129);
	syscall(SYS_bind, server, &name, -1);
	syscall(SYS_listen, server, 5);
	syscall(SYS_listen, -1, 5);
	syscall(SYS_listen, server, -1);
	name.sin_port = htons(18081);
	syscall(SYS_bind, client, &name, sizeof name);
	syscall(SYS_getpeername, client, &other, &length);
	name.sin_port = htons(18080);
	syscall(SYS_connect, client, &name, sizeof name);
	syscall(SYS_connect, client, &name, sizeof name);
	length = sizeof other;
	taken = syscall(SYS_accept, server, &other, &length);
	length = 128;
	syscall(SYS_getsockname, taken, &other, &length);
	length = 8;
	syscall(SYS_getpeername, taken, &other, &length);
	length = 0;
	syscall(SYS_getpeername, taken, &other, &length);
	length = -1;
	syscall(SYS_getpeername, taken, &other, &length);
	syscall(SYS_getsockname, taken, &other, NULL);
	syscall(SYS_getsockname, taken, NULL, &length);
	syscall(SYS_getsockname, taken, NULL, NULL);
	syscall(SYS_getsockname, -1, &other, &length);
	syscall(SYS_shutdown, client, SHUT_RD);
	syscall(SYS_shutdown, client, SHUT_WR);
	syscall(SYS_shutdown, client, SHUT_RDWR);
	syscall(SYS_shutdown, client, 77);
	syscall(SYS_shutdown, -1, -1);
	fcntl(server, F_SETFL, O_NONBLOCK);
	length = 16;
	syscall(SYS_accept4, server, &other, &length, SOCK_CLOEXEC);
	syscall(SYS_accept4, server, &other, &length, 0);
	syscall(SYS_accept4, server, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	syscall(SYS_accept4, server, NULL, NULL, 0x300);
	close(taken);
	close(server);
	close(client);
}

static void inet6(void)
{
	struct sockaddr_in6 name = {
		.sin6_family = AF_INET6, .sin6_port = htons(18082), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_in6 other = {0};
	socklen_t length = sizeof other;
	int server = syscall(SYS_socket, AF_INET6, SOCK_STREAM, 0);
	int client = syscall(SYS_socket, AF_INET6, SOCK_STREAM, 0);
	int taken;

	syscall(SYS_bind, server, &name, sizeof name);
	syscall(SYS_listen, server, 0);
	name.sin6_port = htons(18083);
	syscall(SYS_bind, client, &name, sizeof name);
	name.sin6_port = htons(18082);
	syscall(SYS_connect, client, &name, sizeof name);
	taken = syscall(SYS_accept4, server, &other, &length, 0);
	syscall(SYS_getsockname, client, &other, &length);
	name.sin6_flowinfo = htonl(5);
	inet_pton(AF_INET6, "fe80::1:2", &name.sin6_addr);
	name.sin6_scope_id = 1;
	syscall(SYS_connect, client, &name, sizeof name);
	name.sin6_scope_id = 77;
	syscall(SYS_connect, client, &name, sizeof name);
	syscall(SYS_connect, client, &name, 24);
	syscall(SYS_connect, client, &name, 27);
	inet_pton(AF_INET6, "::ffff:1.2.3.4", &name.sin6_addr);
	syscall(SYS_connect, client, &name, sizeof name);
	inet_pton(AF_INET6, "2001:db8::1", &name.sin6_addr);
	syscall(SYS_connect, client, &name, sizeof name);
	close(taken);
	close(server);
	close(client);
}

static void unix_names(void)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = PATH};
	struct sockaddr_un other = {0};
	const size_t head = offsetof(struct sockaddr_un, sun_path);
	socklen_t length = sizeof other;
	int server = syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
	int client = syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int abstract = syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
	int taken;

	unlink(PATH);
	syscall(SYS_connect, client, &name, sizeof name);
	syscall(SYS_bind, server, &name, head + strlen(PATH) + 1);
	syscall(SYS_listen, server, 1);
	syscall(SYS_connect, client, &name, head + strlen(PATH));
	taken = syscall(SYS_accept, server, &other, &length);
	length = sizeof other;
	syscall(SYS_getsockname, taken, &other, &length);
	length = 7;
	syscall(SYS_getsockname, taken, &other, &length);
	length = sizeof other;
	syscall(SYS_getpeername, taken, &other, &length);
	memcpy(name.sun_path, "\0traceloop", 10);
	syscall(SYS_bind, abstract, &name, head + 10);
	length = sizeof other;
	syscall(SYS_getsockname, abstract, &other, &length);
	memcpy(name.sun_path, "\0tr\0\1loop", 9);
	syscall(SYS_connect, client, &name, head + 9);
	syscall(SYS_connect, client, &name, head + 1);
	syscall(SYS_bind, client, &name, 2);
	memset(name.sun_path, 'x', sizeof name.sun_path);
	syscall(SYS_connect, client, &name, sizeof name);
	memset(name.sun_path, 0, sizeof name.sun_path);
	syscall(SYS_connect, client, &name, sizeof name);
	unlink(PATH);
}

static void others(void)
{
	struct sockaddr_nl netlink = {.nl_family = AF_NETLINK, .nl_pid = 4711, .nl_groups = 0x21};
	struct sockaddr_ll packet = {.sll_family = AF_PACKET,
				     .sll_protocol = htons(0x0806),
				     .sll_ifindex = 1,
				     .sll_hatype = 1,
				     .sll_pkttype = PACKET_BROADCAST,
				     .sll_halen = 6,
				     .sll_addr = "abcdef"};
	struct sockaddr_vm vsock = {.svm_family = AF_VSOCK, .svm_port = 1024, .svm_cid = 2};
	char unknown[24] = "\x63\0hello";
	socklen_t length = sizeof netlink;
	int fd = syscall(SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
	int local = syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);

	syscall(SYS_bind, fd, &netlink, sizeof netlink);
	syscall(SYS_getsockname, fd, &netlink, &length);
	syscall(SYS_getpeername, fd, &netlink, &length);
	netlink.nl_pid = 0;
	netlink.nl_groups = 0;
	syscall(SYS_connect, fd, &netlink, sizeof netlink);
	syscall(SYS_connect, local, &packet, sizeof packet);
	packet.sll_protocol = htons(0x1234);
	packet.sll_ifindex = 77;
	packet.sll_pkttype = 77;
	packet.sll_hatype = 0x1234;
	packet.sll_halen = 12;
	syscall(SYS_connect, local, &packet, sizeof packet);
	packet.sll_halen = 0;
	packet.sll_hatype = 772;
	syscall(SYS_connect, local, &packet, 12);
	syscall(SYS_connect, local, &vsock, sizeof vsock);
	vsock.svm_port = -1;
	vsock.svm_cid = -1;
	syscall(SYS_connect, local, &vsock, sizeof vsock);
	syscall(SYS_connect, local, unknown, sizeof unknown);
	syscall(SYS_connect, local, unknown, 4);
	unknown[0] = 0;
	syscall(SYS_connect, local, unknown, 16);
	unknown[0] = AF_INET;
	syscall(SYS_connect, local, unknown, 15);
}

int main(void)
{
	unshare(CLONE_NEWNET);
	loopback_up();
	create();
	inet();
	inet6();
	unix_names();
	others();
	return 0;
}
