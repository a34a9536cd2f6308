// SPDX-License-Identifier: Apache-2.0
// Futexes by operation, and related calls.
#define _GNU_SOURCE
#include <linux/futex.h>
#include <linux/rseq.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static unsigned word = 1, other = 2;

static long futex(long operation, unsigned long value, const void *timeout, void *second, unsigned third)
{
	return syscall(SYS_futex, &word, operation, value, timeout, second, third);
}

int main(void)
{
	struct timespec soon = {0, 1000000}, past = {1, 5};

	futex(FUTEX_WAIT, 5, 0, 0, 0);
	futex(FUTEX_WAIT_PRIVATE, 1, &soon, 0, 0);
	futex(FUTEX_WAKE, 1, 0, 0, 0);
	futex(FUTEX_WAKE_PRIVATE, 0x7fffffff, 0, 0, 0);
	futex(FUTEX_WAKE_PRIVATE, 0xffffffff, 0, 0, 0);
	futex(FUTEX_FD, 1, 0, 0, 0);
	futex(FUTEX_REQUEUE_PRIVATE, 1, (void *)2, &other, 0);
	futex(FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)2, &other, 1);
	futex(FUTEX_CMP_REQUEUE, 1, (void *)0x7fffffff, &other, 9);
	futex(FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &other, FUTEX_OP(FUTEX_OP_SET, 2, FUTEX_OP_CMP_EQ, 3));
	futex(FUTEX_WAKE_OP, 1, (void *)1, &other,
	      FUTEX_OP((FUTEX_OP_ADD | FUTEX_OP_OPARG_SHIFT), 2, FUTEX_OP_CMP_GE, 3));
	futex(FUTEX_WAKE_OP, 1, (void *)1, &other, 0x7f00f00f);
	futex(FUTEX_LOCK_PI, 0, &past, 0, 0);
	futex(FUTEX_UNLOCK_PI_PRIVATE, 0, 0, 0, 0);
	futex(FUTEX_TRYLOCK_PI, 0, 0, 0, 0);
	futex(FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 1, &past, 0, FUTEX_BITSET_MATCH_ANY);
	futex(FUTEX_WAIT_BITSET, 7, 0, 0, 5);
	futex(FUTEX_WAKE_BITSET_PRIVATE, 1, 0, 0, 0xff);
	futex(FUTEX_WAIT_REQUEUE_PI_PRIVATE, 1, &past, &other, 0);
	futex(FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)0, &other, 1);
	futex(FUTEX_LOCK_PI2, 1, &past, 0, 0);
	futex(99, 1, (void *)2, (void *)3, 4);
	futex(FUTEX_WAIT, 1, (void *)8, 0, 0);
	static struct futex_waitv waiters[2] = {{5, 0, FUTEX_32, 0}, {2, 0, FUTEX_32 | FUTEX_PRIVATE_FLAG, 0}};
	waiters[0].uaddr = (uintptr_t)&word, waiters[1].uaddr = (uintptr_t)&other;
	syscall(SYS_futex_waitv, waiters, 2L, 0L, &past, 1L);
	syscall(SYS_futex_waitv, waiters, 0L, 1L, 0L, 0L);
	static long list[3];
	static void *head;
	static size_t length;
	syscall(SYS_set_robust_list, list, 24L);
	syscall(SYS_set_robust_list, list, 23L);
	syscall(SYS_get_robust_list, 0L, &head, &length);
	syscall(SYS_get_robust_list, 999999L, &head, &length);
	static struct rseq area;
	syscall(SYS_rseq, &area, 32L, 0L, 0x53053053L);
	syscall(SYS_rseq, &area, 31L, 1L, 0x1234L);
	syscall(SYS_rseq, 0L, 32L, 2L, 0L);
	return 0;
}
