/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks, sleeps and timers. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define BAD ((void *)8)

static void clocks(void)
{
	struct timespec now;
	struct timeval now_us;
	struct timezone zone;
	time_t seconds;
	for (int clock = 0; clock < 14; clock++) {
		syscall(SYS_clock_gettime, clock, &now);
		syscall(SYS_clock_getres, clock, &now);
	}
	syscall(SYS_clock_gettime, -2, &now);
	syscall(SYS_clock_gettime, -6, &now);
	syscall(SYS_clock_gettime, -5, &now);
	syscall(SYS_clock_gettime, CLOCK_REALTIME, BAD);
	syscall(SYS_clock_gettime, CLOCK_REALTIME, 0);
	syscall(SYS_clock_getres, CLOCK_MONOTONIC, 0);
	syscall(SYS_clock_getres, 99, 0);
	now = (struct timespec){1, -1};
	syscall(SYS_clock_settime, CLOCK_REALTIME, &now);
	syscall(SYS_clock_settime, CLOCK_MONOTONIC, &now);
	syscall(SYS_clock_settime, CLOCK_REALTIME, BAD);
	syscall(SYS_clock_settime, 99, 0);
	syscall(SYS_gettimeofday, &now_us, &zone);
	syscall(SYS_gettimeofday, &now_us, 0);
	syscall(SYS_gettimeofday, 0, &zone);
	syscall(SYS_gettimeofday, BAD, 0);
	now_us = (struct timeval){1, 99999999};
	syscall(SYS_settimeofday, &now_us, 0);
	zone.tz_minuteswest = -1000;
	syscall(SYS_settimeofday, 0, &zone);
	syscall(SYS_settimeofday, BAD, BAD);
	syscall(SYS_time, &seconds);
	syscall(SYS_time, 0);
	syscall(SYS_time, BAD);
}

static void adjustments(void)
{
	struct timex asked = {0};
	syscall(SYS_adjtimex, &asked);
	asked.modes = 0;
	syscall(SYS_clock_adjtime, CLOCK_REALTIME, &asked);
	asked.modes = ADJ_OFFSET_SS_READ;
	syscall(SYS_adjtimex, &asked);
	asked.modes = ADJ_TICK;
	asked.tick = 1;
	syscall(SYS_adjtimex, &asked);
	syscall(SYS_clock_adjtime, CLOCK_MONOTONIC, &asked);
	syscall(SYS_clock_adjtime, 99, &asked);
	syscall(SYS_adjtimex, BAD);
	syscall(SYS_clock_adjtime, CLOCK_REALTIME, 0);
}

static void sleeps(void)
{
	struct timespec soon = {0, 1000000}, bad = {0, 1000000000}, negative = {-1, -1}, left;
	syscall(SYS_nanosleep, &soon, &left);
	syscall(SYS_nanosleep, &soon, 0);
	syscall(SYS_nanosleep, &bad, &left);
	syscall(SYS_nanosleep, &negative, 0);
	syscall(SYS_nanosleep, BAD, BAD);
	syscall(SYS_nanosleep, 0, 0);
	syscall(SYS_clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &soon, 0);
	syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &soon, &left);
	syscall(SYS_clock_nanosleep, CLOCK_BOOTTIME, 0x302, &soon, 0);
	syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &soon, 0);
	syscall(SYS_clock_nanosleep, CLOCK_TAI, TIMER_ABSTIME, &bad, &left);
	syscall(SYS_clock_nanosleep, 99, 0, BAD, BAD);
}

static void interval_timers(void)
{
	struct itimerval set = {{1, 2}, {3, 4}}, old;
	syscall(SYS_setitimer, ITIMER_REAL, &set, 0);
	set = (struct itimerval){{0, 0}, {10, 0}};
	syscall(SYS_setitimer, ITIMER_VIRTUAL, &set, &old);
	syscall(SYS_setitimer, ITIMER_PROF, 0, 0);
	set.it_value.tv_sec = 0;
	syscall(SYS_setitimer, ITIMER_REAL, &set, 0);
	syscall(SYS_setitimer, ITIMER_VIRTUAL, &set, 0);
	set.it_value.tv_usec = -1;
	syscall(SYS_setitimer, ITIMER_REAL, &set, &old);
	syscall(SYS_setitimer, 99, &set, &old);
	syscall(SYS_setitimer, ITIMER_REAL, BAD, &old);
	syscall(SYS_getitimer, ITIMER_REAL, &old);
	syscall(SYS_getitimer, ITIMER_PROF, &old);
	syscall(SYS_getitimer, 99, &old);
	syscall(SYS_getitimer, ITIMER_VIRTUAL, BAD);
	syscall(SYS_alarm, 100);
	syscall(SYS_alarm, 0);
	syscall(SYS_alarm, -1);
	syscall(SYS_alarm, 0);
}

static void timers(void)
{
	struct sigevent event;
	struct itimerspec set = {{1, 2}, {1000, 4}}, old;
	int timer = -1, other;
	memset(&event, 0, sizeof event);
	event.sigev_notify = SIGEV_NONE;
	syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer);
	event.sigev_notify = SIGEV_SIGNAL;
	event.sigev_signo = SIGRTMIN;
	event.sigev_value.sival_ptr = (void *)0x123456789a;
	syscall(SYS_timer_create, CLOCK_BOOTTIME, &event, &other);
	syscall(SYS_timer_create, CLOCK_REALTIME, 0, &other);
	event.sigev_notify = SIGEV_THREAD_ID;
	event._sigev_un._tid = 0x7ffffff0;
	syscall(SYS_timer_create, CLOCK_REALTIME, &event, &other);
	event.sigev_notify = SIGEV_THREAD;
	event._sigev_un._sigev_thread._function = (void *)0x1234;
	event._sigev_un._sigev_thread._attribute = 0;
	syscall(SYS_timer_create, 99, &event, &other);
	event.sigev_notify = 9;
	event.sigev_value.sival_ptr = 0;
	syscall(SYS_timer_create, CLOCK_REALTIME, &event, &other);
	syscall(SYS_timer_create, CLOCK_REALTIME, BAD, &other);
	syscall(SYS_timer_create, CLOCK_REALTIME, 0, BAD);
	syscall(SYS_timer_settime, timer, TIMER_ABSTIME, &set, &old); /* the rest of the time differs between runs */
	syscall(SYS_timer_settime, timer, 0, &set, 0);
	syscall(SYS_timer_settime, timer, 0, BAD, 0);
	set.it_value.tv_nsec = -1;
	syscall(SYS_timer_settime, timer, 0x300, &set, &old);
	syscall(SYS_timer_settime, 99, 0, 0, &old);
	syscall(SYS_timer_gettime, timer, &old);
	syscall(SYS_timer_gettime, timer, BAD);
	syscall(SYS_timer_gettime, 99, &old);
	syscall(SYS_timer_getoverrun, timer);
	syscall(SYS_timer_getoverrun, 99);
	syscall(SYS_timer_getoverrun, -1);
	syscall(SYS_timer_delete, timer);
	syscall(SYS_timer_delete, timer);
	syscall(SYS_timer_delete, -1);
}

static void timer_descriptors(void)
{
	struct itimerspec set = {{1, 2}, {1000, 4}}, old;
	uint64_t count;
	int fd = syscall(SYS_timerfd_create, CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	syscall(SYS_timerfd_settime, fd, 0, &set, &old);
	set = (struct itimerspec){{0, 0}, {0, 1}};
	syscall(SYS_timerfd_settime, fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &set, 0);
	read(fd, &count, 8);
	syscall(SYS_timerfd_gettime, fd, &old);
	syscall(SYS_timerfd_gettime, fd, BAD);
	syscall(SYS_timerfd_gettime, 99, &old);
	syscall(SYS_timerfd_settime, fd, 0x300, &set, &old);
	syscall(SYS_timerfd_settime, fd, 0, BAD, 0);
	syscall(SYS_timerfd_settime, 99, 0, &set, 0);
	close(fd);
	syscall(SYS_timerfd_create, 99, 0);
	syscall(SYS_timerfd_create, CLOCK_REALTIME, 0x300);
	close(syscall(SYS_timerfd_create, CLOCK_BOOTTIME, 0));
}

int main(void)
{
	struct tms used;
	times(&used);
	syscall(SYS_times, 8);
	clocks();
	adjustments();
	sleeps();
	interval_timers();
	timers();
	timer_descriptors();
	return 0;
}
