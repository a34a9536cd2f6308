/* SPDX-License-Identifier: Apache-2.0 */
/* worker PAGE: a container's program that makes a known number of calls. It maps the file PAGE, writes a byte to
 * stdout to say that it runs, and waits in read for a byte on stdin. Then it calls lseek(-1, n, 0) with n from 0 up to
 * PAGE's `stop`, which may be set meanwhile, and exit_group once. With a `burst` it sleeps once after that many calls
 * until its next period begins, also when it is late. `calls` and `sleeps` count the calls so far. It uses no libc,
 * gets no signal and makes no other call: a recording that begins during the read has the read's return and these
 * calls. */
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

struct page {
	volatile unsigned long calls, sleeps, stop;
	unsigned long burst, period_ns;
	struct timespec next;
};

static long call(long number, long a, long b, long c, long d, long e, long f)
{
	long result;
	register long r10 asm("r10") = d;
	register long r8 asm("r8") = e;
	register long r9 asm("r9") = f;
	asm volatile("syscall"
		     : "=a"(result)
		     : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
		     : "rcx", "r11", "memory");
	return result;
}

static void work(struct page *page)
{
	while (page->calls != page->stop) {
		call(SYS_lseek, -1, page->calls, 0, 0, 0, 0);
		page->calls++;
		if (!page->burst || page->calls % page->burst)
			continue;
		page->next.tv_nsec += page->period_ns;
		if (page->next.tv_nsec >= 1000000000) {
			page->next.tv_nsec -= 1000000000;
			page->next.tv_sec++;
		}
		call(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, (long)&page->next, 0, 0, 0);
		page->sleeps++;
	}
}

__attribute__((used)) void begin(long *stack)
{
	char **argv = (char **)(stack + 1), byte;
	long fd = call(SYS_open, (long)argv[1], 2, 0, 0, 0, 0);
	long page = call(SYS_mmap, 0, sizeof(struct page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page < 0 && page > -4096)
		call(SYS_exit_group, 1, 0, 0, 0, 0, 0);
	call(SYS_write, 1, (long)"r", 1, 0, 0, 0);
	if (call(SYS_read, 0, (long)&byte, 1, 0, 0, 0) != 1)
		call(SYS_exit_group, 1, 0, 0, 0, 0, 0);
	work((struct page *)page);
	call(SYS_exit_group, 0, 0, 0, 0, 0, 0);
}

asm(".globl _start\n_start: mov %rsp, %rdi\nand $-16, %rsp\ncall begin\n");
