/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes a child, moves it into a cgroup, and lets it execute a copy of itself in a file in memory, which makes two calls.
 * With "pids" the child is the first process of a pid namespace, with "mounts" it has a mount namespace of its own. With
 * "detached" the copy is the file itself, in a mount that is in no mount namespace any more, as with runc 1.1.
 *
 * file_in_memory CGROUP.PROCS [pids | mounts | detached]
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/wait.h>
#include <unistd.h>

static void execute_copy(void)
{
	int self = open("/proc/self/exe", O_RDONLY), copy = memfd_create("copy", 0);
	char *words[] = {"copy", NULL}, *environment[] = {NULL};
	while (sendfile(copy, self, NULL, 1 << 20) > 0)
		;
	fexecve(copy, words, environment);
	err(2, "fexecve");
}

static void detach_own_mounts(void)
{
	if (unshare(CLONE_NEWNS) || mount("", "/", "", MS_REC | MS_PRIVATE, ""))
		err(2, "unshare");
}

static void execute_itself(void)
{
	char path[] = "/tmp/tl-copy-XXXXXX", *words[] = {"copy", NULL}, *environment[] = {NULL};
	char own[4096] = ""; /* /proc/self/exe is in the mount namespace of before */
	int file = mkstemp(path), itself;
	if (file < 0 || readlink("/proc/self/exe", own, sizeof own - 1) < 0 || mount(own, path, "", MS_BIND, "") ||
	    (itself = open(path, O_PATH | O_CLOEXEC)) < 0 || umount2(path, MNT_DETACH) || unlink(path))
		err(2, "%s", path);
	fexecve(itself, words, environment);
	err(2, "fexecve");
}

int main(int argc, char **argv)
{
	if (argc == 1)
		return chdir("/") || chdir("/proc") ? 2 : 0;
	int moved[2], status;
	if (pipe(moved) || (argc > 2 && !strcmp(argv[2], "pids") && unshare(CLONE_NEWPID)))
		err(2, "unshare");
	int is_detached = argc > 2 && !strcmp(argv[2], "detached");
	if (is_detached)
		detach_own_mounts();
	pid_t child = fork();
	if (!child) {
		char byte;
		if (read(moved[0], &byte, 1) != 1)
			err(2, "read");
		if (argc > 2 && !strcmp(argv[2], "mounts") && unshare(CLONE_NEWNS))
			err(2, "unshare");
		if (is_detached)
			execute_itself();
		execute_copy();
	}
	int procs = open(argv[1], O_WRONLY);
	if (procs < 0 || dprintf(procs, "%d", child) < 0)
		err(2, "%s", argv[1]);
	if (write(moved[1], "", 1) != 1 || waitpid(child, &status, 0) != child)
		err(2, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
