/* SPDX-License-Identifier: Apache-2.0 */
/* hammer [FILE]: two threads on two CPUs write to /dev/null until stdin ends. The offset of each call determines its
 * bytes: the offset, twice, then up to 240 bytes, which repeat the offset or, with FILE, are the file's bytes at a
 * place given by it. The offset is the thread's number << 48 | a sequence number; it also determines the length. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int null;
static char *file;
static size_t file_size;
static volatile int stop;

static void *hammer(void *number)
{
	cpu_set_t cpu;
	CPU_ZERO(&cpu);
	CPU_SET((uintptr_t)number, &cpu);
	sched_setaffinity(0, sizeof cpu, &cpu);
	for (uint64_t sequence = 1; !stop; sequence++) {
		uint64_t payload[32], offset = (uintptr_t)number << 48 | sequence;
		size_t words = 6 + sequence % 25;
		payload[0] = payload[1] = offset;
		if (file)
			memcpy(payload + 2, file + offset * 8 % (file_size - 240), words * 8);
		else
			for (size_t n = 0; n < words; n++)
				payload[2 + n] = offset;
		pwrite(null, payload, 16 + words * 8, offset);
	}
	return 0;
}

int main(int argc, char **argv)
{
	pthread_t thread[2];
	char byte;
	null = open("/dev/null", O_WRONLY);
	if (argc > 1) {
		FILE *source = fopen(argv[1], "r");
		file = malloc(1 << 20);
		file_size = fread(file, 1, 1 << 20, source);
	}
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
