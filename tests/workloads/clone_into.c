/* SPDX-License-Identifier: Apache-2.0 */
/* Creates a child in the cgroup argv[1] (CLONE_INTO_CGROUP), which opens argv[2], a missing file. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct clone_args args = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD};
	args.cgroup = open(argv[1], O_RDONLY | O_DIRECTORY);
	pid_t child = syscall(SYS_clone3, &args, sizeof args);
	if (child == 0) {
		syscall(SYS_open, argv[2], O_RDONLY, 0);
		_exit(0);
	}
	int status;
	return argc != 3 || child < 0 || waitpid(child, &status, 0) != child || status;
}
