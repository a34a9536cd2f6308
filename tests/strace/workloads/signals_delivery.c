/* SPDX-License-Identifier: Apache-2.0 */
/* Delivered signals: their siginfo, and the results of the calls that they interrupt. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static void *page;

static void handle(int signal, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
	if (signal == SIGSEGV || signal == SIGBUS)
		registers[REG_RIP] += 3; /* a mov of three bytes */
	if (signal == SIGILL || (signal == SIGFPE && info->si_code == FPE_INTDIV))
		registers[REG_RIP] += 2; /* ud2, and a div of two bytes */
}

static void catch (int signal, int flags)
{
	struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | flags};
	sigaction(signal, &action, 0);
}

static void faults(void)
{
	page = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(page, 4096, PROT_READ);
	asm volatile("mov %%rax, (%%rdx)" : : "a"(0L), "d"(0L) : "memory");
	asm volatile("mov %%rax, (%%rdx)" : : "a"(0L), "d"(page) : "memory");
	asm volatile("mov %%rax, (%%rdx)" : : "a"(0L), "d"(0x8000000000000000UL) : "memory");
	int fd = memfd_create("empty", 0);
	void *beyond = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	asm volatile("mov %%rax, (%%rdx)" : : "a"(0L), "d"(beyond) : "memory");
	asm volatile("ud2");
	unsigned low = 1, high = 0;
	asm volatile("div %2" : "+a"(low), "+d"(high) : "c"(0));
	asm volatile("int3");
}

static void interrupted(void)
{
	struct itimerval soon = {.it_value = {0, 20000}};
	struct timespec second = {1, 0}, left;
	struct pollfd none = {-1, POLLIN, 0};
	uint64_t empty = 0;
	setitimer(ITIMER_REAL, &soon, 0);
	syscall(SYS_pause);
	setitimer(ITIMER_REAL, &soon, 0);
	syscall(SYS_nanosleep, &second, &left);
	setitimer(ITIMER_REAL, &soon, 0);
	syscall(SYS_nanosleep, &second, 0);
	setitimer(ITIMER_REAL, &soon, 0);
	syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &second, &left);
	setitimer(ITIMER_REAL, &soon, 0);
	syscall(SYS_poll, &none, 1, 1000);
	setitimer(ITIMER_REAL, &soon, 0);
	syscall(SYS_rt_sigsuspend, &empty, 8);
	setitimer(ITIMER_REAL, &soon, 0);
	syscall(SYS_rt_sigtimedwait, &empty, 0, &second, 8);
}

static void kinds(void)
{
	union sigval value = {.sival_ptr = (void *)0x1234};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value = value};
	struct itimerspec soon = {.it_value = {0, 1000000}};
	timer_t timer;
	int ends[2];
	kill(getpid(), SIGUSR1);
	syscall(SYS_tgkill, getpid(), getpid(), SIGUSR2);
	sigqueue(getpid(), SIGRTMIN + 1, value);
	timer_create(CLOCK_MONOTONIC, &event, &timer);
	timer_settime(timer, 0, &soon, 0);
	syscall(SYS_pause);
	timer_delete(timer);
	pipe(ends);
	fcntl(ends[0], F_SETFL, O_ASYNC);
	fcntl(ends[0], F_SETOWN, getpid());
	write(ends[1], "x", 1);
	fcntl(ends[0], F_SETSIG, SIGRTMIN + 2);
	write(ends[1], "x", 1);
	close(ends[0]);
	write(ends[1], "x", 1);
}

int main(void)
{
	for (int signal = 1; signal <= SIGRTMIN + 2; signal++)
		if (signal != SIGKILL && signal != SIGSTOP && signal != 32 && signal != 33)
			catch (signal, 0);
	faults();
	interrupted();
	kinds();
	signal(SIGTERM, SIG_DFL);
	kill(getpid(), SIGTERM);
	return 0;
}
