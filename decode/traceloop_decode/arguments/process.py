# SPDX-License-Identifier: Apache-2.0
"""Processes, memory, credentials, scheduling, the system, its modules, queues and rings."""

from __future__ import annotations

TABLE = """
# children. The order of clone's last two arguments depends on the architecture.
clone               clone_flags_exit addr out:clone_parent clone_tls_or_child clone_tls_or_child
clone3              in:clone_args[size]>in:id_list@64[u64@72]>out:fd_number@8 size
execve              in:path in:argv in:vars
execveat            dirfd in:path in:argv in:vars execveat_flags
exit                int
exit_group          int
wait4               int out:wait_status wait_options out:wait_rusage
waitid              one_wait_id int out:siginfo wait_options out:rusage
setns               fd setns_types
unshare             unshare_flags
pidfd_open          int pidfd_flags
pidfd_getfd         fd other_fd hex32
kcmp                int int one_kcmp_type hex hex
kcmp:KCMP_FILE      int int one_kcmp_type other_fd other_fd
kcmp:KCMP_EPOLL_TFD int int one_kcmp_type other_fd in:epoll_slot
kcmp:KCMP_VM,KCMP_FILES,KCMP_FS,KCMP_SIGHAND,KCMP_IO,KCMP_SYSVSEM int int one_kcmp_type none none
set_tid_address     addr
set_robust_list     addr size
get_robust_list     int out:boxed_addr out:boxed_size
rseq                rseq_at hex32 hex32 hex32
ptrace              ptrace_request int addr addr
ptrace:PTRACE_TRACEME ptrace_request none none none
ptrace:PTRACE_ATTACH,PTRACE_KILL,PTRACE_INTERRUPT,PTRACE_LISTEN ptrace_request int none none
ptrace:PTRACE_PEEKUSER,PTRACE_POKEUSER ptrace_request int user_offset hex
ptrace:PTRACE_GETREGS ptrace_request int none out:user_registers
ptrace:PTRACE_SETREGS ptrace_request int none in:user_registers
ptrace:PTRACE_GETFPREGS ptrace_request int none out:user_fp_registers
ptrace:PTRACE_SETFPREGS ptrace_request int none in:user_fp_registers
ptrace:PTRACE_SETOPTIONS,PTRACE_OLDSETOPTIONS,PTRACE_SEIZE ptrace_request int addr ptrace_options
ptrace:PTRACE_CONT,PTRACE_DETACH,PTRACE_SYSCALL,PTRACE_SINGLESTEP,PTRACE_SYSEMU ptrace_request int addr signal64
ptrace:PTRACE_SYSEMU_SINGLESTEP,PTRACE_SINGLEBLOCK ptrace_request int addr signal64
ptrace:PTRACE_GETREGSET ptrace_request int one_regsets inout:register_set>out:register_bytes@0[u64@8]
ptrace:PTRACE_SETREGSET ptrace_request int one_regsets inout:new_register_set>in:register_bytes@0[u64@8]
ptrace:PTRACE_PEEKSIGINFO ptrace_request int in:peek_siginfo out:siginfo[result]
ptrace:PTRACE_GETSIGMASK ptrace_request int ulong out:sigset_out[addr]
ptrace:PTRACE_SETSIGMASK ptrace_request int ulong in:sigset[addr]
ptrace:PTRACE_GETSIGINFO ptrace_request int hex out:siginfo
ptrace:PTRACE_SETSIGINFO ptrace_request int hex in:siginfo
ptrace:PTRACE_SECCOMP_GET_FILTER ptrace_request int ulong addr
ptrace:PTRACE_SECCOMP_GET_METADATA ptrace_request int ulong inout:seccomp_metadata
ptrace:PTRACE_GET_SYSCALL_INFO ptrace_request int ulong out:syscall_info[addr]
seccomp             one_seccomp_ops hex32 addr
seccomp:SECCOMP_SET_MODE_FILTER one_seccomp_ops seccomp_flags in:filter_program>in:filter_step@8[u16@0]
seccomp:SECCOMP_GET_ACTION_AVAIL one_seccomp_ops hex32 in:boxed_action
seccomp:SECCOMP_GET_NOTIF_SIZES one_seccomp_ops hex32 out:notif_sizes

# memory
mmap                addr ulong prot_bits map_flags fd hex = hex
munmap              addr ulong
mprotect            addr ulong prot
pkey_mprotect       addr ulong prot int
mremap              addr ulong ulong mremap_flags mremap_addr = hex
brk                 addr = hex
madvise             addr ulong one_madvice
process_madvise     fd in:plain_iovec[vlen] size one_madvice hex32
process_mrelease    fd hex32
msync               addr ulong msync_flags
mincore             addr ulong out:residency[len/page]
mlock               addr ulong
mlock2              addr ulong mlock_flags
munlock             addr ulong
mseal               addr ulong hex
mlockall            mlockall_flags
pkey_alloc          hex pkey_rights
pkey_free           int
memfd_secret        secret_bits
userfaultfd         userfaultfd_flags
membarrier          one_membarrier_cmd membarrier_flags membarrier_cpu = hex
remap_file_pages    addr ulong prot_bits ulong map_flags
mbind               addr ulong mempolicy_mode in:node_mask[maxnode] ulong mbind_flags
set_mempolicy       mempolicy_mode in:node_mask[maxnode] ulong
get_mempolicy       out:boxed_mempolicy out:node_mask[maxnode] ulong addr mempolicy_get
migrate_pages       int ulong in:node_mask[maxnode] in:node_mask[maxnode]
move_pages          int ulong in:page_list[nr_pages] in:node_list[nr_pages] out:status_list[nr_pages] move_flags
set_mempolicy_home_node addr ulong ulong hex

# futexes
futex               addr futex_op uint hex addr hex32
futex:FUTEX_WAIT,FUTEX_WAIT_PRIVATE,FUTEX_WAIT_REALTIME addr futex_op uint in:timespec none none
futex:FUTEX_WAIT_PRIVATE_REALTIME addr futex_op uint in:timespec none none
futex:FUTEX_WAKE,FUTEX_WAKE_PRIVATE,FUTEX_FD,FUTEX_FD_PRIVATE addr futex_op uint none none none
futex:FUTEX_WAKE_REALTIME,FUTEX_WAKE_PRIVATE_REALTIME addr futex_op uint none none none
futex:FUTEX_FD_REALTIME,FUTEX_FD_PRIVATE_REALTIME addr futex_op uint none none none
futex:FUTEX_REQUEUE,FUTEX_REQUEUE_PRIVATE addr futex_op uint ulong32 addr none
futex:FUTEX_REQUEUE_REALTIME,FUTEX_REQUEUE_PRIVATE_REALTIME addr futex_op uint ulong32 addr none
futex:FUTEX_CMP_REQUEUE,FUTEX_CMP_REQUEUE_PRIVATE,FUTEX_CMP_REQUEUE_PI addr futex_op uint ulong32 addr uint
futex:FUTEX_CMP_REQUEUE_PI_PRIVATE addr futex_op uint ulong32 addr uint
futex:FUTEX_CMP_REQUEUE_REALTIME,FUTEX_CMP_REQUEUE_PRIVATE_REALTIME addr futex_op uint ulong32 addr uint
futex:FUTEX_CMP_REQUEUE_PI_REALTIME,FUTEX_CMP_REQUEUE_PI_PRIVATE_REALTIME addr futex_op uint ulong32 addr uint
futex:FUTEX_WAKE_OP,FUTEX_WAKE_OP_PRIVATE addr futex_op uint ulong32 addr futex_wake_bits
futex:FUTEX_WAKE_OP_REALTIME,FUTEX_WAKE_OP_PRIVATE_REALTIME addr futex_op uint ulong32 addr futex_wake_bits
futex:FUTEX_LOCK_PI,FUTEX_LOCK_PI_PRIVATE addr futex_op none in:timespec none none
futex:FUTEX_LOCK_PI2,FUTEX_LOCK_PI2_PRIVATE addr futex_op none in:timespec none none
futex:FUTEX_LOCK_PI2_REALTIME,FUTEX_LOCK_PI2_PRIVATE_REALTIME addr futex_op none in:timespec none none
futex:FUTEX_LOCK_PI_REALTIME,FUTEX_LOCK_PI_PRIVATE_REALTIME addr futex_op none in:timespec none none
futex:FUTEX_UNLOCK_PI_REALTIME,FUTEX_UNLOCK_PI_PRIVATE_REALTIME addr futex_op none none none none
futex:FUTEX_TRYLOCK_PI_REALTIME,FUTEX_TRYLOCK_PI_PRIVATE_REALTIME addr futex_op none none none none
futex:FUTEX_UNLOCK_PI,FUTEX_UNLOCK_PI_PRIVATE,FUTEX_TRYLOCK_PI addr futex_op none none none none
futex:FUTEX_TRYLOCK_PI_PRIVATE addr futex_op none none none none
futex:FUTEX_WAIT_BITSET,FUTEX_WAIT_BITSET_PRIVATE addr futex_op uint in:timespec none futex_bits
futex:FUTEX_WAIT_BITSET_REALTIME,FUTEX_WAIT_BITSET_PRIVATE_REALTIME addr futex_op uint in:timespec none futex_bits
futex:FUTEX_WAKE_BITSET,FUTEX_WAKE_BITSET_PRIVATE addr futex_op uint none none futex_bits
futex:FUTEX_WAKE_BITSET_REALTIME,FUTEX_WAKE_BITSET_PRIVATE_REALTIME addr futex_op uint none none futex_bits
futex:FUTEX_WAIT_REQUEUE_PI,FUTEX_WAIT_REQUEUE_PI_PRIVATE addr futex_op uint in:timespec addr none
futex:FUTEX_WAIT_REQUEUE_PI_REALTIME,FUTEX_WAIT_REQUEUE_PI_PRIVATE_REALTIME addr futex_op uint in:timespec addr none
futex_waitv         in:futex_waitv[nr_futexes] uint hex32 in:timespec clock

# prctl and similar calls
prctl               one_prctl_options hex hex hex hex
prctl:PR_SET_NAME   one_prctl_options in:thread_name none none none
prctl:PR_GET_NAME   one_prctl_options out:task_name none none none
prctl:PR_SET_PDEATHSIG one_prctl_options signal64 none none none
prctl:PR_GET_PDEATHSIG one_prctl_options out:boxed_signal none none none
prctl:PR_SET_DUMPABLE one_prctl_options dumpable64 none none none
prctl:PR_GET_DUMPABLE,PR_GET_KEEPCAPS,PR_GET_TIMING,PR_GET_SECCOMP one_prctl_options none none none none
prctl:PR_GET_TIMERSLACK,PR_TASK_PERF_EVENTS_DISABLE,PR_TASK_PERF_EVENTS_ENABLE one_prctl_options none none none none
prctl:PR_SVE_GET_VL,PR_SME_GET_VL one_prctl_options none none none none = hex
prctl:PR_SVE_SET_VL one_prctl_options sve_length none none none = hex
prctl:PR_SME_SET_VL one_prctl_options sme_length none none none = hex
prctl:PR_SET_TAGGED_ADDR_CTRL one_prctl_options tagged_control hex hex hex
prctl:PR_GET_TAGGED_ADDR_CTRL,PR_PAC_GET_ENABLED_KEYS one_prctl_options hex hex hex hex = hex
prctl:PR_PAC_SET_ENABLED_KEYS one_prctl_options pac_enabled_keys pac_enabled_keys hex hex
prctl:PR_GET_SECUREBITS,PR_GET_FP_MODE one_prctl_options none none none none = hex
prctl:PR_SET_KEEPCAPS,PR_SET_TIMING,PR_SET_CHILD_SUBREAPER,PR_SET_FPEMU one_prctl_options ulong none none none
prctl:PR_SET_FPEXC,PR_SET_ENDIAN one_prctl_options ulong none none none
prctl:PR_SET_TIMERSLACK one_prctl_options long_signed none none none
prctl:PR_SET_UNALIGN one_prctl_options unalign_flags none none none
prctl:PR_GET_UNALIGN,PR_GET_FPEMU,PR_GET_FPEXC,PR_GET_ENDIAN one_prctl_options out:boxed_int none none none
prctl:PR_CAPBSET_READ,PR_CAPBSET_DROP one_prctl_options capability none none none
prctl:PR_GET_TSC    one_prctl_options out:boxed_tsc none none none
prctl:PR_SET_TSC    one_prctl_options one_tsc_mode none none none
prctl:PR_SET_SECUREBITS one_prctl_options secure_flags none none none
prctl:PR_MCE_KILL   one_prctl_options mce_kill64 mce_policy64 hex hex
prctl:PR_SET_MM     one_prctl_options one_set_mm hex hex hex
prctl:PR_GET_CHILD_SUBREAPER one_prctl_options out:boxed_int none none none
prctl:PR_GET_TID_ADDRESS one_prctl_options out:boxed_addr none none none
prctl:PR_SET_NO_NEW_PRIVS,PR_SET_THP_DISABLE,PR_SET_IO_FLUSHER one_prctl_options ulong hex hex hex
prctl:PR_SET_FP_MODE one_prctl_options fp_mode none none none
prctl:PR_CAP_AMBIENT one_prctl_options ambient64 ambient_capability hex hex
prctl:PR_GET_SPECULATION_CTRL one_prctl_options speculation64 none none none = hex
prctl:PR_SET_SPECULATION_CTRL one_prctl_options speculation64 speculation_state64 none none
prctl:PR_SET_VMA    one_prctl_options set_vma64 vma_address vma_size in:vma_name
prctl:PR_SET_PTRACER one_prctl_options ptracer none none none
prctl:PR_SET_SYSCALL_USER_DISPATCH one_prctl_options dispatch64 hex hex dispatch_selector
prctl:PR_SCHED_CORE one_prctl_options one_core_sched int pid_type addr
prctl:PR_PAC_RESET_KEYS one_prctl_options pac_flags hex hex hex
prctl:PR_SET_SECCOMP one_prctl_options seccomp_mode64 in:prctl_filter>in:filter_step@8[u16@0] seccomp_rest seccomp_rest
arch_prctl          one_arch_prctl hex
arch_prctl:ARCH_GET_FS,ARCH_GET_GS one_arch_prctl out:boxed_addr
arch_prctl:ARCH_GET_XCOMP_SUPP,ARCH_GET_XCOMP_PERM,ARCH_GET_XCOMP_GUEST_PERM one_arch_prctl out:xfeature_mask
arch_prctl:ARCH_REQ_XCOMP_PERM,ARCH_REQ_XCOMP_GUEST_PERM one_arch_prctl xfeature = hex
arch_prctl:ARCH_GET_CPUID one_arch_prctl none
personality         personality = hex

# credentials
setuid              id
setgid              id
setfsuid            id
setfsgid            id
setreuid            id id
setregid            id id
setresuid           id id id
setresgid           id id id
getresuid           out:boxed_id out:boxed_id out:boxed_id
getresgid           out:boxed_id out:boxed_id out:boxed_id
getgroups           int out:id_list[result]
setgroups           int in:id_list[gidsetsize]
capget              in:cap_header out:cap_data
capset              in:cap_header in:cap_data
getpgid             int
getsid              int
setpgid             int int

# limits
getrlimit           one_rlimits out:rlimit
setrlimit           one_rlimits in:rlimit
prlimit64           int one_rlimits in:rlimit out:rlimit
getrusage           one_usage_who out:rusage
getpriority         one_priority_which int
setpriority         one_priority_which int int

# scheduling
getcpu              out:boxed_uint out:boxed_uint addr
sched_setparam      int in:boxed_int
sched_getparam      int out:boxed_int
sched_getscheduler  int
sched_setscheduler  int one_sched_policy in:boxed_int
sched_get_priority_max one_sched_policy
sched_get_priority_min one_sched_policy
sched_setattr       int inend:sched_attr uint
sched_getattr       int out:sched_attr uint uint
sched_setaffinity   int uint in:cpu_set[len]
sched_getaffinity   int uint out:cpu_set[result]
ioprio_get          one_ioprio_who int
ioprio_set          one_ioprio_who int ioprio

# the system
uname               out:utsname
sysinfo             out:sysinfo
sethostname         in:host_name[len] uint
setdomainname       in:host_name[len] uint
reboot              one_reboot_magic1 one_reboot_magic2 one_reboot_cmd none
reboot:LINUX_REBOOT_CMD_RESTART2 one_reboot_magic1 one_reboot_magic2 one_reboot_cmd in:reboot_text
syslog              log_action addr int
syslog:SYSLOG_ACTION_READ,SYSLOG_ACTION_READ_ALL,SYSLOG_ACTION_READ_CLEAR log_action out:bytes[result] int
syslog:SYSLOG_ACTION_CONSOLE_LEVEL log_action addr log_level
syslog:SYSLOG_ACTION_CLOSE,SYSLOG_ACTION_OPEN,SYSLOG_ACTION_CLEAR,SYSLOG_ACTION_CONSOLE_OFF log_action none none
syslog:SYSLOG_ACTION_CONSOLE_ON,SYSLOG_ACTION_SIZE_UNREAD,SYSLOG_ACTION_SIZE_BUFFER log_action none none
init_module         addr ulong in:string
finit_module        fd in:string init_module_flags
delete_module       in:string delete_module_flags
kexec_load          addr ulong addr kexec_bits
kexec_file_load     fd fd ulong in:bytes[cmdline_len] kexec_file_flags
iopl                int
ioperm              hex hex int
modify_ldt          int in:user_desc ulong
set_thread_area     inout:user_desc
get_thread_area     inout:user_desc
_sysctl             in:sysctl_args
lookup_dcookie      ulong addr ulong

# keys; payloads are secrets and not recorded
add_key             in:string in:string addr ulong key
request_key         in:string in:string in:string key
keyctl              one_keyctl_ops hex hex hex hex
keyctl:KEYCTL_GET_KEYRING_ID one_keyctl_ops key int none none
keyctl:KEYCTL_JOIN_SESSION_KEYRING one_keyctl_ops in:string none none none
keyctl:KEYCTL_UPDATE one_keyctl_ops key addr ulong none
keyctl:KEYCTL_REVOKE,KEYCTL_CLEAR,KEYCTL_ASSUME_AUTHORITY,KEYCTL_INVALIDATE one_keyctl_ops key none none none
keyctl:KEYCTL_CHOWN one_keyctl_ops key id id none
keyctl:KEYCTL_SETPERM one_keyctl_ops key key_perm none none
keyctl:KEYCTL_DESCRIBE,KEYCTL_GET_SECURITY one_keyctl_ops key out:key_text[result] ulong none
keyctl:KEYCTL_READ  one_keyctl_ops key addr ulong none
keyctl:KEYCTL_LINK,KEYCTL_UNLINK one_keyctl_ops key key none none
keyctl:KEYCTL_SEARCH one_keyctl_ops key in:string in:string key
keyctl:KEYCTL_INSTANTIATE,KEYCTL_INSTANTIATE_IOV one_keyctl_ops key addr ulong key
keyctl:KEYCTL_NEGATE one_keyctl_ops key uint key none
keyctl:KEYCTL_REJECT one_keyctl_ops key uint error_name key
keyctl:KEYCTL_SET_REQKEY_KEYRING one_keyctl_ops key_default_ring none none none
keyctl:KEYCTL_SET_TIMEOUT one_keyctl_ops key uint none none
keyctl:KEYCTL_SESSION_TO_PARENT one_keyctl_ops none none none none
keyctl:KEYCTL_GET_PERSISTENT one_keyctl_ops id key none none
keyctl:KEYCTL_RESTRICT_KEYRING one_keyctl_ops key in:string in:string none
keyctl:KEYCTL_MOVE  one_keyctl_ops key key key key_move
landlock_create_ruleset in:landlock_ruleset[size] ulong landlock_create
landlock_add_rule   fd one_landlock_rule addr hex32
landlock_add_rule:LANDLOCK_RULE_PATH_BENEATH fd one_landlock_rule in:path_beneath hex32
landlock_restrict_self fd hex32

# System V and POSIX queues
shmget              ipc_id_key ulong shmget_bits
shmat               int addr shmat_flags = hex
shmdt               addr
shmctl              int one_shmctl_cmd addr
shmctl:IPC_STAT,SHM_STAT,SHM_STAT_ANY int one_shmctl_cmd out:shm_state
shmctl:IPC_SET      int one_shmctl_cmd in:shm_state
shmctl:IPC_INFO     int one_shmctl_cmd out:shm_limits
shmctl:SHM_INFO     int one_shmctl_cmd out:shm_usage
semget              ipc_id_key int ipcget_bits
semop               int in:sembuf[nsops] uint
semtimedop          int in:sembuf[nsops] uint in:timespec
semctl              int int one_semctl_cmd addr
semctl:IPC_STAT,SEM_STAT,SEM_STAT_ANY int int one_semctl_cmd out:sem_state
semctl:IPC_SET      int int one_semctl_cmd in:sem_state
semctl:IPC_INFO,SEM_INFO int int one_semctl_cmd out:sem_limits
semctl:SETVAL       int int one_semctl_cmd hex
msgget              ipc_id_key ipcget_bits
msgsnd              int in:message[msgsz+8] ulong msg_queue_flags
msgrcv              int out:message[result+8] ulong long msg_queue_flags
msgctl              int one_msgctl_cmd addr
msgctl:IPC_STAT,MSG_STAT,MSG_STAT_ANY int one_msgctl_cmd out:msg_state
msgctl:IPC_SET      int one_msgctl_cmd in:msg_state
msgctl:IPC_INFO,MSG_INFO int one_msgctl_cmd out:msg_limits
mq_open             in:path open_flags mq_mode in:mq_create_attr
mq_unlink           in:path
mq_timedsend        fd in:bytes[msg_len] ulong uint in:timespec
mq_timedreceive     fd out:bytes[result] ulong out:boxed_uint in:timespec
mq_notify           fd in:sigevent
mq_getsetattr       fd in:mq_attr out:mq_attr

# rings
bpf                 one_bpf_cmd in:bpf_attr[size] uint
bpf:BPF_PROG_LOAD   one_bpf_cmd in:bpf_attr[size]>in:string@16>in:bpf_step@8[u32@4] uint
bpf:BPF_OBJ_PIN,BPF_OBJ_GET one_bpf_cmd in:bpf_attr[size]>in:string@0 uint
bpf:BPF_OBJ_GET_INFO_BY_FD one_bpf_cmd inout:bpf_attr[size] uint
bpf:BPF_RAW_TRACEPOINT_OPEN one_bpf_cmd in:bpf_attr[size]>in:string@0 uint
perf_event_open     in:perf_attr int int fd perf_flags
io_uring_setup      uint inout:io_uring_params
io_uring_enter      fd uint uint uring_enter in:uring_mask[argsz] size
io_uring_register   fd one_uring_register addr uint
io_uring_register:IORING_REGISTER_BUFFERS fd one_uring_register in:plain_iovec[nr_args] uint
io_uring_register:IORING_REGISTER_FILES fd one_uring_register in:fd_list[nr_args] uint
io_uring_register:IORING_REGISTER_EVENTFD,IORING_REGISTER_EVENTFD_ASYNC fd one_uring_register in:fd_list[nr_args] uint
io_uring_register:IORING_REGISTER_FILES_UPDATE fd one_uring_register in:files_update>in:node_list@8[nr_args] uint
io_uring_register:IORING_REGISTER_FILES2 fd one_uring_register in:resources[nr_args]>in:node_list@16[u32@0] uint
io_uring_register:IORING_REGISTER_BUFFERS2 fd one_uring_register in:resources[nr_args]>in:plain_iovec@16[u32@0] uint
io_uring_register:IORING_REGISTER_FILES_UPDATE2 fd one_uring_register in:changes[nr_args]>in:node_list@8[u32@24] uint
io_uring_register:IORING_REGISTER_BUFFERS_UPDATE fd one_uring_register in:changes[nr_args]>in:plain_iovec@8[u32@24] uint
io_uring_register:IORING_REGISTER_IOWQ_AFF fd one_uring_register in:cpu_set[nr_args] uint
io_uring_register:IORING_REGISTER_IOWQ_MAX_WORKERS fd one_uring_register inout:max_workers uint
io_setup            uint out:boxed_addr
io_destroy          addr
io_submit           addr long in:control_blocks[nr]
io_cancel           addr in:iocb out:io_event
io_getevents        addr long long out:io_event[result] in:timespec
io_pgetevents       addr long long out:io_event[result] in:timespec in:mask_and_size[1]
"""

SIZES: dict[str, int] = {
    "vars": 8,  # pointers
    "boxed_action": 4,
    "boxed_addr": 8,
    "boxed_hex": 8,
    "boxed_id": 4,
    "boxed_int": 4,
    "boxed_mempolicy": 4,
    "boxed_signal": 4,
    "boxed_size": 8,
    "boxed_tsc": 4,
    "boxed_uint": 4,
    "bpf_attr": 1,
    "bpf_step": 8,
    "bytes": 1,
    "cap_data": 24,
    "cap_header": 8,
    "changes": 1,
    "clone_args": 1,
    "clone_parent": 4,
    "cpu_set": 1,
    "filter_program": 16,
    "fd_list": 4,
    "files_update": 16,
    "filter_step": 8,
    "futex_waitv": 24,
    "host_name": 1,
    "id_list": 4,
    "int": 4,
    "key_text": 1,
    "io_event": 32,
    "io_uring_params": 120,
    "iocb": 64,
    "landlock_ruleset": 1,
    "long": 8,
    "message": 1,
    "max_workers": 8,
    "message_32": 1,
    "mq_attr": 64,
    "mq_create_attr": 64,
    "msg_limits": 32,
    "msg_state": 120,
    "node_list": 4,
    "node_mask": 0,  # bits
    "notif_sizes": 6,
    "page_list": 8,
    "new_register_set": 16,
    "peek_siginfo": 16,
    "register_bytes": 1,
    "register_set": 16,
    "residency": 1,
    "path_beneath": 12,
    "perf_attr": 64,  # the struct's first version; it holds its own size
    "plain_iovec": 16,
    "resources": 1,
    "rlimit": 16,
    "rusage": 144,
    "sched_attr": 56,
    "seccomp_metadata": 16,
    "syscall_info": 1,
    "prctl_filter": 16,
    "sem_limits": 40,
    "sem_state": 104,
    "sembuf": 6,
    "shm_limits": 72,
    "shm_state": 112,
    "shm_usage": 48,
    "status_list": 4,
    "sysinfo": 112,
    "task_name": 16,
    "epoll_slot": 12,
    "sysctl_args": 80,
    "uring_mask": 1,
    "user_desc": 16,
    "user_fp_registers": 512,
    "user_registers": 216,
    "utsname": 390,
    "wait_rusage": 144,
    "xfeature_mask": 8,
    "wait_status": 4,
}
