/* SPDX-License-Identifier: Apache-2.0 */
/* A 32-bit program's times, signals, limits, children, sockets and waits. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include "compat.h"

// clang-format off
enum {
	EXECVE = 11, TIME = 13, GETPID = 20, ALARM = 27, KILL = 37, TIMES = 43, SETRLIMIT = 75, GETRUSAGE = 77,
	GETTIMEOFDAY, SETITIMER = 104, GETITIMER, WAIT4 = 114, SYSINFO = 116, CLONE = 120, UNAME = 122, NEWSELECT = 142,
	RT_SIGACTION = 174, RT_SIGPROCMASK, RT_SIGPENDING, RT_SIGTIMEDWAIT, RT_SIGQUEUEINFO, SIGALTSTACK = 186,
	UGETRLIMIT = 191, GETUID32 = 199, SETREUID32 = 203, SETGROUPS32 = 206, GETRESUID32 = 209, SETUID32 = 213,
	FUTEX = 240, SCHED_SETAFFINITY, SCHED_GETAFFINITY, EXIT_GROUP = 252, EPOLL_CREATE = 254, EPOLL_CTL, EPOLL_WAIT,
	TIMER_CREATE = 259, TIMER_SETTIME, TIMER_GETTIME, CLOCK_GETTIME = 265, CLOCK_GETRES, CLOCK_NANOSLEEP, MQ_OPEN = 277,
	WAITID = 284, PPOLL = 309, EPOLL_PWAIT = 319, TIMERFD_CREATE = 322, TIMERFD_SETTIME = 325, TIMERFD_GETTIME,
	PRLIMIT64 = 340, GETRANDOM = 355, SOCKET = 359, SOCKETPAIR, BIND, CONNECT, GETSOCKOPT = 365, SETSOCKOPT,
	GETSOCKNAME, GETPEERNAME, SENDTO, SENDMSG, RECVFROM, RECVMSG, SENDMMSG = 345, RECVMMSG = 337, NANOSLEEP = 162,
	POLL = 168, PRCTL = 172, CLOCK_GETTIME64 = 403, CLOCK_NANOSLEEP64 = 407, PPOLL64 = 414, FUTEX64 = 422,
	PSELECT6 = 308, WAITPID = 7,
};
// clang-format on

static uint32_t words[64];
static uint64_t wide[8];
static char buffer[1024];

static void times(void)
{
	CALL1(TIME, AT(words));
	CALL1(TIMES, AT(words));
	CALL2(GETTIMEOFDAY, AT(words), AT(words + 4));
	CALL2(CLOCK_GETTIME, CLOCK_MONOTONIC, AT(words));
	CALL2(CLOCK_GETRES, CLOCK_REALTIME, AT(words));
	CALL2(CLOCK_GETTIME64, CLOCK_REALTIME, AT(wide));
	words[0] = 0;
	words[1] = 1000;
	CALL2(NANOSLEEP, AT(words), AT(words + 4));
	CALL4(CLOCK_NANOSLEEP, CLOCK_MONOTONIC, 0, AT(words), 0);
	wide[0] = 0;
	wide[1] = 1000;
	CALL4(CLOCK_NANOSLEEP64, CLOCK_MONOTONIC, 0, AT(wide), 0);
	uint32_t span[] = {100, 5, 200, 6};
	memcpy(words, span, sizeof span);
	CALL3(SETITIMER, 1, AT(words), AT(words + 8));
	memset(words, 0, sizeof words);
	CALL3(SETITIMER, 1, AT(words), 0);
	CALL2(TIMERFD_CREATE, CLOCK_MONOTONIC, 0);
	memcpy(words, span, sizeof span);
	CALL4(TIMERFD_SETTIME, 3, 0, AT(words), AT(words + 8));
	words[0] = 5;
	words[1] = SIGUSR1;
	words[2] = SIGEV_NONE;
	CALL3(TIMER_CREATE, CLOCK_MONOTONIC, AT(words), AT(words + 20));
}

static void signals(void)
{
	words[0] = AT(SIG_IGN);
	words[1] = SA_RESTART;
	words[2] = 0;
	words[3] = 1 << (SIGUSR1 - 1);
	words[4] = 0;
	CALL4(RT_SIGACTION, SIGUSR2, AT(words), AT(words + 8), 8);
	CALL4(RT_SIGACTION, SIGUSR2, 0, AT(words), 8);
	CALL4(RT_SIGPROCMASK, SIG_BLOCK, AT(words + 2), AT(words + 10), 8);
	wide[0] = 1 << (SIGUSR1 - 1);
	CALL4(RT_SIGPROCMASK, SIG_BLOCK, AT(wide), AT(words + 10), 8);
	CALL2(KILL, CALL1(GETPID, 0), SIGUSR1);
	CALL2(RT_SIGPENDING, AT(words), 8);
	words[0] = 1;
	words[1] = 0;
	CALL4(RT_SIGTIMEDWAIT, AT(wide), AT(buffer), AT(words), 8);
	CALL2(SIGALTSTACK, 0, AT(words));
}

static void limits(void)
{
	CALL2(UGETRLIMIT, RLIMIT_STACK, AT(words));
	CALL2(UGETRLIMIT, RLIMIT_CORE, AT(words));
	words[0] = 1024;
	words[1] = -1;
	CALL2(SETRLIMIT, RLIMIT_NPROC + 100, AT(words));
	CALL4(PRLIMIT64, 0, RLIMIT_NOFILE, 0, AT(wide));
	CALL2(GETRUSAGE, RUSAGE_SELF, AT(words));
	CALL1(UNAME, AT(buffer));
	CALL3(GETRESUID32, AT(words), AT(words + 1), AT(words + 2));
	CALL2(SETGROUPS32, 0, 0);
	CALL2(SETREUID32, -1, 0);
	CALL1(GETUID32, 0);
	CALL3(SCHED_GETAFFINITY, 0, 4, AT(words));
	CALL3(GETRANDOM, AT(buffer), 8, 0);
	CALL2(PRCTL, 15, AT("renamed"));
}

static void waiting(void)
{
	int epoll = CALL1(EPOLL_CREATE, 1);
	struct pollfd *poll = (struct pollfd *)buffer;
	CALL1(0x7fff, 1);
	CALL5(SOCKETPAIR, AF_UNIX, SOCK_STREAM, 0, AT(words), 0);
	poll[0] = (struct pollfd){words[0], POLLIN | POLLOUT, 0};
	CALL3(POLL, AT(poll), 1, 10);
	words[4] = 0;
	words[5] = 1000;
	CALL5(PPOLL, AT(poll), 1, AT(words + 4), 0, 8);
	wide[0] = 0;
	wide[1] = 1000;
	CALL5(PPOLL64, AT(poll), 1, AT(wide), 0, 8);
	words[8] = 1 << words[0];
	words[6] = 0;
	words[7] = 1000;
	CALL5(NEWSELECT, 8, AT(words + 8), 0, 0, AT(words + 6));
	struct epoll_event event = {EPOLLOUT, {.u64 = 0x1234}};
	memcpy(buffer, &event, sizeof event);
	CALL4(EPOLL_CTL, epoll, EPOLL_CTL_ADD, words[0], AT(buffer));
	CALL4(EPOLL_WAIT, epoll, AT(buffer), 4, 10);
	words[20] = 5;
	words[21] = 0;
	words[22] = 1000;
	CALL6(FUTEX, AT(words + 20), 128, 5, AT(words + 21), 0, 0);
	CALL6(FUTEX, AT(words + 20), 129, 5, 0, 0, 0);
	wide[0] = 0;
	wide[1] = 1000;
	CALL6(FUTEX64, AT(words + 20), 128, 5, AT(wide), 0, 0);
}

static void sockets(void)
{
	uint32_t *vector = words + 16, *head = words + 32;
	CALL4(SOCKETPAIR, AF_UNIX, SOCK_DGRAM, 0, AT(words));
	int one = words[0], two = words[1];
	vector[0] = AT("first");
	vector[1] = 5;
	vector[2] = AT("second");
	vector[3] = 6;
	memset(head, 0, 64);
	head[2] = AT(vector);
	head[3] = 2;
	CALL3(SENDMSG, one, AT(head), 0);
	uint32_t rights[] = {16, SOL_SOCKET, SCM_RIGHTS, one};
	memcpy(words + 48, rights, sizeof rights);
	head[4] = AT(words + 48);
	head[5] = 16;
	CALL3(SENDMSG, one, AT(head), MSG_DONTWAIT);
	head[4] = head[5] = 0;
	memcpy(head + 8, head, 32);
	CALL4(SENDMMSG, one, AT(head), 2, 0);
	vector[0] = AT(buffer);
	vector[1] = 4;
	vector[2] = AT(buffer + 64);
	vector[3] = 100;
	CALL3(RECVMSG, two, AT(head), 0);
	CALL3(RECVMSG, two, AT(head), 0);
	CALL5(RECVMMSG, two, AT(head), 2, MSG_DONTWAIT, 0);
	CALL3(RECVMSG, -1, AT(head), 0);
	CALL6(SENDTO, one, AT("plain"), 5, 0, 0, 0);
	CALL6(RECVFROM, two, AT(buffer), 100, 0, 0, 0);
	int inet = CALL3(SOCKET, AF_INET, SOCK_STREAM, 0);
	uint8_t address[16] = {2, 0, 0, 0, 127, 0, 0, 1};
	memcpy(buffer, address, 16);
	CALL3(BIND, inet, AT(buffer), 16);
	words[0] = 1;
	CALL5(SETSOCKOPT, inet, SOL_SOCKET, SO_REUSEADDR, AT(words), 4);
	words[1] = 4;
	CALL5(GETSOCKOPT, inet, SOL_SOCKET, SO_TYPE, AT(words), AT(words + 1));
}

int main(void)
{
	times();
	signals();
	limits();
	waiting();
	sockets();
	int child = CALL5(CLONE, SIGCHLD, 0, 0, 0, 0);
	if (!child)
		CALL1(EXIT_GROUP, 7);
	CALL4(WAIT4, child, AT(words), 0, AT(words + 4));
	child = CALL5(CLONE, SIGCHLD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID, 0, AT(words), 0, AT(words + 1));
	if (!child)
		CALL1(EXIT_GROUP, 8);
	CALL5(WAITID, P_PID, child, AT(buffer), WEXITED, 0);
	CALL3(WAITPID, -1, AT(words), 0);
	words[0] = AT("a program");
	words[1] = AT("-x");
	words[2] = 0;
	CALL3(EXECVE, AT("/no/such"), AT(words), AT(words + 1));
	return 0;
}
