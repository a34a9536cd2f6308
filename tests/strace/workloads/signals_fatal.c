/* SPDX-License-Identifier: Apache-2.0 */
/* Signals that end a process, from every kind of sender, during calls and between them. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t child(void (*run)(void))
{
	pid_t pid = fork();
	if (!pid) {
		run();
		syscall(SYS_exit_group, 99);
	}
	return pid;
}

static void ended(void (*run)(void))
{
	int status;
	child(run);
	wait(&status);
}

static void waits(void)
{
	for (;;)
		syscall(SYS_pause);
}

static void by_itself(void)
{
	kill(getpid(), SIGTERM);
}

static void by_its_thread_number(void)
{
	syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
}

static void with_a_value(void)
{
	union sigval value = {.sival_int = 77};
	sigqueue(getpid(), SIGRTMIN + 3, value);
}

static void by_an_interval(void)
{
	struct itimerval soon = {.it_value = {0, 10000}};
	setitimer(ITIMER_REAL, &soon, 0);
	waits();
}

static void by_a_timer(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
	struct itimerspec soon = {.it_value = {0, 10000000}};
	timer_t timer;
	timer_create(CLOCK_MONOTONIC, &event, &timer);
	timer_settime(timer, 0, &soon, 0);
	waits();
}

static void by_a_broken_pipe(void)
{
	int ends[2];
	char byte = 'x';
	pipe(ends);
	close(ends[0]);
	write(ends[1], &byte, 1);
}

static void blocked_at_first(void)
{
	unsigned long set = 1 << (SIGHUP - 1);
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, 0, 8);
	kill(getpid(), SIGHUP);
	getppid();
	syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &set, 0, 8);
}

static void by_its_parent(int number)
{
	int status;
	pid_t pid = child(waits);
	struct timespec while_it_falls_asleep = {0, 20000000};
	syscall(SYS_nanosleep, &while_it_falls_asleep, 0);
	kill(pid, number);
	wait(&status);
}

int main(void)
{
	ended(by_itself);
	ended(by_its_thread_number);
	ended(with_a_value);
	ended(by_an_interval);
	ended(by_a_timer);
	ended(by_a_broken_pipe);
	ended(blocked_at_first);
	by_its_parent(SIGINT);
	by_its_parent(SIGKILL);
	by_its_parent(SIGTERM);
	return 0;
}
