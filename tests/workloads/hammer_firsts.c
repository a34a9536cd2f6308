/* SPDX-License-Identifier: Apache-2.0 */
/* hammer_firsts: two threads on two CPUs make calls that are new until stdin ends: openat of a missing file in a
 * directory of its own, "/none/THREAD-SEQUENCE/SEQUENCE", with the sequence number as its first argument, which an
 * absolute path makes void. Two writes of 200 bytes, which are not new, follow each. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static int null;
static volatile int stop;

static void *hammer(void *number)
{
	cpu_set_t cpu;
	char path[64], payload[200] = {0};
	CPU_ZERO(&cpu);
	CPU_SET((uintptr_t)number, &cpu);
	sched_setaffinity(0, sizeof cpu, &cpu);
	for (int sequence = 1; !stop; sequence++) {
		snprintf(path, sizeof path, "/none/%d-%d/%d", (int)(uintptr_t)number, sequence, sequence);
		syscall(SYS_openat, sequence, path, O_RDONLY);
		for (int n = 0; n < 2; n++)
			pwrite(null, payload, sizeof payload, 0);
	}
	return 0;
}

int main(void)
{
	pthread_t thread[2];
	char byte;
	null = open("/dev/null", O_WRONLY);
	for (uintptr_t n = 0; n < 2; n++)
		if (pthread_create(&thread[n], 0, hammer, (void *)n))
			return 1;
	while (read(0, &byte, 1) > 0)
		;
	stop = 1;
	for (int n = 0; n < 2; n++)
		pthread_join(thread[n], 0);
	return 0;
}
