# SPDX-License-Identifier: Apache-2.0
"""Calls on files and descriptors: by name, their data, directories, mounts, attributes."""

from __future__ import annotations

TABLE = """
# files by name
open                in:path open_flags open_mode
openat              dirfd in:path open_flags open_mode
openat2             dirfd in:path in:open_how[usize] size
creat               in:path mode
access              in:path access_rights
faccessat           dirfd in:path access_rights
faccessat2          dirfd in:path access_rights faccessat_flags
stat                in:path out:stat
lstat               in:path out:stat
fstat               fd out:stat
newfstatat          dirfd in:path out:stat at_flags
statx               dirfd in:path statx_flags statx_mask out:statx
statfs              in:path out:statfs
fstatfs             fd out:statfs
readlink            in:path out:bytes[result] size
readlinkat          dirfd in:path out:bytes[result] size
mkdir               in:path mode
mkdirat             dirfd in:path mode
rmdir               in:path
unlink              in:path
unlinkat            dirfd in:path at_flags
rename              in:path in:path
renameat            dirfd in:path dirfd in:path
renameat2           dirfd in:path dirfd in:path rename_flags
link                in:path in:path
linkat              dirfd in:path dirfd in:path at_flags
symlink             in:path in:path
symlinkat           in:path dirfd in:path
mknod               in:path node_mode node_device
mknodat             dirfd in:path node_mode node_device
chmod               in:path mode
fchmod              fd mode
fchmodat            dirfd in:path mode
fchmodat2           dirfd in:path mode at_flags
chown               in:path id id
lchown              in:path id id
fchown              fd id id
fchownat            dirfd in:path id id at_flags
umask               mode = mode
truncate            in:path ulong
ftruncate           fd ulong
utime               in:path in:utimbuf
utimes              in:path in:file_timeval[2]
futimesat           dirfd in:path in:file_timeval[2]
utimensat           dirfd in:path in:file_timespec[2] at_flags
name_to_handle_at   dirfd in:path inend:file_handle end:mount_id handle_flags
open_by_handle_at   fd in:file_handle open_flags
file_getattr        dirfd in:path out:file_attr[usize] size at_flags
file_setattr        dirfd in:path in:file_attr[usize] size at_flags
acct                in:path
uselib              in:path

# directories and mounts
chdir               in:path
fchdir              fd
chroot              in:path
getcwd              out:path size
getdents            fd out:dirents[result] uint
getdents64          fd out:dirents[result] uint
mount               in:path in:path in:mount_type mount_mask in:mount_data
umount2             in:path umount_flags
pivot_root          in:path in:path
swapon              in:path swapon_flags
swapoff             in:path
quotactl            quotactl_cmd in:path quota_id inout:quota_data
quotactl_fd         fd quotactl_cmd quota_id inout:quota_data
ustat               device addr
sysfs               hex hex hex
fsopen              in:string fsopen_flags
fsconfig            fd one_fsconfig_cmd addr addr int
fsconfig:FSCONFIG_SET_FLAG    fd one_fsconfig_cmd in:fs_option addr int
fsconfig:FSCONFIG_SET_STRING  fd one_fsconfig_cmd in:fs_option in:fs_option int
fsconfig:FSCONFIG_SET_BINARY  fd one_fsconfig_cmd in:fs_option in:fs_blob[aux] int
fsconfig:FSCONFIG_SET_PATH,FSCONFIG_SET_PATH_EMPTY  fd one_fsconfig_cmd in:fs_option in:path dirfd
fsconfig:FSCONFIG_SET_FD      fd one_fsconfig_cmd in:fs_option addr fd
fsmount             fd fsmount_flags mount_attr_flags
fspick              dirfd in:path fspick_flags
move_mount          dirfd in:path dirfd in:path move_mount_flags
mount_setattr       dirfd in:path mount_setattr_flags in:mount_attr[usize] size
open_tree           dirfd in:path open_tree_flags
open_tree_attr      dirfd in:path open_tree_flags in:mount_attr[usize] size

# extended attributes
setxattr            in:path in:string in:xattr_value[size] size xattr_flags
lsetxattr           in:path in:string in:xattr_value[size] size xattr_flags
fsetxattr           fd in:string in:xattr_value[size] size xattr_flags
setxattrat          dirfd in:path at_flags in:string in:xattr_args[usize] size
getxattr            in:path in:string out:xattr_value[result] size
lgetxattr           in:path in:string out:xattr_value[result] size
fgetxattr           fd in:string out:xattr_value[result] size
getxattrat          dirfd in:path at_flags in:string in:xattr_args[usize] size
listxattr           in:path out:xattr_names[result] size
llistxattr          in:path out:xattr_names[result] size
flistxattr          fd out:xattr_names[result] size
listxattrat         dirfd in:path at_flags out:xattr_names[result] size
removexattr         in:path in:string
lremovexattr        in:path in:string
fremovexattr        fd in:string
removexattrat       dirfd in:path at_flags in:string

# reading and writing
read                fd out:bytes[result] size
write               fd in:bytes[count] size
pread64             fd out:bytes[result] size loff
pwrite64            fd in:bytes[count] size loff
readv               fd end:iovec[vlen] ulong
writev              fd in:iovec[vlen] ulong
preadv              fd end:iovec[vlen] ulong loff left_out
pwritev             fd in:iovec[vlen] ulong loff left_out
preadv2             fd end:iovec[vlen] ulong loff left_out rwf_flags
pwritev2            fd in:iovec[vlen] ulong loff left_out rwf_flags
lseek               fd loff one_whence
vmsplice            fd in:iovec[nr_segs] ulong splice_flags
sendfile            fd fd inout:moved_offset size
splice              fd in:offset fd in:offset size splice_flags
tee                 fd fd size splice_flags
copy_file_range     fd in:offset fd in:offset size uint
process_vm_readv    int end:iovec[liovcnt] ulong in:span[riovcnt] ulong ulong
process_vm_writev   int in:iovec[liovcnt] ulong in:span[riovcnt] ulong ulong
fallocate           fd fallocate_mode loff loff
fadvise64           fd loff size one_fadvise
cachestat           fd in:cache_range out:cache_counts hex32
readahead           fd loff size
fsync               fd
fdatasync           fd
syncfs              fd
sync_file_range     fd loff loff sync_range_flags
getrandom           out:hex_bytes[result] size getrandom_flags

# descriptors
close               fd
close_range         uint uint close_range_flags
dup                 fd
dup2                fd fd
dup3                fd fd open_bits
pipe                out:fd_number[2]
pipe2               out:fd_number[2] open_bits
memfd_create        in:memfd_name memfd_create_flags
flock               fd flock_operation
fcntl               fd one_fcntl_cmd hex
fcntl:F_DUPFD,F_DUPFD_CLOEXEC,F_SETPIPE_SZ       fd one_fcntl_cmd long
fcntl:F_GETFD,F_GETFL                            fd one_fcntl_cmd left_out = hex
fcntl:F_SETFD                                    fd one_fcntl_cmd fd_flags
fcntl:F_SETFL                                    fd one_fcntl_cmd open_flags
fcntl:F_SETLK,F_SETLKW                           fd one_fcntl_cmd in:flock
fcntl:F_GETLK                                    fd one_fcntl_cmd out:flock_found
fcntl:F_OFD_SETLK,F_OFD_SETLKW,F_SETLK64,F_SETLKW64 fd one_fcntl_cmd in:flock_64
fcntl:F_OFD_GETLK,F_GETLK64                      fd one_fcntl_cmd out:flock_64_found
fcntl:F_SETOWN                                   fd one_fcntl_cmd int
fcntl:F_SETOWN_EX                                fd one_fcntl_cmd in:f_owner_ex
fcntl:F_GETOWN_EX                                fd one_fcntl_cmd out:f_owner_ex
fcntl:F_GETOWN,F_GETSIG,F_GETPIPE_SZ             fd one_fcntl_cmd left_out
fcntl:F_GETLEASE,F_GET_SEALS                     fd one_fcntl_cmd left_out = hex
fcntl:F_SETSIG                                   fd one_fcntl_cmd signal
fcntl:F_SETLEASE                                 fd one_fcntl_cmd one_lock_type
fcntl:F_NOTIFY                                   fd one_fcntl_cmd notify_flags
fcntl:F_ADD_SEALS                                fd one_fcntl_cmd seals

# watches
inotify_init1       inotify_init_flags
inotify_add_watch   fd in:path inotify_mask
inotify_rm_watch    fd int
fanotify_init       fanotify_kind open_flags
fanotify_mark       fd fanotify_mark_flags fanotify_events fanotify_dirfd in:path
"""

SIZES: dict[str, int] = {
    "boxed_offset": 8,
    "cache_counts": 40,
    "cache_range": 16,
    "dirents": 1,
    "f_owner_ex": 8,
    "fd_number": 4,
    "fs_blob": 1,
    "file_attr": 1,
    "file_handle": 136,
    "file_timespec": 16,
    "file_timeval": 16,
    "flock": 32,
    "flock_found": 32,
    "flock_64": 32,
    "flock_64_found": 32,
    "hex_bytes": 1,
    "mount_attr": 1,
    "mount_id": 4,
    "moved_offset": 8,
    "offset": 8,
    "open_how": 1,
    "quota_data": 112,
    "span": 16,
    "stat": 144,
    "stat64": 144,  # 32-bit programs only
    "statfs": 120,
    "statfs64": 120,
    "statx": 256,
    "utimbuf": 16,
    "xattr_args": 1,
    "xattr_names": 1,
    "xattr_value": 1,
}
