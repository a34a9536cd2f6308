/* SPDX-License-Identifier: Apache-2.0
 *
 * Times system calls on demand: two threads, one on each of two CPUs, make the calls that standard input asks for.
 *
 *     workload CPU CPU
 *
 * Prints "ready", then answers each line "CALL THREADS BATCHES CALLS" with one line: for each thread the median and the
 * minimum, over BATCHES batches of CALLS calls, of the nanoseconds that one call took. With THREADS 1 the first thread
 * works and the second sleeps, so that the process has two threads in either case (the kernel then counts
 * references to open files).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define THREADS 2
#define BATCHES_MAX 4096
#define BUFFER 64
#define MIXED 5 /* calls in one round of the mix */

struct worker {
	int cpu;
	int null;
	double ns[BATCHES_MAX]; /* a call, per batch */
	char buffer[BUFFER] __attribute__((aligned(64)));
} __attribute__((aligned(128)));

static struct worker workers[THREADS];
static pthread_barrier_t begin, end, both;
static char call[16];
static int threads, batches, calls;

static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* Calls the kernel directly, so that no code of libc is timed. */
static void batch(struct worker *w)
{
	if (!strcmp(call, "getppid")) {
		for (int i = 0; i < calls; i++)
			syscall(SYS_getppid);
	} else if (!strcmp(call, "write")) {
		for (int i = 0; i < calls; i++)
			syscall(SYS_write, w->null, w->buffer, BUFFER);
	} else if (!strcmp(call, "mixed")) {
		for (int i = 0; i < calls / MIXED; i++) {
			syscall(SYS_getppid);
			int fd = syscall(SYS_openat, AT_FDCWD, "/dev/zero", O_RDWR | O_CLOEXEC, 0);
			syscall(SYS_write, fd, w->buffer, BUFFER);
			syscall(SYS_read, fd, w->buffer, BUFFER);
			syscall(SYS_close, fd);
		}
	} else {
		fprintf(stderr, "no such call: %s\n", call);
		exit(2);
	}
}

static void work(struct worker *w)
{
	if (threads > 1)
		pthread_barrier_wait(&both);
	for (int i = 0; i < batches; i++) {
		double start = now_ns();
		batch(w);
		w->ns[i] = (now_ns() - start) / calls;
	}
}

static void prepare(struct worker *w)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(w->cpu, &set);
	if (sched_setaffinity(0, sizeof set, &set))
		fail("sched_setaffinity");
	/* One open file per thread: two threads that share one contend for it even without a tracer. */
	w->null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (w->null < 0)
		fail("/dev/null");
	memset(w->buffer, 'x', sizeof w->buffer);
}

static void *second(void *arg)
{
	struct worker *w = arg;
	prepare(w);
	for (;;) {
		pthread_barrier_wait(&begin);
		if (threads > 1)
			work(w);
		pthread_barrier_wait(&end);
	}
	return NULL;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	if (argc != 1 + THREADS) {
		fprintf(stderr, "usage: workload CPU CPU\n");
		return 2;
	}
	for (int i = 0; i < THREADS; i++)
		workers[i].cpu = atoi(argv[1 + i]);
	pthread_barrier_init(&begin, NULL, THREADS);
	pthread_barrier_init(&end, NULL, THREADS);
	pthread_barrier_init(&both, NULL, THREADS);
	pthread_t thread;
	if (pthread_create(&thread, NULL, second, &workers[1]))
		fail("pthread_create");
	prepare(&workers[0]);
	puts("ready");
	fflush(stdout);
	while (scanf("%15s %d %d %d", call, &threads, &batches, &calls) == 4) {
		if (threads < 1 || threads > THREADS || batches < 1 || batches > BATCHES_MAX || calls < 1) {
			fprintf(stderr, "out of range: %s %d %d %d\n", call, threads, batches, calls);
			return 2;
		}
		pthread_barrier_wait(&begin);
		work(&workers[0]);
		pthread_barrier_wait(&end);
		for (int i = 0; i < threads; i++) {
			qsort(workers[i].ns, batches, sizeof(double), ascending);
			printf("%.2f %.2f ", workers[i].ns[batches / 2], workers[i].ns[0]);
		}
		puts("");
		fflush(stdout);
	}
	return 0;
}
