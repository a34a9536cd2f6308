/* SPDX-License-Identifier: Apache-2.0 */
/* A thread waits in every kind of call until the other thread ends its wait: lines split in two. */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int ends[2], steps[2];
static volatile pid_t waiter;

/* Waits until the waiter has begun its next step, and then long enough for it to sleep in its call. */
static void wait_asleep(void)
{
	struct timespec soon = {0, 20000000};
	char byte;
	read(steps[0], &byte, 1);
	nanosleep(&soon, 0);
}

static void begin_step(void)
{
	write(steps[1], "x", 1);
}

static void handle(int signal)
{
}

static void *wait_for_all(void *unused)
{
	const uint64_t usr2 = 1ULL << (SIGUSR2 - 1), none = 0;
	struct pollfd one = {ends[0], POLLIN, 0};
	struct timespec long_time = {5, 0}, later = long_time;
	struct epoll_event event = {EPOLLIN, {.u64 = 7}};
	siginfo_t info;
	fd_set in;
	char byte;
	int epoll = epoll_create1(0);
	epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event);
	waiter = gettid();
	begin_step();
	syscall(SYS_poll, &one, 1, -1);
	read(ends[0], &byte, 1);
	begin_step();
	syscall(SYS_ppoll, &one, 1, &long_time, &none, 8);
	read(ends[0], &byte, 1);
	FD_ZERO(&in);
	FD_SET(ends[0], &in);
	begin_step();
	syscall(SYS_select, ends[0] + 1, &in, 0, 0, 0);
	read(ends[0], &byte, 1);
	begin_step();
	syscall(SYS_epoll_wait, epoll, &event, 1, -1);
	read(ends[0], &byte, 1);
	begin_step();
	syscall(SYS_epoll_pwait2, epoll, &event, 1, 0, &none, 8);
	read(ends[0], &byte, 1);
	begin_step();
	syscall(SYS_rt_sigtimedwait, &usr2, &info, 0, 8);
	begin_step();
	syscall(SYS_rt_sigtimedwait, &usr2, 0, &later, 8);
	begin_step();
	syscall(SYS_nanosleep, &later, 0);
	begin_step();
	syscall(SYS_rt_sigsuspend, &none, 8);
	begin_step();
	syscall(SYS_pause);
	return 0;
}

int main(void)
{
	struct sigaction action = {.sa_handler = handle};
	sigset_t blocked;
	pthread_t thread;
	sigaction(SIGUSR1, &action, 0);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR2);
	sigprocmask(SIG_BLOCK, &blocked, 0);
	pipe(ends);
	pipe(steps);
	pthread_create(&thread, 0, wait_for_all, 0);
	for (int next = 1; next <= 10; next++) {
		wait_asleep();
		if (next <= 5)
			write(ends[1], "x", 1);
		else
			syscall(SYS_tgkill, getpid(), waiter, next <= 7 ? SIGUSR2 : SIGUSR1);
	}
	pthread_join(thread, 0);
	return 0;
}
