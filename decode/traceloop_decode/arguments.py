# SPDX-License-Identifier: Apache-2.0
"""What the pointer arguments of system calls point at: the table of words.

One line a call: its name, then a word per argument. Arguments behind the last word are numbers, as is ``-``::

    openat      - in:path
    read        - out:bytes[result]
    poll        inout:pollfd[nfds]
    accept      - out:sockaddr[*upeer_addrlen] inout:int

A word is ``direction:what`` or ``direction:what[count]``:

direction  ``in``: read when the call begins (and again at its end, if the page was not there). ``out``: read when it
           has returned and did not fail. ``inout``: both.
what       ``path`` or ``string`` (up to a NUL), ``argv`` (strings up to a null pointer), ``msghdr``, ``iovec`` (with a
           count; the memory that its elements speak of, at exit no more than the result), or a name of `SIZES`: one
           such struct. Names say what the bytes are; those of one byte are counted in bytes.
count      a number, an argument's name, ``result``, or ``*name``: the 32-bit number that this argument points to.

`capture` makes the kernel side's rules of it.
"""

from __future__ import annotations

# An ioctl, a fcntl or a futex has a pointer only with some commands, and a number as often: by value alone.
# Keys are not captured: add_key's payload is a secret by its nature.
TABLE = """
# files by name
open                in:path
openat              - in:path
openat2             - in:path in:open_how[usize]
creat               in:path
access              in:path
faccessat           - in:path
faccessat2          - in:path
stat                in:path out:stat
lstat               in:path out:stat
fstat               - out:stat
newfstatat          - in:path out:stat
statx               - in:path - - out:statx
statfs              in:path out:statfs
fstatfs             - out:statfs
readlink            in:path out:bytes[result]
readlinkat          - in:path out:bytes[result]
mkdir               in:path
mkdirat             - in:path
rmdir               in:path
unlink              in:path
unlinkat            - in:path
rename              in:path in:path
renameat            - in:path - in:path
renameat2           - in:path - in:path
link                in:path in:path
linkat              - in:path - in:path
symlink             in:path in:path
symlinkat           in:path - in:path
mknod               in:path
mknodat             - in:path
chmod               in:path
fchmodat            - in:path
fchmodat2           - in:path
chown               in:path
lchown              in:path
fchownat            - in:path
truncate            in:path
utime               in:path in:utimbuf
utimes              in:path in:timeval[2]
futimesat           - in:path in:timeval[2]
utimensat           - in:path in:timespec[2]
name_to_handle_at   - in:path
file_getattr        - in:path out:file_attr[usize]
file_setattr        - in:path in:file_attr[usize]
inotify_add_watch   - in:path
fanotify_mark       - - - - in:path
acct                in:path
uselib              in:path

# directories and mounts
chdir               in:path
chroot              in:path
getcwd              out:path
getdents            - out:dirents[result]
getdents64          - out:dirents[result]
mount               in:string in:path in:string - in:string
umount2             in:path
pivot_root          in:path in:path
swapon              in:path
swapoff             in:path
quotactl            - in:path
fsopen              in:string
fsconfig            - - in:string in:string
fspick              - in:path
move_mount          - in:path - in:path
mount_setattr       - in:path - in:mount_attr[usize]
open_tree           - in:path
open_tree_attr      - in:path - in:mount_attr[usize]

# extended attributes
setxattr            in:path in:string in:bytes[size]
lsetxattr           in:path in:string in:bytes[size]
fsetxattr           - in:string in:bytes[size]
setxattrat          - in:path - in:string in:xattr_args[usize]
getxattr            in:path in:string out:bytes[result]
lgetxattr           in:path in:string out:bytes[result]
fgetxattr           - in:string out:bytes[result]
getxattrat          - in:path - in:string in:xattr_args[usize]
listxattr           in:path out:bytes[result]
llistxattr          in:path out:bytes[result]
flistxattr          - out:bytes[result]
listxattrat         - in:path - out:bytes[result]
removexattr         in:path in:string
lremovexattr        in:path in:string
fremovexattr        - in:string
removexattrat       - in:path - in:string

# reading and writing
read                - out:bytes[result]
write               - in:bytes[count]
pread64             - out:bytes[result]
pwrite64            - in:bytes[count]
readv               - out:iovec[vlen]
writev              - in:iovec[vlen]
preadv              - out:iovec[vlen]
pwritev             - in:iovec[vlen]
preadv2             - out:iovec[vlen]
pwritev2            - in:iovec[vlen]
vmsplice            - in:iovec[nr_segs]
sendfile            - - inout:long
splice              - inout:long - inout:long
copy_file_range     - inout:long - inout:long
process_vm_readv    - out:iovec[liovcnt] - in:span[riovcnt]
process_vm_writev   - in:iovec[liovcnt] - in:span[riovcnt]
getrandom           out:bytes[result]
memfd_create        in:string
pipe                out:int[2]
pipe2               out:int[2]

# waiting for files
poll                inout:pollfd[nfds]
ppoll               inout:pollfd[nfds] - in:timespec in:sigset[sigsetsize]
select              - inout:fd_set[n] inout:fd_set[n] inout:fd_set[n] inout:timeval
pselect6            - inout:fd_set[n] inout:fd_set[n] inout:fd_set[n] in:timespec
epoll_ctl           - - - in:epoll_event
epoll_wait          - out:epoll_event[result]
epoll_pwait         - out:epoll_event[result] - - in:sigset[sigsetsize]
epoll_pwait2        - out:epoll_event[result] - in:timespec in:sigset[sigsetsize]

# sockets; the kernel may say that an address is longer than the memory for it, so its length is read before too
connect             - in:sockaddr[addrlen]
bind                - in:sockaddr[addrlen]
accept              - out:sockaddr[*upeer_addrlen] inout:int
accept4             - out:sockaddr[*upeer_addrlen] inout:int
getsockname         - out:sockaddr[*usockaddr_len] inout:int
getpeername         - out:sockaddr[*usockaddr_len] inout:int
socketpair          - - - out:int[2]
setsockopt          - - - in:bytes[optlen]
getsockopt          - - - out:bytes[*optlen] inout:int
sendto              - in:bytes[len] - - in:sockaddr[addr_len]
recvfrom            - out:bytes[result] - - out:sockaddr[*addr_len] inout:int
sendmsg             - in:msghdr
recvmsg             - out:msghdr

# processes
execve              in:path in:argv
execveat            - in:path in:argv
clone3              in:clone_args[size]
wait4               - out:int - out:rusage
waitid              - - out:siginfo - out:rusage
# A name, with PR_SET_NAME alone. Rules know no conditions: other options' numbers are tried as pointers too, fail
# to be read at entry and at exit, and come out as an item with TL_ITEM_FAULT. It costs only those who call prctl.
prctl               - in:string
getrlimit           - out:rlimit
setrlimit           - in:rlimit
prlimit64           - - in:rlimit out:rlimit
getrusage           - out:rusage
getresuid           out:int out:int out:int
getresgid           out:int out:int out:int
getgroups           - out:int[result]
setgroups           - in:int[gidsetsize]
capget              in:cap_header out:cap_data[2]
capset              in:cap_header in:cap_data[2]
getcpu              out:int out:int
sched_setparam      - in:int
sched_getparam      - out:int
sched_setscheduler  - - in:int
sched_setattr       - in:sched_attr
sched_getattr       - out:sched_attr
sched_setaffinity   - - in:cpu_set[len]
sched_getaffinity   - - out:cpu_set[result]

# signals
rt_sigaction        - in:sigaction out:sigaction
rt_sigprocmask      - in:sigset[sigsetsize] out:sigset[sigsetsize]
rt_sigpending       out:sigset[sigsetsize]
rt_sigsuspend       in:sigset[sigsetsize]
rt_sigtimedwait     in:sigset[sigsetsize] out:siginfo in:timespec
rt_sigqueueinfo     - - in:siginfo
rt_tgsigqueueinfo   - - - in:siginfo
pidfd_send_signal   - - in:siginfo
signalfd            - in:sigset[sizemask]
signalfd4           - in:sigset[sizemask]
sigaltstack         in:stack out:stack

# time
nanosleep           in:timespec
clock_nanosleep     - - in:timespec
clock_gettime       - out:timespec
clock_getres        - out:timespec
clock_settime       - in:timespec
clock_adjtime       - inout:timex
adjtimex            inout:timex
gettimeofday        out:timeval out:timezone
settimeofday        in:timeval in:timezone
times               out:tms
getitimer           - out:itimerval
setitimer           - in:itimerval out:itimerval
timer_create        - in:sigevent out:int
timer_gettime       - out:itimerspec
timer_settime       - - in:itimerspec out:itimerspec
timerfd_gettime     - out:itimerspec
timerfd_settime     - - in:itimerspec out:itimerspec
sched_rr_get_interval - out:timespec

# the system, its modules, queues and rings
uname               out:utsname
sysinfo             out:sysinfo
sethostname         in:bytes[len]
setdomainname       in:bytes[len]
syslog              - out:bytes[result]
init_module         - - in:string
finit_module        - in:string
delete_module       in:string
kexec_file_load     - - - in:string
add_key             in:string in:string
request_key         in:string in:string
bpf                 - in:bpf_attr[size]
landlock_create_ruleset in:landlock_ruleset[size]
io_uring_setup      - inout:io_uring_params
semop               - in:sembuf[nsops]
semtimedop          - in:sembuf[nsops] - in:timespec
mq_open             in:string - - in:mq_attr
mq_unlink           in:string
mq_timedsend        - in:bytes[msg_len] - - in:timespec
mq_timedreceive     - out:bytes[result] - out:int in:timespec
mq_getsetattr       - in:mq_attr out:mq_attr
"""

SIZES: dict[str, int] = {
    "bpf_attr": 1,
    "bytes": 1,
    "cap_data": 12,
    "cap_header": 8,
    "clone_args": 1,
    "cpu_set": 1,
    "dirents": 1,
    "epoll_event": 12,
    "fd_set": 1,  # `n` bits, in at most n bytes
    "file_attr": 1,
    "int": 4,
    "io_uring_params": 120,
    "itimerspec": 32,
    "itimerval": 32,
    "landlock_ruleset": 1,
    "long": 8,
    "mount_attr": 1,
    "mq_attr": 64,
    "open_how": 1,
    "pollfd": 8,
    "rlimit": 16,
    "rusage": 144,
    "sched_attr": 56,
    "sembuf": 6,
    "sigaction": 32,
    "sigevent": 64,
    "siginfo": 128,
    "sigset": 1,
    "sockaddr": 1,
    "span": 16,  # a struct iovec itself: address and length
    "stack": 24,
    "stat": 144,
    "statfs": 120,
    "statx": 256,
    "sysinfo": 112,
    "timespec": 16,
    "timeval": 16,
    "timex": 208,
    "timezone": 8,
    "tms": 32,
    "utimbuf": 16,
    "utsname": 390,
    "xattr_args": 1,
}
"""What a word can name -> bytes on x86-64."""
