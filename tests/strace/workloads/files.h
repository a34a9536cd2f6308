/* SPDX-License-Identifier: Apache-2.0
 *
 * Gives a workload a file system of its own, which is empty and the same in each run.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOWHERE ((void *)8) /* an unmapped address */

static inline void fresh_directory(void)
{
	if (unshare(CLONE_NEWNS) || mount("none", "/", 0, MS_REC | MS_PRIVATE, 0) ||
	    mount("none", "/mnt", "tmpfs", 0, "size=16m") || chdir("/mnt"))
		abort();
	umask(0);
}

static inline void make_file(const char *name, const char *text)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0644);
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text) || close(fd))
		abort();
}
