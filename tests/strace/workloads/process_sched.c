// SPDX-License-Identifier: Apache-2.0
// Scheduling: policies, parameters, CPUs, priorities of input and output.
#define _GNU_SOURCE
#include <stdint.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/sched/types.h conflicts with sched.h. */
struct attributes {
	uint32_t size, sched_policy;
	uint64_t sched_flags;
	int32_t sched_nice;
	uint32_t sched_priority;
	uint64_t sched_runtime, sched_deadline, sched_period;
	uint32_t sched_util_min, sched_util_max;
};

int main(void)
{
	static unsigned long mask[16];
	static struct {
		int priority;
	} param;
	static struct attributes attr;

	syscall(SYS_sched_getscheduler, 0L);
	syscall(SYS_sched_getscheduler, 999999L);
	param.priority = 0;
	syscall(SYS_sched_setscheduler, 0L, (long)SCHED_BATCH, &param);
	syscall(SYS_sched_getscheduler, 0L);
	syscall(SYS_sched_setscheduler, 0L, (long)SCHED_IDLE | SCHED_RESET_ON_FORK, &param);
	syscall(SYS_sched_getscheduler, 0L);
	syscall(SYS_sched_setscheduler, 0L, 0L, &param);
	syscall(SYS_sched_setscheduler, 0L, 77L, &param);
	syscall(SYS_sched_setscheduler, 0L, (long)SCHED_FIFO, 0L);
	syscall(SYS_sched_setparam, 0L, &param);
	syscall(SYS_sched_setparam, 999999L, &param);
	syscall(SYS_sched_getparam, 0L, &param);
	syscall(SYS_sched_getparam, 0L, 0L);
	syscall(SYS_sched_get_priority_max, (long)SCHED_FIFO);
	syscall(SYS_sched_get_priority_max, 77L);
	syscall(SYS_sched_get_priority_min, (long)SCHED_RR);
	syscall(SYS_sched_get_priority_min, (long)SCHED_OTHER);
	syscall(SYS_sched_getaffinity, 0L, 128L, mask);
	syscall(SYS_sched_getaffinity, 0L, 3L, mask);
	syscall(SYS_sched_getaffinity, 999999L, 128L, mask);
	mask[0] = 1;
	syscall(SYS_sched_setaffinity, 0L, 8L, mask);
	syscall(SYS_sched_getaffinity, 0L, 128L, mask);
	mask[0] = 0xf1, mask[1] = 2;
	syscall(SYS_sched_setaffinity, 0L, 16L, mask);
	syscall(SYS_sched_setaffinity, 0L, 12L, mask);
	syscall(SYS_sched_setaffinity, 999999L, 16L, mask);
	mask[0] = 0, mask[1] = 0;
	syscall(SYS_sched_setaffinity, 0L, 8L, mask);
	syscall(SYS_sched_setaffinity, 0L, 0L, mask);
	syscall(SYS_sched_setaffinity, 0L, 8L, 0L);
	syscall(SYS_sched_getattr, 0L, &attr, (long)sizeof attr, 0L);
	syscall(SYS_sched_getattr, 0L, &attr, 48L, 0L);
	syscall(SYS_sched_getattr, 0L, &attr, 1L, 0L);
	syscall(SYS_sched_getattr, 0L, 0L, 48L, 1L);
	attr = (struct attributes){.size = 48, .sched_policy = SCHED_BATCH, .sched_nice = 3};
	syscall(SYS_sched_setattr, 0L, &attr, 0L);
	attr = (struct attributes){.size = sizeof attr, .sched_policy = SCHED_OTHER, .sched_flags = 1, .sched_nice = 3};
	syscall(SYS_sched_setattr, 0L, &attr, 0L);
	attr = (struct attributes){.size = sizeof attr,
				   .sched_policy = SCHED_DEADLINE,
				   .sched_runtime = 10,
				   .sched_deadline = 20,
				   .sched_period = 30,
				   .sched_flags = 0x7f};
	syscall(SYS_sched_setattr, 999999L, &attr, 1L);
	attr.size = 10;
	syscall(SYS_sched_setattr, 0L, &attr, 0L);
	syscall(SYS_sched_setattr, 0L, 0L, 0L);
	syscall(SYS_sched_yield);
	syscall(SYS_ioprio_get, 1L, 0L);
	syscall(SYS_ioprio_set, 1L, 0L, 2L << 13 | 4);
	syscall(SYS_ioprio_get, 1L, 0L);
	syscall(SYS_ioprio_set, 2L, 999999L, 1L << 13);
	syscall(SYS_ioprio_set, 9L, 0L, 7L << 13 | 3);
	syscall(SYS_ioprio_get, 3L, 1234567L);
	return 0;
}
