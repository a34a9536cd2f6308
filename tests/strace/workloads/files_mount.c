// SPDX-License-Identifier: Apache-2.0
// Mounts with the old call and the new ones, and unmounts; quotas, swap, roots.
#include "files.h"
#include <linux/mount.h>
#include <sys/quota.h>

static void old(void)
{
	syscall(SYS_mount, "none", "/nonexistent", "tmpfs", MS_NOSUID | MS_NODEV, "size=1m");
	syscall(SYS_mount, "none", "d", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=1m,mode=700");
	syscall(SYS_mount, NULL, "d", NULL, MS_REMOUNT | MS_RDONLY | MS_BIND, NULL);
	syscall(SYS_mount, "a-name-that-is-longer-than-thirty-two-bytes-by-some", "d",
		"a-type-that-is-longer-than-thirty-two-bytes", 0, "some-options-that-are-longer-than-thirty-two-bytes");
	syscall(SYS_mount, NOWHERE, NOWHERE, NOWHERE, MS_RELATIME, NOWHERE);
	syscall(SYS_mount, "x", "d", "proc", MS_MGC_VAL | MS_SYNCHRONOUS, NULL);
	syscall(SYS_mount, "d", "e", "none", MS_BIND | MS_REC, "ignored");
	syscall(SYS_mount, "d", "e", "none", MS_MOVE, "ignored");
	syscall(SYS_mount, "none", "d", "none", MS_PRIVATE | MS_REC, NULL);
	syscall(SYS_mount, "none", "d", "none", 1L << 40, "data");
	syscall(SYS_mount, "none", "/nonexistent", "none", 0xffffffff, "data");
	syscall(SYS_mount, "none", "/nonexistent", "none",
		0xfffffdf & ~(MS_BIND | MS_MOVE | MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE), "");
	syscall(SYS_umount2, "e", MNT_DETACH);
	syscall(SYS_umount2, "d", MNT_FORCE | MNT_DETACH | UMOUNT_NOFOLLOW);
	syscall(SYS_umount2, "/nonexistent", 0);
	syscall(SYS_umount2, NOWHERE, MNT_EXPIRE | 0x100);
	syscall(SYS_umount2, "d", 0x100);
	syscall(SYS_pivot_root, "/nonexistent", "d");
	syscall(SYS_pivot_root, "d", NULL);
	syscall(SYS_pivot_root, NOWHERE, "e");
}

static void newer(void)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_NODEV | MOUNT_ATTR_RDONLY,
				  .attr_clr = MOUNT_ATTR__ATIME,
				  .propagation = MS_PRIVATE};
	int fs = syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
	syscall(SYS_fsopen, "nosuchfs", 0);
	syscall(SYS_fsopen, NULL, 0x6);
	syscall(SYS_fsopen, "a-type-that-is-longer-than-thirty-two-bytes", FSOPEN_CLOEXEC | 8);
	syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "size", "1m", 0);
	syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "nosuch", "a value that is longer than thirty-two bytes", 0);
	syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, "noswap", NULL, 0);
	syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, "ro", NOWHERE, 3);
	syscall(SYS_fsconfig, fs, FSCONFIG_SET_BINARY, "x", "binary\0bytes", 12);
	syscall(SYS_fsconfig, fs, FSCONFIG_SET_PATH, "x", "/some/path", AT_FDCWD);
	syscall(SYS_fsconfig, fs, FSCONFIG_SET_PATH_EMPTY, "x", "", 99);
	syscall(SYS_fsconfig, fs, FSCONFIG_SET_FD, "x", NULL, 98);
	syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	syscall(SYS_fsconfig, fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0);
	syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, "key", NULL, 1);
	syscall(SYS_fsconfig, fs, 77, "key", "value", 5);
	syscall(SYS_fsconfig, 99, FSCONFIG_SET_STRING, NULL, NOWHERE, 0);
	int mount = syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	syscall(SYS_fsmount, fs, 0, 0);
	syscall(SYS_fsmount, 99, 0xe, MOUNT_ATTR_NOATIME | MOUNT_ATTR_NODIRATIME | MOUNT_ATTR_STRICTATIME | 0x10000);
	syscall(SYS_fsmount, 99, FSMOUNT_CLOEXEC, 0x10000);
	syscall(SYS_move_mount, mount, "", AT_FDCWD, "d", MOVE_MOUNT_F_EMPTY_PATH);
	syscall(SYS_move_mount, AT_FDCWD, "/nonexistent", 99, "d", MOVE_MOUNT_T_SYMLINKS | MOVE_MOUNT_F_AUTOMOUNTS);
	syscall(SYS_move_mount, 98, NULL, 99, NOWHERE, 0x10000);
	syscall(SYS_open_tree, AT_FDCWD, "d", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	syscall(SYS_open_tree, AT_FDCWD, "/nonexistent", 0);
	syscall(SYS_open_tree, 99, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT);
	syscall(SYS_open_tree, 99, "x", 0x40000);
	syscall(SYS_fspick, AT_FDCWD, "d", FSPICK_CLOEXEC);
	syscall(SYS_fspick, AT_FDCWD, "/nonexistent", FSPICK_NO_AUTOMOUNT | FSPICK_SYMLINK_NOFOLLOW);
	syscall(SYS_fspick, 99, "", FSPICK_EMPTY_PATH | 0x80);
	syscall(SYS_fspick, 99, NULL, 0x80);
	syscall(SYS_mount_setattr, AT_FDCWD, "d", AT_RECURSIVE, &attr, sizeof attr);
	syscall(SYS_mount_setattr, AT_FDCWD, "/nonexistent", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, &attr, sizeof attr);
	attr = (struct mount_attr){.attr_set = MOUNT_ATTR_IDMAP | 0x8000000, .propagation = 5, .userns_fd = 7};
	syscall(SYS_mount_setattr, AT_FDCWD, "d", 0, &attr, sizeof attr);
	attr = (struct mount_attr){0};
	syscall(SYS_mount_setattr, AT_FDCWD, "d", 0, &attr, sizeof attr);
	struct {
		struct mount_attr attr;
		long more;
	} large = {.attr.propagation = MS_SHARED, .more = 9};
	syscall(SYS_mount_setattr, AT_FDCWD, "d", 0, &large, sizeof large);
	syscall(SYS_mount_setattr, AT_FDCWD, "d", 0, &attr, 8);
	syscall(SYS_mount_setattr, AT_FDCWD, "d", 0, NOWHERE, sizeof attr);
	syscall(SYS_mount_setattr, AT_FDCWD, "d", 0x20, NULL, 0);
}

static void rest(void)
{
	struct dqblk block = {.dqb_bhardlimit = 1, .dqb_valid = QIF_BLIMITS};
	char format[8];
	syscall(SYS_quotactl, QCMD(Q_QUOTAON, USRQUOTA), "/nonexistent", 2, "quota.file");
	syscall(SYS_quotactl, QCMD(Q_QUOTAOFF, GRPQUOTA), "/dev/null", 0, NULL);
	syscall(SYS_quotactl, QCMD(Q_GETQUOTA, USRQUOTA), "/dev/null", 1000, &block);
	syscall(SYS_quotactl, QCMD(Q_SETQUOTA, GRPQUOTA), "/dev/null", 1000, &block);
	syscall(SYS_quotactl, QCMD(Q_GETFMT, USRQUOTA), "/dev/null", 0, format);
	syscall(SYS_quotactl, QCMD(Q_SYNC, USRQUOTA), NULL, 0, NULL);
	syscall(SYS_quotactl, QCMD(0x123456, 7), "x", 5, NOWHERE);
	syscall(SYS_quotactl, QCMD(Q_GETINFO, PRJQUOTA), "/dev/null", 0, format);
	syscall(SYS_quotactl, QCMD(Q_SETINFO, USRQUOTA), "/dev/null", 0, NULL);
	syscall(SYS_quotactl, QCMD(Q_GETQUOTA, USRQUOTA), "/dev/null", -1, NOWHERE);
	syscall(SYS_quotactl, QCMD(0x5802 /* Q_XQUOTAOFF */, USRQUOTA), "/dev/null", 3, format);
	syscall(SYS_quotactl, QCMD(0x5803 /* Q_XGETQUOTA */, USRQUOTA), "/dev/null", 3, NULL);
	syscall(SYS_quotactl_fd, 99, QCMD(Q_SETQUOTA, USRQUOTA), 4, &block);
	syscall(SYS_quotactl_fd, 99, QCMD(Q_SYNC, USRQUOTA), 4, NOWHERE);
	syscall(SYS_swapon, "/nonexistent", 0);
	syscall(SYS_swapon, "/nonexistent", 7);
	syscall(SYS_swapon, "d", 0x8000 | 5);
	syscall(SYS_swapon, NOWHERE, 0x10000 | 0x20000);
	syscall(SYS_swapoff, "/nonexistent");
	syscall(SYS_swapoff, NULL);
	syscall(SYS_acct, "/nonexistent");
	syscall(SYS_acct, NOWHERE);
	syscall(SYS_sync);
	syscall(SYS_vhangup);
	syscall(SYS_uselib, "x");
	syscall(SYS_ustat, 0x801, NULL);
	syscall(SYS_sysfs, 3);
	syscall(SYS_sysfs, 1, "tmpfs");
	syscall(SYS_sysfs, 1, "nosuchfs");
	syscall(SYS_sysfs, 2, 1000, format);
	syscall(SYS_sysfs, 9, 1, 2);
}

int main(void)
{
	fresh_directory();
	if (mkdir("d", 0755) || mkdir("e", 0755))
		abort();
	old();
	newer();
	rest();
	return 0;
}
