// SPDX-License-Identifier: Apache-2.0
// inotify and fanotify.
#include "files.h"
#include <linux/fanotify.h>
#include <sys/inotify.h>

int main(void)
{
	fresh_directory();
	make_file("a", "text");
	syscall(SYS_inotify_init);
	int in = syscall(SYS_inotify_init1, IN_CLOEXEC | IN_NONBLOCK);
	syscall(SYS_inotify_init1, 0);
	syscall(SYS_inotify_init1, 3);
	syscall(SYS_inotify_add_watch, in, "a", IN_ALL_EVENTS);
	syscall(SYS_inotify_add_watch, in, "a", IN_MODIFY | IN_CLOSE_WRITE | IN_DELETE_SELF);
	syscall(SYS_inotify_add_watch, in, ".", IN_CREATE | IN_MOVE | IN_ONLYDIR | IN_EXCL_UNLINK);
	syscall(SYS_inotify_add_watch, in, "a", IN_MASK_ADD | IN_ONESHOT | IN_OPEN | IN_ISDIR | 0x10000);
	syscall(SYS_inotify_add_watch, in, "/nonexistent", IN_DONT_FOLLOW | IN_ACCESS);
	syscall(SYS_inotify_add_watch, 99, "a", 0);
	syscall(SYS_inotify_add_watch, in, NOWHERE, 0x10000);
	syscall(SYS_inotify_add_watch, 99, "a", 0xffffffff);
	syscall(SYS_inotify_rm_watch, in, 1);
	syscall(SYS_inotify_rm_watch, in, 77);
	syscall(SYS_inotify_rm_watch, 99, -1);
	int fan = syscall(SYS_fanotify_init, FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY);
	syscall(SYS_fanotify_init, FAN_CLASS_CONTENT | FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS,
		O_RDWR | O_LARGEFILE | O_CLOEXEC);
	syscall(SYS_fanotify_init, FAN_CLASS_PRE_CONTENT | FAN_ENABLE_AUDIT | FAN_REPORT_TID, 0);
	syscall(SYS_fanotify_init, FAN_REPORT_FID | FAN_REPORT_DFID_NAME | FAN_REPORT_PIDFD, 3);
	syscall(SYS_fanotify_init, 0xffff, O_WRONLY | O_APPEND);
	syscall(SYS_fanotify_init, 0xc | 0x10000, O_WRONLY);
	syscall(SYS_fanotify_mark, fan, FAN_MARK_ADD, FAN_OPEN | FAN_CLOSE, AT_FDCWD, "a");
	syscall(SYS_fanotify_mark, fan, FAN_MARK_ADD | FAN_MARK_MOUNT,
		FAN_ACCESS | FAN_MODIFY | FAN_EVENT_ON_CHILD | FAN_ONDIR, AT_FDCWD, "/mnt");
	syscall(SYS_fanotify_mark, fan, FAN_MARK_REMOVE, FAN_OPEN, AT_FDCWD, "a");
	syscall(SYS_fanotify_mark, fan, FAN_MARK_FLUSH, 0, AT_FDCWD, "a");
	syscall(SYS_fanotify_mark, fan, FAN_MARK_ADD | FAN_MARK_FILESYSTEM,
		FAN_OPEN_PERM | FAN_ACCESS_PERM | FAN_OPEN_EXEC, 99, NULL);
	syscall(SYS_fanotify_mark, 99, FAN_MARK_ADD | FAN_MARK_ONLYDIR, 1L << 40 | FAN_ATTRIB, -1L, "a");
	syscall(SYS_fanotify_mark, 99, 0xffff, 0xffffffff, 98, NULL);
	syscall(SYS_fanotify_mark, 99, 0x100000, 1L << 40, -1L, NOWHERE);
	return 0;
}
