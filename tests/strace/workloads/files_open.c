// SPDX-License-Identifier: Apache-2.0
// Opens and closes descriptors with every call.
#include "files.h"
#include <linux/close_range.h>
#include <linux/memfd.h>
#include <linux/openat2.h>
#include <sys/file.h>

static void opens(void)
{
	make_file("a.txt", "hello\n");
	syscall(SYS_open, "a.txt", O_RDONLY, 0);
	syscall(SYS_open, "b.txt", O_RDWR | O_CREAT | O_TRUNC, 0644);
	syscall(SYS_open, "b.txt", O_RDWR | O_CREAT | O_EXCL, 0644);
	syscall(SYS_open, "/mnt", O_RDWR | O_TMPFILE, 0600);
	syscall(SYS_open, "/mnt", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	syscall(SYS_open, "/nonexistent/x", O_WRONLY, 0);
	syscall(SYS_open, NOWHERE, O_RDONLY, 0);
	syscall(SYS_open, NULL, O_RDONLY, 0);
	syscall(SYS_open, "a.txt", O_ACCMODE, 0);
	syscall(SYS_open, "a.txt", O_RDONLY | 0x80000000, 0);
	syscall(SYS_open, "c.txt", O_WRONLY | O_CREAT, 04755);
	syscall(SYS_open, "a \"quoted\"\tname\001\0012\377", O_RDONLY | O_NOATIME | O_NOCTTY, 0);
	syscall(SYS_open, "", O_RDONLY, 0);
	syscall(SYS_open, "a.txt", O_RDONLY | O_SYNC | O_DIRECT, 0);
	syscall(SYS_open, "a.txt", O_RDONLY | O_DSYNC | O_ASYNC | O_APPEND, 0);
	syscall(SYS_open, "a.txt", O_PATH, 0);
	syscall(SYS_open, "a.txt", 0x3ffffff, 0600);
	syscall(SYS_open, "a.txt", 0x3fffffc & ~(O_CREAT | O_TMPFILE), 0);
	syscall(SYS_openat, AT_FDCWD, "a.txt", O_RDWR | O_APPEND | O_CLOEXEC, 0);
	syscall(SYS_openat, AT_FDCWD, "/nonexistent/x", O_RDONLY | O_NONBLOCK | O_DIRECTORY, 0);
	syscall(SYS_openat, 99, "a.txt", O_RDONLY, 0);
	syscall(SYS_openat, AT_FDCWD, "d.txt", O_WRONLY | O_CREAT | O_LARGEFILE, 0);
	syscall(SYS_openat, -1L, "/mnt/a.txt", O_RDONLY, 0);
	syscall(SYS_openat, AT_FDCWD, "a-name-that-is-longer-than-thirty-two-bytes-by-some-of-them", O_RDONLY, 0);
	syscall(SYS_creat, "e.txt", 0600);
	syscall(SYS_creat, "/nonexistent/x", 0);
	syscall(SYS_creat, NOWHERE, 07777);
}

static void opens_how(void)
{
	struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH};
	syscall(SYS_openat2, AT_FDCWD, "a.txt", &how, sizeof how);
	how = (struct open_how){.flags = O_RDWR | O_CREAT | O_CLOEXEC, .mode = 0640};
	syscall(SYS_openat2, AT_FDCWD, "f.txt", &how, sizeof how);
	how = (struct open_how){.flags = O_RDONLY, .mode = 0640};
	syscall(SYS_openat2, AT_FDCWD, "a.txt", &how, sizeof how);
	how = (struct open_how){.flags = O_RDWR | O_TMPFILE};
	syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof how);
	how = (struct open_how){.flags = O_RDONLY, .resolve = 0x1000};
	syscall(SYS_openat2, AT_FDCWD, "a.txt", &how, sizeof how);
	how = (struct open_how){.flags = 1ULL << 40 | O_RDONLY,
				.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_IN_ROOT | RESOLVE_CACHED};
	syscall(SYS_openat2, AT_FDCWD, "a.txt", &how, sizeof how);
	struct {
		struct open_how how;
		long more;
	} large = {.how = {.flags = O_RDONLY}};
	syscall(SYS_openat2, AT_FDCWD, "a.txt", &large, sizeof large);
	large.more = 7;
	syscall(SYS_openat2, AT_FDCWD, "a.txt", &large, sizeof large);
	syscall(SYS_openat2, AT_FDCWD, "a.txt", &how, 8);
	syscall(SYS_openat2, AT_FDCWD, "a.txt", NULL, sizeof how);
	syscall(SYS_openat2, AT_FDCWD, "a.txt", NOWHERE, sizeof how);
}

static void copies(void)
{
	int fd = open("a.txt", O_RDONLY);
	syscall(SYS_dup, fd);
	syscall(SYS_dup, 99);
	syscall(SYS_dup, -1L);
	syscall(SYS_dup2, fd, 50);
	syscall(SYS_dup2, 99, 50);
	syscall(SYS_dup3, fd, 51, O_CLOEXEC);
	syscall(SYS_dup3, fd, 51, 0);
	syscall(SYS_dup3, fd, fd, 0);
	syscall(SYS_dup3, fd, 52, 0x3);
	syscall(SYS_dup3, fd, 52, O_CLOEXEC | O_NONBLOCK | 2);
	syscall(SYS_close, 50);
	syscall(SYS_close, 50);
	syscall(SYS_close, -1L);
	syscall(SYS_close_range, 51, 60, 0);
	syscall(SYS_close_range, 60, 51, 0);
	syscall(SYS_close_range, 60, ~0U, CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC);
	syscall(SYS_close_range, 60, 61, 0xf0);
	syscall(SYS_close_range, 60, 61, 0xf4);
	int fds[2];
	syscall(SYS_pipe, fds);
	syscall(SYS_pipe, NOWHERE);
	syscall(SYS_pipe, NULL);
	syscall(SYS_pipe2, fds, O_NONBLOCK | O_CLOEXEC);
	syscall(SYS_pipe2, fds, O_DIRECT);
	syscall(SYS_pipe2, fds, 0);
	syscall(SYS_pipe2, fds, 0x7);
	syscall(SYS_memfd_create, "mymem", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	syscall(SYS_memfd_create, "huge", MFD_HUGETLB | 21 << MFD_HUGE_SHIFT);
	syscall(SYS_memfd_create, "huge", MFD_HUGETLB | 22 << MFD_HUGE_SHIFT | 0x4000);
	syscall(SYS_memfd_create, "a-name-that-is-longer-than-thirty-two-bytes-by-some-of-them", 0);
	syscall(SYS_memfd_create, NULL, MFD_CLOEXEC);
	syscall(SYS_memfd_create, "x", 0x100);
	syscall(SYS_flock, fd, LOCK_SH);
	syscall(SYS_flock, fd, LOCK_EX | LOCK_NB);
	syscall(SYS_flock, fd, LOCK_UN);
	syscall(SYS_flock, 99, LOCK_EX);
	syscall(SYS_flock, fd, 0x77);
	syscall(SYS_flock, fd, 0x300);
	syscall(SYS_flock, fd, LOCK_MAND | LOCK_READ);
	syscall(SYS_flock, fd, LOCK_MAND | LOCK_RW);
	syscall(SYS_flock, fd, 0xffff);
	syscall(SYS_flock, fd, 0);
}

static void handles(void)
{
	struct {
		struct file_handle head;
		char bytes[128];
	} handle = {.head.handle_bytes = 0};
	int id;
	syscall(SYS_name_to_handle_at, AT_FDCWD, "a.txt", &handle, &id, 0);
	handle.head.handle_bytes = 128;
	syscall(SYS_name_to_handle_at, AT_FDCWD, "/nonexistent", &handle, &id, AT_SYMLINK_FOLLOW);
	syscall(SYS_name_to_handle_at, AT_FDCWD, "a.txt", NULL, NULL, AT_EMPTY_PATH);
	syscall(SYS_name_to_handle_at, AT_FDCWD, "a.txt", &handle, &id, 0x80000);
	syscall(SYS_name_to_handle_at, AT_FDCWD, "a.txt", NOWHERE, NOWHERE, 0);
	handle.head.handle_bytes = 128;
	syscall(SYS_name_to_handle_at, AT_FDCWD, "/sys/kernel", &handle, &id, 0);
	handle.head = (struct file_handle){.handle_bytes = 4, .handle_type = 77};
	memcpy(handle.bytes, "\1\2\3\xff", 4);
	syscall(SYS_open_by_handle_at, -1L, &handle, O_RDONLY | O_CLOEXEC);
	syscall(SYS_open_by_handle_at, AT_FDCWD, &handle, O_RDWR);
	syscall(SYS_open_by_handle_at, 99, NOWHERE, O_RDWR);
}

int main(void)
{
	fresh_directory();
	opens();
	opens_how();
	copies();
	handles();
	return 0;
}
