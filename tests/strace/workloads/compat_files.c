/* SPDX-License-Identifier: Apache-2.0 */
/* A 32-bit program's files: names, data, iovecs, attributes, locks. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "compat.h"

// clang-format off
enum {
	READ = 3, WRITE, OPEN, CLOSE, CREAT = 8, LINK, UNLINK, TIME = 13, CHMOD = 15, LSEEK = 19, UTIME = 30, ACCESS = 33,
	RENAME = 38, MKDIR, RMDIR, PIPE = 42, UMASK = 60, SYMLINK = 83, READLINK = 85, MUNMAP = 91, TRUNCATE, FTRUNCATE,
	STATFS = 99, FSTATFS, STAT = 106, LSTAT, FSTAT, LLSEEK = 140, READV = 145, WRITEV, PREAD = 180, PWRITE,
	GETCWD = 183, SENDFILE = 187, MMAP2 = 192, TRUNCATE64, FTRUNCATE64, STAT64, LSTAT64, FSTAT64, LCHOWN32,
	FCHOWN32 = 207, CHOWN32 = 212, FCNTL64 = 221, SENDFILE64 = 239, STATFS64 = 268, FSTATFS64, UTIMES = 271,
	OPENAT = 295, MKDIRAT, FSTATAT64 = 300, UNLINKAT, UTIMENSAT = 320, FALLOCATE = 324, PIPE2 = 331, PREADV = 333,
	PWRITEV, STATX = 383, UTIMENSAT64 = 412,
};
// clang-format on

struct iovec32 {
	uint32_t base, length;
};

static char buffer[4096] __attribute__((aligned(64)));
static uint32_t pair[4];
static struct iovec32 vector[3];
static uint64_t offset;
static int16_t lock[16];

static void data(int fd)
{
	CALL3(WRITE, fd, AT("some text of a 32-bit program, and more"), 39);
	vector[0] = (struct iovec32){AT("one"), 3};
	vector[1] = (struct iovec32){0, 0};
	vector[2] = (struct iovec32){AT("three"), 5};
	CALL3(WRITEV, fd, AT(vector), 3);
	CALL5(PWRITEV, fd, AT(vector), 3, 7, 0);
	CALL3(WRITEV, fd, 8, 2);
	CALL3(LSEEK, fd, 0, SEEK_SET);
	CALL5(LLSEEK, fd, 0, 4, AT(&offset), SEEK_SET);
	CALL5(LLSEEK, fd, 1, 4, AT(&offset), SEEK_SET);
	CALL5(LLSEEK, -1, 0, 4, AT(&offset), SEEK_CUR);
	CALL3(LSEEK, fd, 0, SEEK_SET);
	vector[0] = (struct iovec32){AT(buffer), 4};
	vector[1] = (struct iovec32){AT(buffer + 100), 400};
	CALL3(READV, fd, AT(vector), 2);
	CALL3(READV, -1, AT(vector), 2);
	CALL5(PREADV, fd, AT(vector), 2, 3, 0);
	CALL3(READ, fd, AT(buffer), 10);
	CALL3(READ, fd, AT(buffer), 10);
	CALL5(PREAD, fd, AT(buffer), 12, 2, 0);
	CALL5(PWRITE, fd, AT("over"), 4, 2, 1);
	CALL5(PREAD, fd, AT(buffer), 12, 5, 0);
	pair[0] = 2;
	CALL4(SENDFILE, fd, fd, AT(pair), 3);
	offset = 3;
	CALL4(SENDFILE64, fd, fd, AT(&offset), 4);
}

static void attributes(int fd)
{
	CALL2(STAT64, AT("a"), AT(buffer));
	CALL2(LSTAT64, AT("link"), AT(buffer));
	CALL2(FSTAT64, fd, AT(buffer));
	CALL2(FSTAT64, -1, AT(buffer));
	CALL4(FSTATAT64, AT_FDCWD, AT("/dev/null"), AT(buffer), AT_SYMLINK_NOFOLLOW);
	CALL5(STATX, AT_FDCWD, AT("a"), 0, STATX_ALL, AT(buffer));
	CALL3(STATFS64, AT("/proc"), 84, AT(buffer));
	CALL3(FSTATFS64, fd, 84, AT(buffer));
	CALL3(FSTATFS64, fd, 80, AT(buffer));
	CALL2(STATFS, AT("/proc"), AT(buffer));
	CALL2(UTIME, AT("a"), 0);
	pair[0] = 1234567890;
	pair[1] = 1234567891;
	CALL2(UTIME, AT("a"), AT(pair));
	pair[1] = 250;
	pair[2] = 1234567892;
	pair[3] = 7;
	CALL2(UTIMES, AT("a"), AT(pair));
	pair[1] = 0x3fffffff; /* UTIME_NOW */
	CALL4(UTIMENSAT, AT_FDCWD, AT("a"), AT(pair), 0);
	CALL3(CHOWN32, AT("a"), 0, -1);
	CALL3(FCHOWN32, fd, -1, 0);
	CALL2(CHMOD, AT("a"), 0600);
}

static void locks(int fd)
{
	lock[0] = F_WRLCK;
	*(int32_t *)(lock + 2) = 5;
	*(int32_t *)(lock + 4) = 10;
	CALL3(FCNTL64, fd, 6, AT(lock)); /* F_SETLK */
	CALL3(FCNTL64, fd, 5, AT(lock)); /* F_GETLK */
	CALL3(FCNTL64, fd, F_GETFL, 0);
	CALL3(FCNTL64, fd, F_SETFL, O_APPEND);
	CALL3(FCNTL64, fd, F_GETFD, 0);
	CALL3(FCNTL64, fd, F_DUPFD, 20);
}

int main(void)
{
	int fd = CALL3(OPEN, AT("a"), O_RDWR | O_CREAT, 0644);
	CALL4(OPENAT, AT_FDCWD, AT("/no/such"), O_RDONLY, 0);
	data(fd);
	CALL2(SYMLINK, AT("a"), AT("link"));
	CALL3(READLINK, AT("link"), AT(buffer), 100);
	attributes(fd);
	locks(fd);
	CALL2(TRUNCATE, AT("a"), 20);
	CALL2(FTRUNCATE, fd, 30);
	CALL3(TRUNCATE64, AT("a"), 40, 0);
	CALL3(FTRUNCATE64, fd, 50, 1);
	CALL6(FALLOCATE, fd, 1, 100, 0, 200, 0);
	CALL2(LINK, AT("a"), AT("b"));
	CALL2(RENAME, AT("b"), AT("c"));
	CALL1(UNLINK, AT("c"));
	CALL2(MKDIR, AT("d"), 0700);
	CALL2(ACCESS, AT("d"), 7);
	CALL1(RMDIR, AT("d"));
	CALL1(UMASK, 022);
	CALL1(PIPE, AT(pair));
	CALL2(PIPE2, AT(pair), O_CLOEXEC);
	CALL2(GETCWD, 8, 100);
	CALL6(MMAP2, 0x10000000, 4096, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 1);
	CALL2(MUNMAP, 0x10000000, 4096);
	CALL1(CLOSE, fd);
	CALL1(CLOSE, -1);
	return 0;
}
