/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls that wait for another process, so that their lines are split in two.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char buffer[32];

static void child(int pair, const struct sockaddr_in *name)
{
	struct iovec part = {"answer", 6};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	int fd = syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);

	syscall(SYS_recvfrom, pair, buffer, 1, 0, NULL, NULL);
	syscall(SYS_sendmsg, pair, &message, 0);
	syscall(SYS_recvfrom, pair, buffer, 1, 0, NULL, NULL);
	syscall(SYS_connect, fd, name, sizeof *name);
	syscall(SYS_sendto, fd, "hello", 5, 0, NULL, 0);
	syscall(SYS_exit_group, 0);
}

int main(void)
{
	struct sockaddr_in name = {
		.sin_family = AF_INET, .sin_port = htons(18084), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	struct iovec part = {buffer, sizeof buffer};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	int pair[2], server, taken;

	unshare(CLONE_NEWNET);
	server = syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
	syscall(SYS_ioctl, server, SIOCSIFFLAGS, &request);
	syscall(SYS_bind, server, &name, sizeof name);
	syscall(SYS_listen, server, 1);
	syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, pair);
	if (!fork())
		child(pair[1], &name);
	syscall(SYS_sendto, pair[0], "1", 1, 0, NULL, 0);
	syscall(SYS_recvmsg, pair[0], &message, 0);
	syscall(SYS_sendto, pair[0], "2", 1, 0, NULL, 0);
	taken = syscall(SYS_accept, server, NULL, NULL);
	syscall(SYS_recvfrom, taken, buffer, sizeof buffer, 0, NULL, NULL);
	syscall(SYS_recvfrom, taken, buffer, sizeof buffer, 0, NULL, NULL);
	syscall(SYS_wait4, -1, NULL, 0, NULL);
	return 0;
}
