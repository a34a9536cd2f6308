/* SPDX-License-Identifier: Apache-2.0 */
/* totals N CGROUP.PROCS: enters the cgroup, by a write of one byte. Then a thread on each of the CPUs 0 and 1 makes N
 * calls getppid; N lseek, which fail; N / 10 pwrite64 of 7 bytes and as many pread64 of 5; and through the 32-bit entry N
 * / 10 getppid and as many lseek, which fail. Statically linked, it reads and writes nothing else. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static long total;

static long int80(long number, long b, long c, long d)
{
	long result;
	asm volatile("int $0x80"
		     : "=a"(result)
		     : "0"(number), "b"(b), "c"(c), "d"(d)
		     : "r8", "r9", "r10", "r11", "memory");
	return result;
}

static void *work(void *number)
{
	cpu_set_t cpus;
	char bytes[] = "seven 7";
	int fd = memfd_create("totals", 0);
	CPU_ZERO(&cpus);
	CPU_SET((long)number, &cpus);
	sched_setaffinity(0, sizeof cpus, &cpus);
	for (long n = 0; n < total; n++) {
		syscall(SYS_getppid);
		syscall(SYS_lseek, -1, n, 0);
		if (n >= total / 10)
			continue;
		if (syscall(SYS_pwrite64, fd, bytes, 7, 0L) != 7 || syscall(SYS_pread64, fd, bytes, 5, 0L) != 5)
			_exit(1);
		int80(64, 0, 0, 0);
		int80(19, -1, n, 0);
	}
	return 0;
}

int main(int argc, char **argv)
{
	pthread_t threads[2];
	int fd = open(argv[2], O_WRONLY);
	total = atol(argv[1]);
	if (write(fd, "0", 1) != 1)
		return 1;
	for (long n = 0; n < 2; n++)
		pthread_create(&threads[n], 0, work, (void *)n);
	for (int n = 0; n < 2; n++)
		pthread_join(threads[n], 0);
	return 0;
}
