// SPDX-License-Identifier: Apache-2.0
// Reads and changes the attributes of files.
#include "files.h"
#include <linux/stat.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <utime.h>

static void stats(int fd)
{
	struct stat st;
	struct statx stx;
	struct statfs fs;
	syscall(SYS_stat, "a", &st);
	syscall(SYS_stat, "d", &st);
	syscall(SYS_stat, "/dev/null", &st);
	syscall(SYS_stat, "/nonexistent", &st);
	syscall(SYS_stat, NOWHERE, NULL);
	syscall(SYS_stat, "a", NOWHERE);
	syscall(SYS_lstat, "s", &st);
	syscall(SYS_lstat, "fifo", &st);
	syscall(SYS_lstat, "/nonexistent", &st);
	syscall(SYS_fstat, fd, &st);
	syscall(SYS_fstat, 99, &st);
	syscall(SYS_fstat, -1L, NULL);
	syscall(SYS_newfstatat, AT_FDCWD, "a", &st, AT_SYMLINK_NOFOLLOW);
	syscall(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH);
	syscall(SYS_newfstatat, 99, "a", &st, 0);
	syscall(SYS_newfstatat, AT_FDCWD, "a", &st, AT_NO_AUTOMOUNT | 0x10000);
	syscall(SYS_newfstatat, AT_FDCWD, "a", &st, 0x10000);
	syscall(SYS_statx, AT_FDCWD, "a", AT_STATX_SYNC_AS_STAT, STATX_ALL, &stx);
	syscall(SYS_statx, AT_FDCWD, "/dev/null", AT_STATX_DONT_SYNC | AT_SYMLINK_NOFOLLOW, STATX_TYPE | STATX_MODE,
		&stx);
	syscall(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS | STATX_BTIME, &stx);
	syscall(SYS_statx, AT_FDCWD, "d", 0, 0, &stx);
	syscall(SYS_statx, AT_FDCWD, "d", 0, STATX_BASIC_STATS, &stx);
	syscall(SYS_statx, 99, "a", 0x10000, 0x80000000, &stx);
	syscall(SYS_statx, AT_FDCWD, "/nonexistent", 0, STATX_SIZE | 0x40000000, NOWHERE);
	syscall(SYS_statx, AT_FDCWD, "a", AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC, STATX_INO, NULL);
	syscall(SYS_statfs, "/proc", &fs);
	syscall(SYS_statfs, "/sys", &fs);
	syscall(SYS_statfs, "/dev/pts", &fs);
	syscall(SYS_statfs, "/", &fs);
	syscall(SYS_statfs, "/nonexistent", &fs);
	syscall(SYS_statfs, NOWHERE, NULL);
	syscall(SYS_fstatfs, open("/proc", O_RDONLY), &fs);
	syscall(SYS_fstatfs, 99, &fs);
	syscall(SYS_fstatfs, fd, NOWHERE);
}

static void rights(int fd)
{
	syscall(SYS_access, "/etc/shadow", R_OK | W_OK);
	syscall(SYS_access, "/nonexistent", F_OK);
	syscall(SYS_access, "a", X_OK);
	syscall(SYS_access, "a", 0x18);
	syscall(SYS_access, NOWHERE, R_OK | W_OK | X_OK | 8);
	syscall(SYS_faccessat, AT_FDCWD, "a", R_OK);
	syscall(SYS_faccessat, 99, "a", F_OK);
	syscall(SYS_faccessat, AT_FDCWD, "/nonexistent", W_OK | X_OK);
	syscall(SYS_faccessat2, AT_FDCWD, "a", R_OK, AT_EACCESS);
	syscall(SYS_faccessat2, fd, "", F_OK, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW);
	syscall(SYS_faccessat2, 99, "a", 0x100, 0x4000);
	syscall(SYS_chmod, "a", 0600);
	syscall(SYS_chmod, "a", 06755);
	syscall(SYS_chmod, "/nonexistent", 0);
	syscall(SYS_chmod, NOWHERE, 0x1ffff);
	syscall(SYS_fchmod, fd, 0644);
	syscall(SYS_fchmod, 99, 07);
	syscall(SYS_fchmod, fd, S_IFREG | 0640);
	syscall(SYS_fchmodat, AT_FDCWD, "a", 0640);
	syscall(SYS_fchmodat, 99, "a", 0);
	syscall(SYS_fchmodat, AT_FDCWD, NULL, 01);
	syscall(SYS_chown, "a", 1000, 100);
	syscall(SYS_chown, "a", -1, -1);
	syscall(SYS_chown, "/nonexistent", 0, -1);
	syscall(SYS_lchown, "s", 12, 34);
	syscall(SYS_lchown, NOWHERE, 4294967294, 0);
	syscall(SYS_fchown, fd, 0, 0);
	syscall(SYS_fchown, 99, -1, 5);
	syscall(SYS_fchownat, AT_FDCWD, "s", 1, 2, AT_SYMLINK_NOFOLLOW);
	syscall(SYS_fchownat, fd, "", -1, 2, AT_EMPTY_PATH);
	syscall(SYS_fchownat, 99, "a", 1, 2, 0);
	syscall(SYS_fchownat, AT_FDCWD, "a", 1, 2, 0x70000);
}

static void times(int fd)
{
	struct utimbuf both = {1234567890, -1};
	struct timeval micro[2] = {{1234567890, 123456}, {0, 0}};
	struct timespec nano[2] = {{0, UTIME_NOW}, {1234567890, 123456789}};
	syscall(SYS_utime, "a", &both);
	syscall(SYS_utime, "a", NULL);
	syscall(SYS_utime, "/nonexistent", &both);
	syscall(SYS_utime, "a", NOWHERE);
	syscall(SYS_utimes, "a", micro);
	syscall(SYS_utimes, "a", NULL);
	syscall(SYS_utimes, "/nonexistent", micro);
	syscall(SYS_utimes, "a", NOWHERE);
	micro[1].tv_usec = 1000000;
	syscall(SYS_utimes, "a", micro);
	micro[1] = (struct timeval){-5, 1};
	syscall(SYS_futimesat, AT_FDCWD, "a", micro);
	syscall(SYS_futimesat, 99, "a", NULL);
	syscall(SYS_futimesat, fd, NULL, micro);
	syscall(SYS_utimensat, AT_FDCWD, "a", nano, 0);
	nano[0] = (struct timespec){-1, UTIME_OMIT};
	syscall(SYS_utimensat, AT_FDCWD, "a", nano, AT_SYMLINK_NOFOLLOW);
	nano[0] = (struct timespec){1, 1};
	nano[1] = (struct timespec){253402300800, 0};
	syscall(SYS_utimensat, fd, NULL, nano, 0);
	nano[1] = (struct timespec){7, 1000000001};
	syscall(SYS_utimensat, AT_FDCWD, "a", nano, 0x10);
	syscall(SYS_utimensat, AT_FDCWD, "a", NULL, 0);
	syscall(SYS_utimensat, 99, "a", NULL, AT_EMPTY_PATH);
	syscall(SYS_utimensat, AT_FDCWD, "a", NOWHERE, 0);
	nano[0] = (struct timespec){0, UTIME_NOW};
	nano[1] = (struct timespec){0, UTIME_NOW};
	syscall(SYS_utimensat, AT_FDCWD, "a", nano, 0);
	nano[0] = (struct timespec){0, UTIME_OMIT};
	nano[1] = (struct timespec){0, UTIME_OMIT};
	syscall(SYS_utimensat, AT_FDCWD, "a", nano, 0);
}

int main(void)
{
	fresh_directory();
	make_file("a", "text");
	if (mkdir("d", 0755) || symlink("a", "s") || mkfifo("fifo", 0600))
		abort();
	int fd = open("a", O_RDWR);
	stats(fd);
	rights(fd);
	times(fd);
	return 0;
}
