/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes processes, each once the one before is blocked in futex, and then wakes them: three with numbers that fill the
 * first three places of the last one's number. "all": four, which fill all its places. Prints the processes' numbers, then
 * how often this process has called futex. Needs a pid_max above 0x14000.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST 5

static pid_t numbers[MOST];
static int count;

static uint32_t *words; /* the one on which they wait, and the one to which they are moved */
static long calls;

static long futex(int operation, long count, long moved)
{
	calls++;
	return syscall(SYS_futex, words, operation, count, moved, words + 1, 77);
}

static int are_free(void)
{
	for (int n = 0; n < count; n++)
		if (!kill(numbers[n], 0))
			return 0;
	return 1;
}

int main(int argc, char **argv)
{
	count = argc > 1 && !strcmp(argv[1], "all") ? MOST : MOST - 1;
	pid_t low = 0x3fff;
	do {
		low--;
		numbers[0] = low;
		numbers[1] = low ^ 0x4001;
		numbers[2] = low ^ 0x8001;
		numbers[3] = low ^ 0xc001;
		numbers[count - 1] = low ^ 0x10000;
	} while (!are_free());
	words = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	words[0] = 77;
	for (int n = 0; n < count; n++) {
		struct clone_args how = {.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&numbers[n], .set_tid_size = 1};
		long made = syscall(SYS_clone3, &how, sizeof how);
		if (!made)
			_exit(syscall(SYS_futex, words, FUTEX_WAIT, 77, 0, 0, 0));
		if (made < 0) {
			perror("clone3");
			return 1;
		}
		printf("%d\n", numbers[n]);
		while (!futex(FUTEX_CMP_REQUEUE, 0, 1))
			sched_yield();
	}
	words[0] = 0;
	syscall(SYS_futex, words + 1, FUTEX_WAKE, MOST, 0, 0, 0);
	for (int status; wait(&status) > 0;)
		if (status)
			return 1;
	printf("%ld\n", calls + 1);
	return 0;
}
