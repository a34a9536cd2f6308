/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for descriptors: poll, select and epoll, and descriptors made for waiting. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define BAD ((void *)8)

static const uint64_t usr1 = 1ULL << (SIGUSR1 - 1);
static int ends[2]; /* [0] can be read, both can be written */

static void polls(void)
{
	struct pollfd both[2] = {{ends[0], POLLIN | POLLPRI, 0}, {ends[1], POLLOUT, 0}}, many[40];
	struct timespec soon = {0, 1000000}, long_time = {10, 0}, bad = {0, -1};
	syscall(SYS_poll, both, 2, 100);
	both[0].events = POLLRDHUP;
	syscall(SYS_poll, both, 1, 1);
	both[0].fd = -1;
	syscall(SYS_poll, both, 2, -1);
	both[0].fd = 99;
	both[0].events = POLLIN | 0x4800;
	syscall(SYS_poll, both, 2, -1);
	for (int n = 0; n < 40; n++)
		many[n] = (struct pollfd){n % 3 ? ends[1] : ends[0], n % 2 || n > 31 ? POLLPRI : POLLOUT | POLLRDNORM,
					  0};
	syscall(SYS_poll, many, 5, 0);
	syscall(SYS_poll, many, 32, 0);
	syscall(SYS_poll, many, 40, 0);
	syscall(SYS_poll, both, 0, 1);
	syscall(SYS_poll, 0, 0, 1);
	syscall(SYS_poll, BAD, 1, 0);
	syscall(SYS_poll, 0, 1, 0);
	both[0].fd = ends[0];
	both[0].events = POLLIN;
	syscall(SYS_ppoll, both, 2, 0, 0, 8);
	syscall(SYS_ppoll, both, 2, &long_time, &usr1, 8);
	both[1].events = POLLPRI;
	syscall(SYS_ppoll, both + 1, 1, &soon, 0, 8);
	soon.tv_nsec = 1000000;
	syscall(SYS_ppoll, both + 1, 1, &soon, &usr1, 4);
	syscall(SYS_ppoll, both + 1, 1, &bad, 0, 0);
	syscall(SYS_ppoll, BAD, 1, BAD, BAD, 8);
	syscall(SYS_ppoll, 0, 0, &soon, 0, 8);
}

static void selects(void)
{
	fd_set in, out, bad_set;
	struct timeval soon = {0, 1000}, none = {0, 0}, bad = {-1, 0};
	struct timespec soon_ns = {0, 1000000}, zero = {0, 0}, later = {10, 0};
	const struct {
		const uint64_t *mask;
		size_t size;
	} mask = {&usr1, 8}, no_mask = {0, 8}, short_mask = {&usr1, 4};
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&bad_set);
	FD_SET(ends[0], &in);
	FD_SET(ends[1], &out);
	syscall(SYS_select, ends[1] + 1, &in, 0, 0, 0);
	syscall(SYS_select, ends[1] + 1, &in, &out, 0, &none);
	syscall(SYS_select, ends[1] + 1, 0, 0, &in, &soon);
	soon.tv_usec = 1000;
	syscall(SYS_select, 0, 0, 0, 0, &soon);
	FD_SET(1, &in);
	FD_SET(ends[0], &in);
	FD_SET(ends[1], &in);
	FD_SET(77, &bad_set);
	syscall(SYS_select, ends[0], &in, &out, &bad_set, &none);
	syscall(SYS_select, 100, 0, &out, &bad_set, &none);
	syscall(SYS_select, -1, &in, 0, 0, &none);
	syscall(SYS_select, 5, BAD, 0, 0, &none);
	syscall(SYS_select, 5, 0, 0, 0, &bad);
	syscall(SYS_select, 5, 0, 0, 0, BAD);
	syscall(SYS_select, 70, &in, &out, 0, &none);
	syscall(SYS_select, 1024, &in, &in, &bad_set, &none);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(ends[0], &in);
	FD_SET(ends[1], &out);
	syscall(SYS_pselect6, ends[1] + 1, &in, &out, 0, &later, 0);
	syscall(SYS_pselect6, ends[1] + 1, 0, 0, &in, &soon_ns, &mask);
	soon_ns.tv_nsec = 1000000;
	FD_ZERO(&in);
	syscall(SYS_pselect6, ends[1] + 1, &in, 0, 0, &zero, &no_mask);
	syscall(SYS_pselect6, ends[1] + 1, 0, 0, 0, &zero, &short_mask);
	syscall(SYS_pselect6, ends[1] + 1, 0, 0, 0, BAD, 0);
	syscall(SYS_pselect6, ends[1] + 1, 0, 0, 0, &zero, BAD);
	syscall(SYS_pselect6, -1, &in, 0, 0, &zero, &no_mask);
}

static void epolls(void)
{
	struct epoll_event event = {EPOLLIN | EPOLLRDHUP | EPOLLET, {.u64 = 4660}}, found[40];
	struct timespec soon = {0, 1000000}, bad = {-1, 0};
	int fd = syscall(SYS_epoll_create1, EPOLL_CLOEXEC);
	syscall(SYS_epoll_create1, 0x300);
	close(syscall(SYS_epoll_create, 10));
	syscall(SYS_epoll_create, 0);
	syscall(SYS_epoll_create, -1);
	syscall(SYS_epoll_ctl, fd, EPOLL_CTL_ADD, ends[0], &event);
	syscall(SYS_epoll_ctl, fd, EPOLL_CTL_ADD, ends[0], &event);
	syscall(SYS_epoll_wait, fd, found, 4, 10);
	syscall(SYS_epoll_wait, fd, found, 4, 0);
	event.events = EPOLLIN | EPOLLOUT | EPOLLONESHOT | EPOLLWAKEUP;
	event.data.u64 = 0xffffffff00000001;
	syscall(SYS_epoll_ctl, fd, EPOLL_CTL_MOD, ends[0], &event);
	event.events = EPOLLOUT | EPOLLEXCLUSIVE;
	syscall(SYS_epoll_ctl, fd, EPOLL_CTL_ADD, ends[1], &event);
	syscall(SYS_epoll_wait, fd, found, 40, -1);
	syscall(SYS_epoll_pwait, fd, found, 4, 0, &usr1, 8);
	syscall(SYS_epoll_pwait, fd, found, 4, 0, 0, 8);
	syscall(SYS_epoll_pwait, fd, found, 4, 0, &usr1, 4);
	syscall(SYS_epoll_pwait, fd, found, 4, 0, BAD, 8);
	syscall(SYS_epoll_pwait2, fd, found, 4, &soon, 0, 8);
	syscall(SYS_epoll_pwait2, fd, found, 4, 0, &usr1, 8);
	syscall(SYS_epoll_pwait2, fd, found, 4, &bad, 0, 8);
	syscall(SYS_epoll_pwait2, fd, found, 4, BAD, BAD, 8);
	syscall(SYS_epoll_wait, fd, found, 0, 0);
	syscall(SYS_epoll_wait, 99, found, 4, 0);
	syscall(SYS_epoll_wait, fd, BAD, 4, 0);
	syscall(SYS_epoll_ctl, fd, EPOLL_CTL_DEL, ends[1], &event);
	syscall(SYS_epoll_ctl, fd, EPOLL_CTL_DEL, ends[1], 0);
	syscall(SYS_epoll_ctl, fd, EPOLL_CTL_MOD, ends[1], BAD);
	syscall(SYS_epoll_ctl, fd, 9, 99, &event);
	syscall(SYS_epoll_ctl, fd, EPOLL_CTL_ADD, ends[1], 0);
	close(fd);
}

static void counters(void)
{
	uint64_t count = 3;
	int fd = syscall(SYS_eventfd2, 7, 02000000 | 04000 | 1);
	write(fd, &count, 8);
	read(fd, &count, 8);
	close(fd);
	close(syscall(SYS_eventfd, 0));
	close(syscall(SYS_eventfd, -1));
	close(syscall(SYS_eventfd2, 0xffffffff, 0));
	syscall(SYS_eventfd2, 0, 0x300);
}

int main(void)
{
	const struct rlimit files = {100, 100};
	setrlimit(RLIMIT_NOFILE, &files);
	socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
	write(ends[1], "x", 1);
	polls();
	selects();
	epolls();
	counters();
	return 0;
}
