# SPDX-License-Identifier: Apache-2.0
"""Files and descriptors: opening them, their data, directories, mounts, attributes."""

from __future__ import annotations

from flag_tables import Table

_FCNTL = "asm-generic/fcntl.h linux/fcntl.h"
_FANOTIFY = "linux/fanotify.h"
_MOUNT = "linux/mount.h"
_AT = "AT_SYMLINK_NOFOLLOW AT_REMOVEDIR AT_SYMLINK_FOLLOW AT_NO_AUTOMOUNT AT_EMPTY_PATH AT_RECURSIVE"

TABLES = {
    # open(2); the access mode is not a set of bits, so it is printed separately
    "access_mode": Table("O_???", "asm-generic/fcntl.h", "O_RDONLY O_WRONLY O_RDWR O_ACCMODE"),
    "open_flags": Table(
        "O_???",
        "asm-generic/fcntl.h",
        "O_CREAT O_EXCL O_NOCTTY O_TRUNC O_APPEND O_NONBLOCK O_SYNC O_DSYNC O_DIRECT O_LARGEFILE O_NOFOLLOW O_NOATIME "
        "O_CLOEXEC O_PATH O_TMPFILE O_DIRECTORY FASYNC O_EMPTYPATH __O_SYNC __O_TMPFILE",
    ),
    "resolve_flags": Table("RESOLVE_???", "linux/openat2.h", match=r"RESOLVE_\w+"),
    "close_range_flags": Table("CLOSE_RANGE_???", "linux/close_range.h", match=r"CLOSE_RANGE_\w+"),
    "memfd_flags": Table("MFD_???", "linux/memfd.h", "MFD_CLOEXEC MFD_ALLOW_SEALING MFD_HUGETLB"),
    "flock_operation": Table(
        "LOCK_???", "asm-generic/fcntl.h", "LOCK_SH LOCK_EX LOCK_NB LOCK_UN LOCK_MAND LOCK_RW LOCK_READ LOCK_WRITE"
    ),
    "handle_flags": Table("AT_???", "linux/fcntl.h", "AT_SYMLINK_FOLLOW AT_EMPTY_PATH"),
    # fcntl
    "fcntl_cmd": Table(
        "F_???",
        _FCNTL,
        "F_DUPFD F_GETFD F_SETFD F_GETFL F_SETFL F_GETLK F_SETLK F_SETLKW F_SETOWN F_GETOWN F_SETSIG F_GETSIG "
        "F_GETLK64=12 F_SETLK64=13 F_SETLKW64=14 F_SETOWN_EX F_GETOWN_EX F_GETOWNER_UIDS F_OFD_GETLK F_OFD_SETLK "
        "F_OFD_SETLKW F_SETLEASE F_GETLEASE F_NOTIFY F_CANCELLK F_DUPFD_CLOEXEC F_SETPIPE_SZ F_GETPIPE_SZ "
        "F_ADD_SEALS F_GET_SEALS F_GET_RW_HINT F_SET_RW_HINT F_GET_FILE_RW_HINT F_SET_FILE_RW_HINT F_DUPFD_QUERY "
        "F_CREATED_QUERY F_GETDELEG F_SETDELEG",
    ),
    "fd_flags": Table("FD_???", "asm-generic/fcntl.h", "FD_CLOEXEC"),
    "lock_type": Table("F_???", "asm-generic/fcntl.h", "F_RDLCK F_WRLCK F_UNLCK F_EXLCK F_SHLCK"),
    "owner_type": Table("F_OWNER_???", "asm-generic/fcntl.h", match=r"F_OWNER_\w+"),
    "seals": Table("F_SEAL_???", "linux/fcntl.h", match=r"F_SEAL_\w+"),
    "notify_flags": Table("DN_???", "linux/fcntl.h", match=r"DN_\w+"),
    # data
    "whence": Table("SEEK_???", "linux/fs.h", match=r"SEEK_\w+", without="SEEK_MAX"),
    "rwf_flags": Table("RWF_???", "linux/fs.h", "RWF_HIPRI RWF_DSYNC RWF_SYNC RWF_NOWAIT RWF_APPEND"),
    "splice_flags": Table("SPLICE_F_???", "fcntl.h bits/fcntl-linux.h", match=r"SPLICE_F_\w+"),
    "fallocate_mode": Table(
        "FALLOC_FL_???",
        "linux/falloc.h",
        match=r"FALLOC_FL_\w+",
        without="FALLOC_FL_ALLOCATE_RANGE|FALLOC_FL_WRITE_ZEROES",
    ),
    "fadvise": Table("POSIX_FADV_???", "linux/fadvise.h", match=r"POSIX_FADV_\w+"),
    "sync_range_flags": Table(
        "SYNC_FILE_RANGE_???",
        "linux/fs.h",
        "SYNC_FILE_RANGE_WAIT_BEFORE SYNC_FILE_RANGE_WRITE SYNC_FILE_RANGE_WAIT_AFTER",
    ),
    "getrandom_flags": Table("GRND_???", "linux/random.h", match=r"GRND_\w+"),
    # names
    "at_flags": Table("AT_???", "linux/fcntl.h", _AT),
    "faccessat_flags": Table("AT_???", "linux/fcntl.h", "AT_SYMLINK_NOFOLLOW AT_EACCESS AT_EMPTY_PATH"),
    "access_rights": Table("?_OK", "unistd.h", "F_OK R_OK W_OK X_OK"),
    "rename_flags": Table("RENAME_??", "linux/fs.h", match=r"RENAME_\w+"),
    "file_type": Table("S_IF???", "linux/stat.h", match=r"S_IF\w+", without="S_IFMT"),
    "mount_setattr_flags": Table(
        "AT_???", "linux/fcntl.h", "AT_SYMLINK_NOFOLLOW AT_NO_AUTOMOUNT AT_EMPTY_PATH AT_RECURSIVE"
    ),
    "exec_flags": Table("AT_???", "linux/fcntl.h", "AT_SYMLINK_NOFOLLOW AT_EMPTY_PATH AT_EXECVE_CHECK"),
    "dirent_type": Table(
        "DT_???", names="DT_UNKNOWN=0 DT_FIFO=1 DT_CHR=2 DT_DIR=4 DT_BLK=6 DT_REG=8 DT_LNK=10 DT_SOCK=12 DT_WHT=14"
    ),
    "xattr_flags": Table("XATTR_???", "linux/xattr.h", "XATTR_CREATE XATTR_REPLACE"),
    # attributes
    "statx_sync": Table(
        "AT_STATX_???", "linux/fcntl.h", "AT_STATX_SYNC_AS_STAT AT_STATX_FORCE_SYNC AT_STATX_DONT_SYNC"
    ),
    "statx_mask": Table(
        "STATX_???",
        "linux/stat.h",
        "STATX_ALL STATX_BASIC_STATS STATX_TYPE STATX_MODE STATX_NLINK STATX_UID STATX_GID STATX_ATIME STATX_MTIME "
        "STATX_CTIME STATX_INO STATX_SIZE STATX_BLOCKS STATX_BTIME STATX_MNT_ID STATX_DIOALIGN STATX_MNT_ID_UNIQUE "
        "STATX_SUBVOL STATX_WRITE_ATOMIC STATX_DIO_READ_ALIGN",
    ),
    "statx_attributes": Table(
        "STATX_ATTR_???",
        "linux/stat.h",
        match=r"STATX_ATTR_(COMPRESSED|IMMUTABLE|APPEND|NODUMP|ENCRYPTED|AUTOMOUNT|MOUNT_ROOT|VERITY|DAX)",
    ),
    "fs_xflags": Table("FS_XFLAG_???", "linux/fs.h", match=r"FS_XFLAG_\w+"),
    "fs_magic": Table(
        "",  # strace adds no comment to an unknown one
        "linux/magic.h",
        "EXT2_SUPER_MAGIC EXT2_OLD_SUPER_MAGIC=0xef51 FUSE_SUPER_MAGIC CIFS_SUPER_MAGIC=0xff534d42 "
        "XFS_SUPER_MAGIC=0x58465342 UBIFS_SUPER_MAGIC=0x24051905 CONFIGFS_MAGIC=0x62656570 JFS_SUPER_MAGIC=0x3153464a "
        "NTFS_SB_MAGIC=0x5346544e MINIX_SUPER_MAGIC2=0x138f MINIX2_SUPER_MAGIC2=0x2478 AFS_FS_MAGIC=0x6b414653",
        match=r"\w+_MAGIC",
        without=r"EXT[34]_SUPER_MAGIC|SMB2_MAGIC_NUMBER",
    ),
    "statfs_flags": Table(
        "ST_???",
        "sys/statvfs.h bits/statvfs.h",
        "ST_VALID=0x20 ST_RDONLY ST_NOSUID ST_NODEV ST_NOEXEC ST_SYNCHRONOUS ST_MANDLOCK ST_NOATIME ST_NODIRATIME "
        "ST_RELATIME ST_NOSYMFOLLOW",
    ),
    # mounts
    "mount_flags": Table(
        "MS_???",
        _MOUNT,
        "MS_RDONLY MS_NOSUID MS_NODEV MS_NOEXEC MS_SYNCHRONOUS MS_REMOUNT MS_MANDLOCK MS_DIRSYNC MS_NOSYMFOLLOW "
        "MS_NOATIME MS_NODIRATIME MS_BIND MS_MOVE MS_REC MS_SILENT MS_POSIXACL MS_UNBINDABLE MS_PRIVATE MS_SLAVE "
        "MS_SHARED MS_RELATIME MS_KERNMOUNT MS_I_VERSION MS_STRICTATIME MS_LAZYTIME MS_SUBMOUNT=0x4000000 "
        "MS_NOREMOTELOCK=0x8000000 MS_NOSEC=0x10000000 MS_BORN=0x20000000 MS_ACTIVE=0x40000000 MS_NOUSER=0x80000000",
    ),
    "umount_flags": Table("MNT_???", "sys/mount.h", "MNT_FORCE MNT_DETACH MNT_EXPIRE UMOUNT_NOFOLLOW"),
    "fsopen_flags": Table("FSOPEN_???", _MOUNT, match=r"FSOPEN_\w+"),
    "fsconfig_cmd": Table("FSCONFIG_???", _MOUNT, match=r"FSCONFIG_(SET|CMD)_\w+", without="FSCONFIG_CMD_CREATE_EXCL"),
    "fsmount_flags": Table("FSMOUNT_???", _MOUNT, "FSMOUNT_CLOEXEC"),
    "mount_attr_flags": Table(
        "MOUNT_ATTR_???",
        _MOUNT,
        match=r"MOUNT_ATTR_\w+",
        without="MOUNT_ATTR__ATIME|MOUNT_ATTR_RELATIME|MOUNT_ATTR_SIZE_VER0",
    ),
    "move_mount_flags": Table("MOVE_MOUNT_???", _MOUNT, match=r"MOVE_MOUNT_\w+", without="MOVE_MOUNT_(BENEATH|_MASK)"),
    "open_tree_flags": Table(
        "OPEN_TREE_???",
        "linux/mount.h linux/fcntl.h",
        "OPEN_TREE_CLONE OPEN_TREE_NAMESPACE OPEN_TREE_CLOEXEC AT_SYMLINK_NOFOLLOW AT_REMOVEDIR AT_SYMLINK_FOLLOW "
        "AT_NO_AUTOMOUNT AT_EMPTY_PATH AT_RECURSIVE",
    ),
    "fspick_flags": Table("FSPICK_???", _MOUNT, match=r"FSPICK_\w+"),
    "swap_flags": Table(
        "SWAP_FLAG_???",
        names="SWAP_FLAG_PREFER=0x8000 SWAP_FLAG_DISCARD=0x10000 SWAP_FLAG_DISCARD_ONCE=0x20000 "
        "SWAP_FLAG_DISCARD_PAGES=0x40000",
    ),
    # quotas
    "quota_cmd": Table(
        "Q_???", "linux/quota.h linux/dqblk_xfs.h", match=r"Q_[A-Z]+", without="Q_(XGETNEXTQUOTA|XGETQSTATV)_"
    ),
    "quota_type": Table("???QUOTA", "linux/quota.h", match="(USR|GRP|PRJ)QUOTA"),
    "quota_format": Table("QFMT_VFS_???", "linux/quota.h", "QFMT_VFS_OLD QFMT_VFS_V0 QFMT_OCFS2 QFMT_VFS_V1"),
    "quota_valid": Table("QIF_???", "linux/quota.h", match=r"QIF_(B|I)(LIMITS|TIME)|QIF_(SPACE|INODES)"),
    "xfs_quota_flags": Table("FS_QUOTA_???", "linux/dqblk_xfs.h", match=r"FS_QUOTA_[UGP]DQ_(ACCT|ENFD)"),
    "xfs_quota_kinds": Table("FS_???_QUOTA", "linux/dqblk_xfs.h", "FS_USER_QUOTA FS_PROJ_QUOTA FS_GROUP_QUOTA"),
    "quota_info_flags": Table("DQF_???", "linux/quota.h", "DQF_ROOT_SQUASH DQF_SYS_FILE"),
    "quota_info_valid": Table("IIF_???", "linux/quota.h", "IIF_BGRACE IIF_IGRACE IIF_FLAGS"),
    # watches
    "inotify_init_flags": Table("IN_???", "linux/inotify.h", "IN_NONBLOCK=0x800 IN_CLOEXEC=0x80000"),
    "inotify_mask": Table(
        "IN_???",
        "linux/inotify.h",
        "IN_ACCESS IN_MODIFY IN_ATTRIB IN_CLOSE_WRITE IN_CLOSE_NOWRITE IN_OPEN IN_MOVED_FROM IN_MOVED_TO IN_CREATE "
        "IN_DELETE IN_DELETE_SELF IN_MOVE_SELF IN_UNMOUNT IN_Q_OVERFLOW IN_IGNORED IN_ONLYDIR IN_DONT_FOLLOW "
        "IN_EXCL_UNLINK IN_MASK_CREATE IN_MASK_ADD IN_ISDIR IN_ONESHOT",
    ),
    "fanotify_class": Table("FAN_CLASS_???", _FANOTIFY, "FAN_CLASS_NOTIF FAN_CLASS_CONTENT FAN_CLASS_PRE_CONTENT"),
    "fanotify_init_flags": Table(
        "FAN_???",
        _FANOTIFY,
        "FAN_CLOEXEC FAN_NONBLOCK FAN_UNLIMITED_QUEUE FAN_UNLIMITED_MARKS FAN_ENABLE_AUDIT FAN_REPORT_PIDFD "
        "FAN_REPORT_TID FAN_REPORT_FID FAN_REPORT_DIR_FID FAN_REPORT_NAME FAN_REPORT_TARGET_FID",
    ),
    "fanotify_mark_flags": Table(
        "FAN_MARK_???",
        _FANOTIFY,
        "FAN_MARK_ADD FAN_MARK_REMOVE FAN_MARK_DONT_FOLLOW FAN_MARK_ONLYDIR FAN_MARK_MOUNT FAN_MARK_IGNORED_MASK "
        "FAN_MARK_IGNORED_SURV_MODIFY FAN_MARK_FLUSH FAN_MARK_FILESYSTEM FAN_MARK_EVICTABLE FAN_MARK_IGNORE",
    ),
    "fanotify_mask": Table(
        "FAN_???",
        _FANOTIFY,
        "FAN_ACCESS FAN_MODIFY FAN_ATTRIB FAN_CLOSE_WRITE FAN_CLOSE_NOWRITE FAN_OPEN FAN_MOVED_FROM FAN_MOVED_TO "
        "FAN_CREATE FAN_DELETE FAN_DELETE_SELF FAN_MOVE_SELF FAN_OPEN_EXEC FAN_Q_OVERFLOW FAN_FS_ERROR FAN_OPEN_PERM "
        "FAN_ACCESS_PERM FAN_OPEN_EXEC_PERM FAN_DIR_MODIFY=0x80000 FAN_ONDIR FAN_EVENT_ON_CHILD FAN_RENAME",
    ),
}
