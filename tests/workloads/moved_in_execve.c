/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Begins a next stage of itself, moves it into a cgroup while the execve that begins it has not returned yet, as runc may
 * do, and ends as it does. The stage makes some calls, and executes the program.
 *
 * moved_in_execve CGROUP.PROCS PROGRAM [ARGUMENT]...
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static void run_stage(char **program)
{
	if (chdir("/") || chdir("/proc"))
		err(2, "chdir");
	execv(program[0], program);
	err(2, "%s", program[0]);
}

static void wait_for_stop(pid_t child, int event)
{
	int status;
	if (waitpid(child, &status, 0) != child || status >> 8 != (SIGTRAP | event << 8))
		errx(2, "the child has not stopped at event %d: status %#x", event, status);
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "stage"))
		run_stage(argv + 2);
	pid_t child = fork();
	if (!child) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGTRAP);
		argv[1] = "stage";
		execv("/proc/self/exe", argv);
		err(2, "/proc/self/exe");
	}
	wait_for_stop(child, 0);
	if (ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACEEXEC) || ptrace(PTRACE_CONT, child, 0, 0))
		err(2, "ptrace");
	wait_for_stop(child, PTRACE_EVENT_EXEC);
	int procs = open(argv[1], O_WRONLY);
	if (procs < 0 || dprintf(procs, "%d", child) < 0)
		err(2, "%s", argv[1]);
	if (ptrace(PTRACE_DETACH, child, 0, 0))
		err(2, "ptrace");
	int status;
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
