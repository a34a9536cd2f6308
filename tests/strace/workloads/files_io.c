// SPDX-License-Identifier: Apache-2.0
// Reads and writes data with every call.
#include "files.h"
#include <linux/falloc.h>
#include <sys/uio.h>

static const char text[] = "hello\0\1\377\tworld this is more than thirty-two bytes\nof text";

static void plain(int fd)
{
	static char large[1000];
	char buffer[400];
	syscall(SYS_write, fd, text, 50);
	syscall(SYS_write, fd, text, 5);
	syscall(SYS_write, fd, text, 0);
	syscall(SYS_write, fd, "12345678901234567890123456789012", 32);
	syscall(SYS_write, fd, "123456789012345678901234567890123", 33);
	syscall(SYS_write, fd, large, sizeof large);
	syscall(SYS_write, 99, "x", 1);
	syscall(SYS_write, fd, NOWHERE, 4);
	syscall(SYS_write, fd, NULL, 0);
	syscall(SYS_write, fd, NULL, 4);
	syscall(SYS_read, fd, buffer, sizeof buffer);
	syscall(SYS_lseek, fd, 0, SEEK_SET);
	syscall(SYS_read, fd, buffer, 20);
	syscall(SYS_read, fd, buffer, 300);
	syscall(SYS_read, fd, buffer, 0);
	syscall(SYS_read, 99, buffer, 10);
	syscall(SYS_read, fd, NOWHERE, 4);
	syscall(SYS_read, fd, NULL, 4);
	syscall(SYS_lseek, fd, -3L, SEEK_END);
	syscall(SYS_lseek, fd, 2, SEEK_CUR);
	syscall(SYS_lseek, fd, 0, SEEK_DATA);
	syscall(SYS_lseek, fd, 0, SEEK_HOLE);
	syscall(SYS_lseek, fd, -1L, SEEK_SET);
	syscall(SYS_lseek, fd, 0, 77);
	syscall(SYS_lseek, fd, 1LL << 40, SEEK_SET);
	syscall(SYS_lseek, 99, 0, SEEK_SET);
	syscall(SYS_pwrite64, fd, text, 8, 3);
	syscall(SYS_pwrite64, fd, text, 8, -1L);
	syscall(SYS_pwrite64, 99, "abc", 3, 1LL << 33);
	syscall(SYS_pread64, fd, buffer, 8, 0);
	syscall(SYS_pread64, fd, buffer, 100, 2);
	syscall(SYS_pread64, fd, buffer, 100, 1 << 20);
	syscall(SYS_pread64, fd, buffer, 8, -5L);
	syscall(SYS_pread64, fd, NOWHERE, 8, 0);
}

static void vectors(int fd)
{
	char a[3], b[400];
	struct iovec out[] = {{"one", 3}, {"two\n", 4}, {NULL, 0}, {"", 0}}, in[] = {{a, 3}, {b, 400}},
		     bad[] = {{"ok", 2}, {NOWHERE, 7}};
	syscall(SYS_writev, fd, out, 2);
	syscall(SYS_writev, fd, out, 4);
	syscall(SYS_writev, fd, out, 0);
	syscall(SYS_writev, fd, NULL, 0);
	syscall(SYS_writev, fd, NULL, 3);
	syscall(SYS_writev, fd, NOWHERE, 3);
	syscall(SYS_writev, 99, out, 1);
	syscall(SYS_writev, fd, bad, 2);
	struct iovec long_one[] = {{(void *)text, 50}, {"b", 1}};
	syscall(SYS_writev, fd, long_one, 2);
	struct iovec many[20];
	for (int n = 0; n < 20; n++)
		many[n] = (struct iovec){"m", 1};
	syscall(SYS_writev, fd, many, 12);
	syscall(SYS_lseek, fd, 0, SEEK_SET);
	syscall(SYS_readv, fd, in, 2);
	syscall(SYS_readv, fd, in, 1);
	syscall(SYS_readv, fd, in, 0);
	syscall(SYS_readv, 99, in, 2);
	syscall(SYS_readv, fd, NOWHERE, 2);
	syscall(SYS_readv, fd, NULL, 2);
	syscall(SYS_pwritev, fd, out, 2, 100, 0);
	syscall(SYS_pwritev, fd, out, 2, -1L, -1);
	syscall(SYS_pwritev, 99, out, 2, 0x100000000, 0);
	syscall(SYS_preadv, fd, in, 2, 100, 0);
	syscall(SYS_preadv, fd, in, 2, -7L, 0);
	syscall(SYS_preadv, fd, in, 1, 1 << 20, 0);
	syscall(SYS_preadv, fd, NOWHERE, 1, 0, 0);
	syscall(SYS_pwritev2, fd, out, 2, 100, 0, 0);
	syscall(SYS_pwritev2, fd, out, 2, -1L, -1, RWF_DSYNC);
	syscall(SYS_pwritev2, fd, out, 2, 5, 0, RWF_APPEND | RWF_SYNC | 0x100);
	syscall(SYS_preadv2, fd, in, 2, 100, 0, RWF_HIPRI);
	syscall(SYS_preadv2, fd, in, 2, 100, 0, RWF_NOWAIT);
	syscall(SYS_preadv2, fd, in, 2, 100, 0, 0x1000);
	syscall(SYS_preadv2, 99, in, 2, 100, 0, 0);
}

static void between(int fd)
{
	int pipe[2], other[2], target = open("target", O_RDWR | O_CREAT, 0644);
	if (pipe2(pipe, 0) || pipe2(other, O_NONBLOCK))
		abort();
	long offset = 4, to = 10;
	syscall(SYS_sendfile, target, fd, NULL, 3);
	syscall(SYS_sendfile, target, fd, &offset, 5);
	offset = 1 << 20;
	syscall(SYS_sendfile, target, fd, &offset, 5);
	syscall(SYS_sendfile, target, 99, &offset, 5);
	syscall(SYS_sendfile, 99, fd, NULL, 5);
	syscall(SYS_sendfile, target, fd, NOWHERE, 5);
	offset = 2;
	syscall(SYS_splice, fd, &offset, pipe[1], NULL, 10, SPLICE_F_MOVE);
	syscall(SYS_splice, fd, &offset, pipe[1], NULL, 10, SPLICE_F_MORE | SPLICE_F_NONBLOCK | 0x30);
	syscall(SYS_splice, fd, NULL, target, NULL, 10, 0);
	syscall(SYS_splice, fd, NOWHERE, pipe[1], NOWHERE, 10, 0);
	syscall(SYS_tee, pipe[0], other[1], 4, SPLICE_F_NONBLOCK);
	syscall(SYS_tee, pipe[0], pipe[1], 4, 0);
	syscall(SYS_tee, 99, 98, 4, 0x80);
	syscall(SYS_splice, pipe[0], NULL, target, &to, 6, 0);
	struct iovec out[] = {{"one", 3}, {"two\n", 4}};
	syscall(SYS_vmsplice, pipe[1], out, 2, SPLICE_F_NONBLOCK);
	syscall(SYS_vmsplice, pipe[1], out, 1, SPLICE_F_GIFT);
	syscall(SYS_vmsplice, 99, out, 1, 0);
	syscall(SYS_vmsplice, pipe[1], NOWHERE, 1, 0);
	offset = 0;
	to = 100;
	syscall(SYS_copy_file_range, fd, &offset, target, &to, 10, 0);
	syscall(SYS_copy_file_range, fd, NULL, target, NULL, 10, 0);
	syscall(SYS_copy_file_range, fd, NULL, target, NULL, 10, 4);
	syscall(SYS_copy_file_range, 99, NULL, target, &to, 10, 0);
	syscall(SYS_copy_file_range, fd, NOWHERE, target, NULL, 10, 0);
}

static void other_memory(void)
{
	char here[100] = "";
	struct iovec out[] = {{(void *)text, 3}, {(void *)text, 50}}, in[] = {{here, 20}, {here + 20, 70}};
	syscall(SYS_process_vm_readv, getpid(), in, 2, out, 2, 0);
	syscall(SYS_process_vm_writev, getpid(), out, 2, in, 1, 0);
	syscall(SYS_process_vm_readv, -1L, in, 2, NOWHERE, 2, 5);
	syscall(SYS_process_vm_writev, getpid(), NULL, 0, NULL, 0, -1L);
}

static void sizes(int fd)
{
	syscall(SYS_truncate, "target", 7);
	syscall(SYS_truncate, "/nonexistent", 7);
	syscall(SYS_truncate, "target", -1L);
	syscall(SYS_truncate, NOWHERE, 1LL << 40);
	syscall(SYS_ftruncate, fd, 500);
	syscall(SYS_ftruncate, fd, -3L);
	syscall(SYS_ftruncate, 99, 0);
	syscall(SYS_fallocate, fd, 0, 0, 100);
	syscall(SYS_fallocate, fd, FALLOC_FL_KEEP_SIZE, 0, 4096);
	syscall(SYS_fallocate, fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 10, 20);
	syscall(SYS_fallocate, fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE, 0, 10);
	syscall(SYS_fallocate, fd, 0x4000, 0, 10);
	syscall(SYS_fallocate, fd, 0, -1L, 0);
	syscall(SYS_fallocate, 99, FALLOC_FL_UNSHARE_RANGE, 0, 10);
	syscall(SYS_fadvise64, fd, 0, 100, POSIX_FADV_SEQUENTIAL);
	syscall(SYS_fadvise64, fd, 10, 0, POSIX_FADV_DONTNEED);
	syscall(SYS_fadvise64, fd, 0, 0, 33);
	syscall(SYS_fadvise64, 99, 0, -1L, POSIX_FADV_NORMAL);
	syscall(SYS_readahead, fd, 0, 4096);
	syscall(SYS_readahead, 99, 1LL << 40, 1);
	syscall(SYS_fsync, fd);
	syscall(SYS_fsync, 99);
	syscall(SYS_fdatasync, fd);
	syscall(SYS_fdatasync, -1L);
	syscall(SYS_syncfs, fd);
	syscall(SYS_syncfs, 99);
	syscall(SYS_sync_file_range, fd, 0, 100, SYNC_FILE_RANGE_WRITE);
	syscall(SYS_sync_file_range, fd, 0, 0,
		SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
	syscall(SYS_sync_file_range, fd, -1L, -1, 0x10);
	syscall(SYS_sync_file_range, 99, 1, 2, 0);
	syscall(SYS_getrandom, NOWHERE, 8, 0);
	syscall(SYS_getrandom, NULL, 0, 1);
	syscall(SYS_getrandom, NULL, 0, 2 | 4);
	syscall(SYS_getrandom, NULL, 1, 0x30);
}

int main(void)
{
	fresh_directory();
	int fd = open("a.txt", O_RDWR | O_CREAT, 0644);
	plain(fd);
	syscall(SYS_ftruncate, fd, 0);
	syscall(SYS_lseek, fd, 0, SEEK_SET);
	vectors(fd);
	syscall(SYS_lseek, fd, 0, SEEK_SET);
	between(fd);
	other_memory();
	sizes(fd);
	return 0;
}
