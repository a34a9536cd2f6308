/* SPDX-License-Identifier: Apache-2.0 */
/* new_calls WHAT [N]: makes calls that are new. access("/first/of/all") comes first, then
 *
 *   race N    two threads, on a CPU each, call access("/r<n>/x") at the same time, for each n below N
 *   names N   N times access("/names/<n>")
 *   fill N    N times access("/d<n>/x")
 *   move FIFO a thread on CPU 0 opens the new FIFO, which waits for a writer, and is moved to CPU 1 meanwhile
 *   page      access() of a path that ends with its page; the next page is not mapped
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static long total;
static char *fifo;
static volatile int waiting;
static pthread_barrier_t barrier;

static void pin(pthread_t thread, int cpu)
{
	cpu_set_t cpus;
	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	pthread_setaffinity_np(thread, sizeof cpus, &cpus);
}

static void *race(void *number)
{
	char path[64];
	pin(pthread_self(), (long)number);
	for (long n = 0; n < total; n++) {
		sprintf(path, "/r%ld/x", n);
		pthread_barrier_wait(&barrier);
		access(path, F_OK);
	}
	return 0;
}

static void *wait_for_input(void *unused)
{
	pin(pthread_self(), 0);
	waiting = gettid();
	open(fifo, O_RDONLY);
	return 0;
}

static char state_of(int tid)
{
	char path[64], line[256] = "";
	sprintf(path, "/proc/self/task/%d/stat", tid);
	FILE *file = fopen(path, "r");
	if (!fgets(line, sizeof line, file))
		exit(1);
	fclose(file);
	return strrchr(line, ')')[2];
}

int main(int argc, char **argv)
{
	char path[64], *what = argv[1];
	total = argc > 2 ? atol(argv[2]) : 0;
	access("/first/of/all", F_OK);
	if (!strcmp(what, "race")) {
		pthread_t other;
		pthread_barrier_init(&barrier, 0, 2);
		pthread_create(&other, 0, race, (void *)1);
		race(0);
		pthread_join(other, 0);
	} else if (!strcmp(what, "move")) {
		pthread_t other;
		fifo = argv[2];
		char same[4096]; /* another name, so that what the writer calls is another call */
		snprintf(same, sizeof same, "%s.w", fifo);
		if (mkfifo(fifo, 0600) || link(fifo, same))
			return 1;
		pthread_create(&other, 0, wait_for_input, 0);
		while (!waiting || state_of(waiting) != 'S')
			sched_yield();
		pin(other, 1);
		if (open(same, O_WRONLY) < 0)
			return 1;
		pthread_join(other, 0);
	} else if (!strcmp(what, "page")) {
		long page = sysconf(_SC_PAGESIZE);
		char *end = (char *)mmap(0, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) +
			    page;
		munmap(end, page);
		access(strcpy(end - sizeof "/page/end", "/page/end"), F_OK);
	} else {
		for (long n = 0; n < total; n++) {
			sprintf(path, strcmp(what, "names") ? "/d%ld/x" : "/names/%ld", n);
			access(path, F_OK);
		}
	}
	return 0;
}
