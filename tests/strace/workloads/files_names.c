// SPDX-License-Identifier: Apache-2.0
// Makes, renames, lists and removes names in directories.
#include "files.h"
#include <linux/fs.h>
#include <sys/sysmacros.h>

static void makes(void)
{
	syscall(SYS_mkdir, "d", 0755);
	syscall(SYS_mkdir, "d", 0);
	syscall(SYS_mkdir, "e", 01777);
	syscall(SYS_mkdir, NOWHERE, 07);
	syscall(SYS_mkdirat, AT_FDCWD, "d/f", 0700);
	syscall(SYS_mkdirat, 99, "g", 070);
	syscall(SYS_mkdirat, AT_FDCWD, "/nonexistent/x", 0xffff);
	syscall(SYS_mknod, "fifo", S_IFIFO | 0600, 0);
	syscall(SYS_mknod, "null", S_IFCHR | 0666, makedev(1, 3));
	syscall(SYS_mknod, "disk", S_IFBLK | 0660, makedev(0x123, 0x45678));
	syscall(SYS_mknod, "plain", 0644, 0);
	syscall(SYS_mknod, "plain", S_IFREG | 0644, 7);
	syscall(SYS_mknod, "socket", S_IFSOCK | 04755, 0);
	syscall(SYS_mknod, "wrong", S_IFDIR | 0644, 0);
	syscall(SYS_mknod, "wrong", 0x3000 | 0644, 0);
	syscall(SYS_mknod, "wrong", 0, 0);
	syscall(SYS_mknod, NOWHERE, S_IFCHR, 0xffffffff);
	syscall(SYS_mknodat, AT_FDCWD, "fifo2", S_IFIFO | 0600, 0);
	syscall(SYS_mknodat, 99, "fifo3", S_IFIFO, 5);
	syscall(SYS_mknodat, AT_FDCWD, "d/null", S_IFCHR | 0666, makedev(1, 3));
	syscall(SYS_mknodat, AT_FDCWD, "d/null", S_IFBLK | 02640, makedev(8, 1));
	syscall(SYS_mknodat, -1L, "/mnt/fifo", 0xf1ff, 0);
}

static void links(void)
{
	char buffer[64];
	make_file("a", "a");
	syscall(SYS_link, "a", "b");
	syscall(SYS_link, "a", "b");
	syscall(SYS_link, "/nonexistent", NULL);
	syscall(SYS_linkat, AT_FDCWD, "a", AT_FDCWD, "c", 0);
	syscall(SYS_linkat, AT_FDCWD, "", 98, "c", AT_EMPTY_PATH | AT_SYMLINK_FOLLOW);
	syscall(SYS_linkat, 99, "a", AT_FDCWD, "d", 0x30);
	syscall(SYS_symlink, "a", "s");
	syscall(SYS_symlink, "a", "s");
	syscall(SYS_symlink, "the target is a name longer than 32 bytes, and more", "long");
	syscall(SYS_symlink, NOWHERE, NULL);
	syscall(SYS_symlinkat, "nothing", AT_FDCWD, "t");
	syscall(SYS_symlinkat, "nothing", 99, "t");
	syscall(SYS_symlinkat, "", AT_FDCWD, "u");
	syscall(SYS_readlink, "s", buffer, sizeof buffer);
	syscall(SYS_readlink, "long", buffer, sizeof buffer);
	syscall(SYS_readlink, "long", buffer, 3);
	syscall(SYS_readlink, "a", buffer, sizeof buffer);
	syscall(SYS_readlink, "/nonexistent", buffer, 0);
	syscall(SYS_readlink, NOWHERE, NOWHERE, -1L);
	syscall(SYS_readlinkat, AT_FDCWD, "t", buffer, sizeof buffer);
	syscall(SYS_readlinkat, 99, "t", buffer, sizeof buffer);
	syscall(SYS_readlinkat, AT_FDCWD, "s", NOWHERE, sizeof buffer);
}

static void lists(void)
{
	char buffer[4096];
	int fd = open(".", O_RDONLY | O_DIRECTORY), empty = open("d/f", O_RDONLY | O_DIRECTORY);
	syscall(SYS_getdents64, fd, buffer, sizeof buffer);
	syscall(SYS_getdents64, fd, buffer, sizeof buffer);
	syscall(SYS_getdents64, empty, buffer, sizeof buffer);
	syscall(SYS_getdents64, 99, buffer, sizeof buffer);
	syscall(SYS_getdents64, fd, NOWHERE, sizeof buffer);
	syscall(SYS_lseek, empty, 0, SEEK_SET);
	syscall(SYS_getdents, empty, buffer, sizeof buffer);
	syscall(SYS_lseek, fd, 0, SEEK_SET);
	syscall(SYS_getdents64, fd, buffer, 5);
	syscall(SYS_getdents, fd, buffer, sizeof buffer);
	syscall(SYS_getdents, fd, buffer, sizeof buffer);
	syscall(SYS_getdents, 99, buffer, 100);
}

static void directories(void)
{
	char buffer[256];
	int fd = open("d", O_RDONLY | O_DIRECTORY);
	syscall(SYS_chdir, "d");
	syscall(SYS_getcwd, buffer, sizeof buffer);
	syscall(SYS_getcwd, buffer, 3);
	syscall(SYS_getcwd, NOWHERE, 100);
	syscall(SYS_getcwd, NULL, 0);
	syscall(SYS_chdir, "..");
	syscall(SYS_chdir, "a");
	syscall(SYS_chdir, NOWHERE);
	syscall(SYS_fchdir, fd);
	syscall(SYS_fchdir, 99);
	syscall(SYS_getcwd, buffer, sizeof buffer);
	syscall(SYS_chdir, "/mnt");
	syscall(SYS_chroot, "/nonexistent");
	syscall(SYS_chroot, NULL);
	syscall(SYS_umask, 022);
	syscall(SYS_umask, 0);
	syscall(SYS_umask, 01777);
	syscall(SYS_umask, 0);
}

static void renames(void)
{
	syscall(SYS_rename, "b", "b2");
	syscall(SYS_rename, "/nonexistent", "b2");
	syscall(SYS_rename, NOWHERE, NULL);
	syscall(SYS_renameat, AT_FDCWD, "b2", AT_FDCWD, "b3");
	syscall(SYS_renameat, 99, "b2", -1L, "b3");
	syscall(SYS_renameat, AT_FDCWD, "/nonexistent", AT_FDCWD, "");
	syscall(SYS_renameat2, AT_FDCWD, "b3", AT_FDCWD, "c", RENAME_EXCHANGE);
	syscall(SYS_renameat2, AT_FDCWD, "b3", AT_FDCWD, "c", RENAME_NOREPLACE);
	syscall(SYS_renameat2, AT_FDCWD, "b3", AT_FDCWD, "c", RENAME_WHITEOUT | RENAME_EXCHANGE);
	syscall(SYS_renameat2, AT_FDCWD, "b3", AT_FDCWD, "b4", 0);
	syscall(SYS_renameat2, 99, NULL, AT_FDCWD, NOWHERE, 0x50);
	syscall(SYS_unlink, "b4");
	syscall(SYS_unlink, "d");
	syscall(SYS_unlink, NOWHERE);
	syscall(SYS_unlinkat, AT_FDCWD, "c", 0);
	syscall(SYS_unlinkat, AT_FDCWD, "d/f", AT_REMOVEDIR);
	syscall(SYS_unlinkat, AT_FDCWD, "d", 0x10000);
	syscall(SYS_unlinkat, 99, NULL, AT_REMOVEDIR | AT_SYMLINK_NOFOLLOW);
	syscall(SYS_rmdir, "e");
	syscall(SYS_rmdir, "d");
	syscall(SYS_rmdir, NOWHERE);
}

int main(void)
{
	fresh_directory();
	makes();
	links();
	lists();
	directories();
	renames();
	syscall(SYS_chroot, ".");
	return 0;
}
