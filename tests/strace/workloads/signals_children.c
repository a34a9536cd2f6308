/* SPDX-License-Identifier: Apache-2.0 */
/* The ends of children, as their parent is told, and as they are traced. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void handle(int signal)
{
}

static void child(int status, int signal)
{
	pid_t pid = syscall(SYS_fork);
	if (!pid) {
		if (signal)
			syscall(SYS_kill, getpid(), signal);
		syscall(SYS_exit_group, status);
	}
	syscall(SYS_wait4, pid, 0, 0, 0);
}

int main(void)
{
	struct sigaction action = {.sa_handler = handle};
	sigaction(SIGCHLD, &action, 0);
	child(0, 0);
	child(3, 0);
	child(255, 0);
	child(0, SIGKILL);
	child(0, SIGTERM);
	child(0, 34);
	return 0;
}
