/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In a child each, executes what argv[1] (a program) and argv[2] (a script beside it) name, with strings on pages that the
 * child has not touched: by execveat with the whole path, relative to a descriptor, and by a descriptor alone; the script by
 * execve. The strings lie in a file, which nobody has read by this mapping: in argv[3], at 0 argv[1], at 4096 its last part,
 * at 8192 argv[2], at 12288 "cold0", "cold1". argv[4]: the directory.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int main(int count, char **argv)
{
	int file = open(argv[3], O_RDONLY);
	int directory = open(argv[4], O_PATH), program = open(argv[1], O_PATH);
	if (count != 5 || file < 0 || directory < 0 || program < 0)
		return 2;
	for (int how = 0; how < 4; how++) {
		pid_t child = fork();
		if (!child) {
			char *cold = mmap(0, 4 * 4096, PROT_READ, MAP_PRIVATE, file, 0);
			char *arguments[] = {cold + 3 * 4096, cold + 3 * 4096 + 6, 0};
			if (how == 0)
				syscall(SYS_execveat, AT_FDCWD, cold, arguments, environ, 0);
			if (how == 1)
				syscall(SYS_execveat, directory, cold + 4096, arguments, environ, 0);
			if (how == 2)
				syscall(SYS_execveat, program, cold + 4096 + 2048, arguments, environ, AT_EMPTY_PATH);
			if (how == 3)
				syscall(SYS_execve, cold + 2 * 4096, arguments, environ);
			_exit(1);
		}
		int status;
		if (waitpid(child, &status, 0) != child || status)
			return 1;
		printf("%d\n", child);
	}
	return 0;
}
