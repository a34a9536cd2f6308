/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a child with each of fork, vfork, clone and clone3; child n exits with 40 + n. Prints its own pid and 0, then
 * each child's pid and exit code. */
#define _GNU_SOURCE
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void reaped(pid_t child)
{
	int status = -1;
	waitpid(child, &status, 0);
	printf("%d %d\n", child, WEXITSTATUS(status));
}

int main(void)
{
	struct clone_args arguments = {.exit_signal = SIGCHLD};
	printf("%d 0\n", getpid());
	fflush(stdout);
	pid_t child = syscall(SYS_fork);
	if (child == 0)
		syscall(SYS_exit_group, 40);
	reaped(child);
	child = vfork();
	if (child == 0)
		_exit(41);
	reaped(child);
	child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (child == 0)
		syscall(SYS_exit_group, 42);
	reaped(child);
	child = syscall(SYS_clone3, &arguments, sizeof arguments);
	if (child == 0)
		syscall(SYS_exit_group, 43);
	reaped(child);
	return 0;
}
