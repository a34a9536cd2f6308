/* SPDX-License-Identifier: Apache-2.0 */
/* Puts every byte value, and control sequences of terminals, wherever a program chooses bytes: its name, names of
 * files, data written and read, sockets' addresses, arguments, attributes, targets of links, its directory. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static void with(const char *bytes)
{
	char link[200];
	struct sockaddr_un name = {AF_UNIX};
	char *argv[] = {(char *)bytes, (char *)bytes, NULL}, *none[] = {NULL};
	prctl(PR_SET_NAME, bytes);
	int fd = open(bytes, O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct iovec one = {(char *)bytes, strlen(bytes)};
	write(fd, bytes, strlen(bytes));
	writev(fd, &one, 1);
	pread(fd, link, sizeof link, 0);
	fsetxattr(fd, bytes, bytes, strlen(bytes), 0);
	close(fd);
	unlink(bytes);
	symlink(bytes, "link");
	readlink("link", link, sizeof link);
	unlink("link");
	if (mkdir(bytes, 0700) == 0 && chdir(bytes) == 0) {
		getcwd(link, sizeof link);
		chdir("..");
	}
	rmdir(bytes);
	strncpy(name.sun_path, bytes, sizeof name.sun_path - 1);
	connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&name, sizeof name);
	mount(bytes, "/nonexistent", bytes, 0, bytes);
	syscall(319 /* memfd_create */, bytes, 0);
	execve("/nonexistent", argv, none);
}

int main(int argc, char **argv)
{
	static const char *const obeyed[] = {
		"\033[2J",
		"\033]0;title\a",
		"\033c",
		"\033[31mred",
		"\2332J",
		"\302\2332J",
		"\033P+q\033\\",
		"a\rb",
		"a\bb",
		"a\177b",
		"\342\200\256rtl",
		"\033[6n",
		"\033]52;c;aGk=\a",
		"\n00:00.0 cpu#0 pid 1 [forged] exit()",
		"\016\017",
	};
	char byte[] = "?x", all[257];
	chdir(argv[argc - 1]);
	for (int n = 1; n < 256; n++) {
		byte[0] = n;
		with(byte);
	}
	for (unsigned n = 0; n < sizeof obeyed / sizeof *obeyed; n++)
		with(obeyed[n]);
	for (int n = 0; n < 257; n++)
		all[n] = n;
	write(1, all, 257);
	if (fork() == 0) {
		char *words[] = {"true", (char *)obeyed[0], (char *)obeyed[1], NULL}, *none[] = {NULL};
		execve("/bin/true", words, none);
	}
	wait(NULL);
	return 0;
}
