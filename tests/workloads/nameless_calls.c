/* SPDX-License-Identifier: Apache-2.0 */
/* nameless_calls ROUNDS: makes calls that name nothing, in turn: of some thirty numbers, once with a descriptor that is not
 * open and once with one that does not fit, so that each number has two results or more. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static const int of_descriptors[] = {
	SYS_lseek,           SYS_pread64,     SYS_pwrite64,    SYS_fstat,      SYS_fsync,           SYS_fdatasync,
	SYS_ftruncate,       SYS_getdents64,  SYS_fchdir,      SYS_fchmod,     SYS_fstatfs,         SYS_readahead,
	SYS_fadvise64,       SYS_fallocate,   SYS_epoll_ctl,   SYS_epoll_wait, SYS_flock,           SYS_listen,
	SYS_shutdown,        SYS_getsockname, SYS_getpeername, SYS_syncfs,     SYS_timerfd_settime, SYS_timerfd_gettime,
	SYS_sync_file_range, SYS_tee,         SYS_vmsplice,    SYS_splice,
};
static const int of_nothing[] = {
	SYS_getpid, SYS_getuid,  SYS_getgid, SYS_geteuid,     SYS_getegid,     SYS_getppid,     SYS_getpgrp,
	SYS_gettid, SYS_getpgid, SYS_getsid, SYS_sched_yield, SYS_getpriority, SYS_personality, SYS_sched_getscheduler,
};

int main(int argc, char **argv)
{
	int fds[2];
	char *page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (argc != 2 || pipe(fds))
		return 1;
	for (long rounds = atol(argv[1]); rounds; rounds--) {
		for (unsigned n = 0; n < sizeof of_descriptors / sizeof *of_descriptors; n++) {
			syscall(of_descriptors[n], -1, 0, 0, 0, 0, 0);
			syscall(of_descriptors[n], fds[0], 0, 0, 0, 0, 0);
		}
		for (unsigned n = 0; n < sizeof of_nothing / sizeof *of_nothing; n++)
			syscall(of_nothing[n], 0, 0, 0, 0, 0, 0);
		mprotect(page, 4096, PROT_READ);
		mmap(0, 1UL << 62, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	}
	return 0;
}
