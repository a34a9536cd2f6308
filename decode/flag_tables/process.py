# SPDX-License-Identifier: Apache-2.0
"""Processes, memory, credentials, scheduling, the system, its modules, queues and rings."""

from __future__ import annotations

from flag_tables import Table

_CLONE = "linux/sched.h"
_FCNTL = "asm-generic/fcntl.h"
_MMAN = "asm-generic/mman-common.h asm-generic/mman.h linux/mman.h asm/mman.h"
_CLONE_FLAGS = (
    "CLONE_VM CLONE_FS CLONE_FILES CLONE_SIGHAND CLONE_PIDFD CLONE_PTRACE CLONE_VFORK CLONE_PARENT CLONE_THREAD "
    "CLONE_NEWNS CLONE_SYSVSEM CLONE_SETTLS CLONE_PARENT_SETTID CLONE_CHILD_CLEARTID CLONE_UNTRACED "
    "CLONE_CHILD_SETTID CLONE_NEWCGROUP CLONE_NEWUTS CLONE_NEWIPC CLONE_NEWUSER CLONE_NEWPID CLONE_NEWNET CLONE_IO"
)
_NEW = "CLONE_NEWNS CLONE_NEWCGROUP CLONE_NEWUTS CLONE_NEWIPC CLONE_NEWUSER CLONE_NEWPID CLONE_NEWNET"
_PERF = "linux/perf_event.h"
_PERSONALITY = "sys/personality.h"
_PRCTL = "linux/prctl.h"
_PTRACE = "linux/ptrace.h"
_FUTEX = "linux/futex.h"
_URING = "linux/io_uring.h"

# Futex operations: each alone, and with the two flags that most of them take.
_FUTEX_OPS = (
    "WAIT=0 WAKE=1 FD=2 REQUEUE=3 CMP_REQUEUE=4 WAKE_OP=5 LOCK_PI=6 UNLOCK_PI=7 TRYLOCK_PI=8 WAIT_BITSET=9 "
    "WAKE_BITSET=10 WAIT_REQUEUE_PI=11 CMP_REQUEUE_PI=12 LOCK_PI2=13"
)


def _futex_ops() -> str:
    names = []
    for name, value in (each.split("=") for each in _FUTEX_OPS.split()):
        for suffix, flags in (
            ("", 0),
            ("_PRIVATE", 128),
            ("_REALTIME", 256),
            ("_PRIVATE_REALTIME", 384),
        ):
            names.append(f"FUTEX_{name}{suffix}={int(value) | flags}")
    return " ".join(names)


TABLES = {
    # memory
    # PROT_BTI and PROT_MTE are arm64's
    "prot": Table(
        "PROT_???",
        _MMAN,
        "PROT_NONE PROT_READ PROT_WRITE PROT_EXEC PROT_SEM PROT_BTI PROT_MTE PROT_GROWSDOWN PROT_GROWSUP",
    ),
    "map_type": Table("MAP_???", _MMAN, "MAP_FILE=0 MAP_SHARED MAP_PRIVATE MAP_SHARED_VALIDATE MAP_DROPPABLE"),
    "map_bits": Table(
        "MAP_???",
        _MMAN,
        "MAP_FIXED MAP_ANONYMOUS MAP_32BIT MAP_ABOVE4G MAP_NORESERVE MAP_POPULATE MAP_NONBLOCK MAP_GROWSDOWN "
        "MAP_DENYWRITE MAP_EXECUTABLE MAP_LOCKED MAP_STACK MAP_HUGETLB MAP_SYNC MAP_FIXED_NOREPLACE",
    ),
    "mremap_flags": Table("MREMAP_???", _MMAN, "MREMAP_MAYMOVE MREMAP_FIXED MREMAP_DONTUNMAP"),
    "msync_flags": Table("MS_???", _MMAN, "MS_SYNC MS_ASYNC MS_INVALIDATE"),
    "mlock_flags": Table("MLOCK_???", _MMAN, "MLOCK_ONFAULT"),
    "mlockall_flags": Table("MCL_???", _MMAN, "MCL_CURRENT MCL_FUTURE MCL_ONFAULT"),
    "madvice": Table("MADV_???", _MMAN, match=r"MADV_\w+"),
    "pkey_rights": Table("PKEY_???", _MMAN, "PKEY_DISABLE_ACCESS PKEY_DISABLE_WRITE PKEY_DISABLE_EXECUTE=4"),
    "membarrier_cmd": Table(
        "MEMBARRIER_CMD_???",
        "linux/membarrier.h",
        match=r"MEMBARRIER_CMD_\w+",
        without=r"MEMBARRIER_CMD_(SHARED|FLAG_\w+)",
    ),
    "membarrier_flags": Table("MEMBARRIER_CMD_FLAG_???", "linux/membarrier.h", "MEMBARRIER_CMD_FLAG_CPU"),
    "mempolicy": Table(
        "MPOL_???", "linux/mempolicy.h", match=r"MPOL_[A-Z_]+", without=r"MPOL_((F|MF)_\w+|MAX|\w+_FLAGS)"
    ),
    "mempolicy_bits": Table(
        "MPOL_???", "linux/mempolicy.h", "MPOL_F_STATIC_NODES MPOL_F_RELATIVE_NODES MPOL_F_NUMA_BALANCING"
    ),
    "mempolicy_get": Table("MPOL_???", "linux/mempolicy.h", "MPOL_F_NODE MPOL_F_ADDR MPOL_F_MEMS_ALLOWED"),
    "mbind_flags": Table("MPOL_???", "linux/mempolicy.h", "MPOL_MF_STRICT MPOL_MF_MOVE MPOL_MF_MOVE_ALL"),
    "move_flags": Table("MPOL_???", "linux/mempolicy.h", "MPOL_MF_MOVE MPOL_MF_MOVE_ALL"),
    "secret_flags": Table("O_???", _FCNTL, "O_CLOEXEC"),
    "userfaultfd_flags": Table("UFFD_???", "linux/userfaultfd.h", "UFFD_USER_MODE_ONLY O_NONBLOCK O_CLOEXEC"),
    # children
    "clone_flags": Table(
        "CLONE_???",
        _CLONE,
        _CLONE_FLAGS,
    ),
    "clone3_flags": Table("CLONE_???", _CLONE, f"{_CLONE_FLAGS} CLONE_NEWTIME CLONE_CLEAR_SIGHAND CLONE_INTO_CGROUP"),
    "unshare_flags": Table(
        "CLONE_???",
        _CLONE,
        "CLONE_NEWTIME CLONE_VM CLONE_FS CLONE_FILES CLONE_SIGHAND CLONE_THREAD CLONE_NEWNS CLONE_SYSVSEM "
        "CLONE_NEWCGROUP CLONE_NEWUTS CLONE_NEWIPC CLONE_NEWUSER CLONE_NEWPID CLONE_NEWNET",
    ),
    "setns_types": Table("CLONE_NEW???", _CLONE, f"CLONE_NEWTIME {_NEW}"),
    # WSTOPPED is WUNTRACED, and wait4's and waitid's are one table
    "wait_options": Table(
        "W???", "linux/wait.h", "WNOHANG WEXITED WSTOPPED WCONTINUED WNOWAIT __WCLONE __WALL __WNOTHREAD"
    ),
    "wait_id": Table("P_???", "linux/wait.h", "P_ALL P_PID P_PGID P_PIDFD"),
    "child_codes": Table(
        "CLD_???", "asm-generic/siginfo.h", "CLD_EXITED CLD_KILLED CLD_DUMPED CLD_TRAPPED CLD_STOPPED CLD_CONTINUED"
    ),
    "execveat_flags": Table(
        "AT_???",
        "asm-generic/fcntl.h linux/fcntl.h",
        "AT_SYMLINK_NOFOLLOW AT_REMOVEDIR AT_SYMLINK_FOLLOW AT_NO_AUTOMOUNT AT_EMPTY_PATH AT_RECURSIVE AT_EXECVE_CHECK",
    ),
    "pidfd_flags": Table("PIDFD_???", "linux/pidfd.h", "PIDFD_NONBLOCK PIDFD_THREAD"),
    "kcmp_type": Table("KCMP_???", "linux/kcmp.h", match=r"KCMP_\w+", without="KCMP_TYPES"),
    "ptrace_requests": Table(
        "PTRACE_???",
        f"{_PTRACE} asm/ptrace-abi.h",
        "PTRACE_TRACEME PTRACE_PEEKTEXT PTRACE_PEEKDATA PTRACE_PEEKUSER=3 PTRACE_POKETEXT PTRACE_POKEDATA "
        "PTRACE_POKEUSER=6 PTRACE_CONT PTRACE_KILL PTRACE_SINGLESTEP PTRACE_GETREGS PTRACE_SETREGS PTRACE_GETFPREGS "
        "PTRACE_SETFPREGS PTRACE_ATTACH PTRACE_DETACH PTRACE_GETFPXREGS PTRACE_SETFPXREGS PTRACE_OLDSETOPTIONS "
        "PTRACE_SYSCALL PTRACE_GET_THREAD_AREA PTRACE_SET_THREAD_AREA PTRACE_ARCH_PRCTL PTRACE_SYSEMU "
        "PTRACE_SYSEMU_SINGLESTEP PTRACE_SINGLEBLOCK",
        match=r"PTRACE_(SET|GET|SEI|INT|LIS|PEEKSIG|SECCOMP)\w+",
        without=r"PTRACE_PEEKSIGINFO_SHARED",
    ),
    "ptrace_options": Table("PTRACE_O_???", _PTRACE, match=r"PTRACE_O_\w+", without="PTRACE_O_MASK"),
    "regsets": Table(
        "NT_???",
        "linux/elf.h",
        "NT_FPREGSET=2 NT_PRXREG=4 NT_PLATFORM=5 NT_GWINDOWS=7 NT_ASRS=8 NT_PSTATUS=10 NT_PSINFO=13 NT_PRCRED=14 "
        "NT_UTSNAME=15 NT_LWPSTATUS=16 NT_LWPSINFO=17 NT_PRFPXREG=20",
        match=r"NT_(PR|X86_|FPREGSET|PRFPREG|386|TASKSTRUCT|AUXV|SIGINFO|FILE)\w*",
    ),
    "seccomp_ops": Table(
        "SECCOMP_SET_MODE_???",
        "linux/seccomp.h",
        "SECCOMP_SET_MODE_STRICT SECCOMP_SET_MODE_FILTER SECCOMP_GET_ACTION_AVAIL SECCOMP_GET_NOTIF_SIZES",
    ),
    "seccomp_flags": Table("SECCOMP_FILTER_FLAG_???", "linux/seccomp.h", match=r"SECCOMP_FILTER_FLAG_\w+"),
    "seccomp_actions": Table(
        "SECCOMP_RET_???",
        "linux/seccomp.h",
        match=r"SECCOMP_RET_\w+",
        without=r"SECCOMP_RET_(ACTION|DATA)\w*|SECCOMP_RET_KILL",
    ),
    "seccomp_modes": Table("SECCOMP_MODE_???", "linux/seccomp.h", match=r"SECCOMP_MODE_\w+"),
    # prctl
    "prctl_options": Table(
        "PR_???",
        _PRCTL,
        match=r"PR_(SET|GET)_\w+|PR_(CAPBSET|TASK|MPX)_\w+|PR_MCE_KILL(_GET)?|PR_CAP_AMBIENT|PR_S[VM]E_[SG]ET_VL"
        r"|PR_PAC_(RESET_KEYS|[SG]ET_ENABLED_KEYS)|PR_SCHED_CORE|PR_RISCV_V_[SG]ET_CONTROL|PR_FUTEX_HASH"
        r"|PR_TIMER_CREATE_RESTORE_IDS|PR_RISCV_SET_ICACHE_FLUSH_CTX|PR_PPC_\w+",
        without=r"PR_SET_MM_\w+|PR_SET_PTRACER_ANY|PR_SET_VMA_\w+|PR_PPC_DEXCR_\w+",
    ),
    "dumpable": Table("SUID_DUMP_???", "", "SUID_DUMP_DISABLE=0 SUID_DUMP_USER=1 SUID_DUMP_ROOT=2"),
    "unalign_flags": Table("PR_UNALIGN_???", _PRCTL, "PR_UNALIGN_NOPRINT PR_UNALIGN_SIGBUS"),
    "tsc_mode": Table("PR_TSC_???", _PRCTL, "PR_TSC_ENABLE PR_TSC_SIGSEGV"),
    "secure_bits": Table(
        "SECBIT_???",
        "linux/securebits.h",
        "SECBIT_NOROOT SECBIT_NOROOT_LOCKED SECBIT_NO_SETUID_FIXUP SECBIT_NO_SETUID_FIXUP_LOCKED SECBIT_KEEP_CAPS "
        "SECBIT_KEEP_CAPS_LOCKED SECBIT_NO_CAP_AMBIENT_RAISE SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED",
    ),
    "mce_kill": Table("PR_MCE_KILL_???", _PRCTL, "PR_MCE_KILL_CLEAR PR_MCE_KILL_SET"),
    "mce_policy": Table("PR_MCE_KILL_???", _PRCTL, "PR_MCE_KILL_LATE PR_MCE_KILL_EARLY PR_MCE_KILL_DEFAULT"),
    "set_mm": Table("PR_SET_MM_???", _PRCTL, match=r"PR_SET_MM_\w+"),
    "fp_mode": Table("PR_FP_MODE_???", _PRCTL, "PR_FP_MODE_FR PR_FP_MODE_FRE"),
    "ambient": Table("PR_CAP_AMBIENT_???", _PRCTL, match=r"PR_CAP_AMBIENT_\w+"),
    "speculation": Table("PR_SPEC_???", _PRCTL, "PR_SPEC_STORE_BYPASS PR_SPEC_INDIRECT_BRANCH PR_SPEC_L1D_FLUSH"),
    "speculation_state": Table(
        "PR_SPEC_???",
        _PRCTL,
        "PR_SPEC_PRCTL PR_SPEC_ENABLE PR_SPEC_DISABLE PR_SPEC_FORCE_DISABLE PR_SPEC_DISABLE_NOEXEC",
    ),
    "set_vma": Table("PR_SET_VMA_???", _PRCTL, "PR_SET_VMA_ANON_NAME"),
    "dispatch": Table("PR_SYS_DISPATCH_???", _PRCTL, "PR_SYS_DISPATCH_OFF PR_SYS_DISPATCH_ON"),
    "core_sched": Table(
        "PR_SCHED_CORE_???", _PRCTL, match=r"PR_SCHED_CORE_[A-Z_]+", without=r"PR_SCHED_CORE_(MAX|SCOPE\w+)"
    ),
    "pid_types": Table("PIDTYPE_???", "", "PIDTYPE_PID=0 PIDTYPE_TGID=1 PIDTYPE_PGID=2 PIDTYPE_SID=3"),
    "pac_keys": Table(
        "PR_PAC_???", _PRCTL, "PR_PAC_APIAKEY PR_PAC_APIBKEY PR_PAC_APDAKEY PR_PAC_APDBKEY PR_PAC_APGAKEY"
    ),
    "pac_enabled": Table("PR_PAC_???", _PRCTL, "PR_PAC_APIAKEY PR_PAC_APIBKEY PR_PAC_APDAKEY PR_PAC_APDBKEY"),
    "sve_length_flags": Table("PR_SVE_???", _PRCTL, "PR_SVE_SET_VL_ONEXEC PR_SVE_VL_INHERIT"),
    "sme_length_flags": Table("PR_SME_???", _PRCTL, "PR_SME_SET_VL_ONEXEC PR_SME_VL_INHERIT"),
    "tagged_addresses": Table("PR_???", _PRCTL, "!PR_TAGGED_ADDR_ENABLE=0 PR_TAGGED_ADDR_ENABLE"),
    "tag_checks": Table("PR_MTE_TCF_???", _PRCTL, "PR_MTE_TCF_NONE PR_MTE_TCF_SYNC PR_MTE_TCF_ASYNC PR_MTE_TCF_MASK"),
    "peek_siginfo_flags": Table("PTRACE_PEEKSIGINFO_???", "linux/ptrace.h", "PTRACE_PEEKSIGINFO_SHARED"),
    "syscall_stops": Table(
        "PTRACE_SYSCALL_INFO_???", "linux/ptrace.h", match=r"PTRACE_SYSCALL_INFO_(NONE|ENTRY|EXIT|SECCOMP)"
    ),
    "arch_prctl": Table(
        "ARCH_???", "asm/prctl.h", match=r"ARCH_\w+", without=r"ARCH_(XCOMP_TILE|SHSTK_(SHSTK|WRSS))\w*"
    ),
    # arch/x86/include/asm/fpu/types.h, which user space has not
    "xfeature": Table(
        "XFEATURE_???",
        "",
        "XFEATURE_FP=0 XFEATURE_SSE=1 XFEATURE_YMM=2 XFEATURE_BNDREGS=3 XFEATURE_BNDCSR=4 XFEATURE_OPMASK=5 "
        "XFEATURE_ZMM_Hi256=6 XFEATURE_Hi16_ZMM=7 XFEATURE_PT_UNIMPLEMENTED_SO_FAR=8 XFEATURE_PKRU=9 XFEATURE_PASID=10 "
        "XFEATURE_LBR=15 XFEATURE_XTILE_CFG=17 XFEATURE_XTILE_DATA=18",
    ),
    "xfeature_masks": Table(
        "XFEATURE_MASK_???",
        "",
        "XFEATURE_MASK_FPSSE=3 XFEATURE_MASK_FP=1 XFEATURE_MASK_SSE=2 XFEATURE_MASK_YMM=4 XFEATURE_MASK_BNDREGS=8 "
        "XFEATURE_MASK_BNDCSR=0x10 XFEATURE_MASK_AVX512=0xe0 XFEATURE_MASK_OPMASK=0x20 XFEATURE_MASK_ZMM_Hi256=0x40 "
        "XFEATURE_MASK_Hi16_ZMM=0x80 XFEATURE_MASK_PT=0x100 XFEATURE_MASK_PKRU=0x200 XFEATURE_MASK_PASID=0x400 "
        "XFEATURE_MASK_LBR=0x8000 XFEATURE_MASK_XTILE=0x60000 XFEATURE_MASK_XTILE_CFG=0x20000 "
        "XFEATURE_MASK_XTILE_DATA=0x40000",
    ),
    "personality_type": Table("PER_???", _PERSONALITY, match=r"PER_\w+", without="PER_MASK|PER_XENIX"),
    "personality_flags": Table(
        "PER_???",
        _PERSONALITY,
        "UNAME26=0x20000 ADDR_NO_RANDOMIZE FDPIC_FUNCPTRS=0x80000 MMAP_PAGE_ZERO ADDR_COMPAT_LAYOUT READ_IMPLIES_EXEC "
        "ADDR_LIMIT_32BIT SHORT_INODE WHOLE_SECONDS STICKY_TIMEOUTS ADDR_LIMIT_3GB",
    ),
    # credentials
    "cap_version": Table(
        "_LINUX_CAPABILITY_VERSION_???", "linux/capability.h", match=r"_LINUX_CAPABILITY_VERSION_[123]"
    ),
    "capabilities": Table("CAP_???", "linux/capability.h", match=r"CAP_\w+", without=r"CAP_LAST_CAP|CAP_TO_\w+"),
    # limits
    "rlimits": Table("RLIMIT_???", "asm-generic/resource.h", match=r"RLIMIT_\w+"),
    "usage_who": Table("RUSAGE_???", "linux/resource.h", match=r"RUSAGE_\w+"),
    "priority_which": Table("PRIO_???", "linux/resource.h", "PRIO_PROCESS PRIO_PGRP PRIO_USER"),
    # scheduling
    "sched_policy": Table(
        "SCHED_???",
        "linux/sched.h",
        "SCHED_OTHER=0 SCHED_FIFO SCHED_RR SCHED_BATCH SCHED_ISO=4 SCHED_IDLE SCHED_DEADLINE SCHED_EXT",
    ),
    "sched_flags": Table(
        "SCHED_FLAG_???",
        "linux/sched.h",
        "SCHED_FLAG_RESET_ON_FORK SCHED_FLAG_RECLAIM SCHED_FLAG_DL_OVERRUN SCHED_FLAG_KEEP_POLICY "
        "SCHED_FLAG_KEEP_PARAMS SCHED_FLAG_UTIL_CLAMP_MIN SCHED_FLAG_UTIL_CLAMP_MAX",
    ),
    "ioprio_who": Table("IOPRIO_WHO_???", "linux/ioprio.h", match=r"IOPRIO_WHO_\w+"),
    "ioprio_class": Table(
        "IOPRIO_CLASS_???", "linux/ioprio.h", "IOPRIO_CLASS_NONE IOPRIO_CLASS_RT IOPRIO_CLASS_BE IOPRIO_CLASS_IDLE"
    ),
    # futexes
    "futex_ops": Table("FUTEX_???", _FUTEX, _futex_ops()),
    "futex_wake_op": Table("FUTEX_OP_???", _FUTEX, "FUTEX_OP_SET FUTEX_OP_ADD FUTEX_OP_OR FUTEX_OP_ANDN FUTEX_OP_XOR"),
    "futex_wake_cmp": Table("FUTEX_OP_CMP_???", _FUTEX, match=r"FUTEX_OP_CMP_\w+"),
    "futex_bitset": Table("FUTEX_BITSET_???", _FUTEX, "FUTEX_BITSET_MATCH_ANY=0xffffffff"),
    "futex2_flags": Table("FUTEX_???", "", "FUTEX2_SIZE_U8=0 FUTEX2_SIZE_U16=1 FUTEX_32=2 FUTEX2_SIZE_U64=3"),
    "futex2_bits": Table("FUTEX_???", _FUTEX, "FUTEX2_NUMA FUTEX2_MPOL FUTEX_PRIVATE_FLAG"),
    "futex_clocks": Table("CLOCK_???", "linux/time.h", "CLOCK_REALTIME CLOCK_MONOTONIC"),
    # the system
    "reboot_magic1": Table("LINUX_REBOOT_MAGIC_???", "linux/reboot.h", "LINUX_REBOOT_MAGIC1"),
    "reboot_magic2": Table("LINUX_REBOOT_MAGIC_???", "linux/reboot.h", match=r"LINUX_REBOOT_MAGIC2\w*"),
    "reboot_cmd": Table("LINUX_REBOOT_CMD_???", "linux/reboot.h", match=r"LINUX_REBOOT_CMD_\w+"),
    "syslog_action": Table(
        "SYSLOG_ACTION_???",
        "",
        "SYSLOG_ACTION_CLOSE=0 SYSLOG_ACTION_OPEN=1 SYSLOG_ACTION_READ=2 SYSLOG_ACTION_READ_ALL=3 "
        "SYSLOG_ACTION_READ_CLEAR=4 SYSLOG_ACTION_CLEAR=5 SYSLOG_ACTION_CONSOLE_OFF=6 SYSLOG_ACTION_CONSOLE_ON=7 "
        "SYSLOG_ACTION_CONSOLE_LEVEL=8 SYSLOG_ACTION_SIZE_UNREAD=9 SYSLOG_ACTION_SIZE_BUFFER=10",
    ),
    "log_levels": Table(
        "LOGLEVEL_???",
        "",
        "LOGLEVEL_EMERG=0 LOGLEVEL_ALERT=1 LOGLEVEL_CRIT=2 LOGLEVEL_ERR=3 LOGLEVEL_WARNING=4 LOGLEVEL_NOTICE=5 "
        "LOGLEVEL_INFO=6 LOGLEVEL_DEBUG=7 LOGLEVEL_DEBUG+1=8",
    ),
    "delete_module_flags": Table("O_???", _FCNTL, "O_NONBLOCK O_TRUNC"),
    "init_module_flags": Table("MODULE_INIT_???", "linux/module.h", match=r"MODULE_INIT_\w+"),
    "kexec_arch": Table("KEXEC_ARCH_???", "linux/kexec.h", match=r"KEXEC_ARCH_\w+", without="KEXEC_ARCH_MASK"),
    "kexec_flags": Table(
        "KEXEC_???",
        "linux/kexec.h",
        "KEXEC_ON_CRASH KEXEC_PRESERVE_CONTEXT KEXEC_UPDATE_ELFCOREHDR KEXEC_CRASH_HOTPLUG_SUPPORT",
    ),
    "kexec_file_flags": Table("KEXEC_FILE_???", "linux/kexec.h", match=r"KEXEC_FILE_\w+"),
    # keys
    "keyctl_ops": Table(
        "KEYCTL_???", "linux/keyctl.h", match=r"KEYCTL_[A-Z_]+", without=r"KEYCTL_(CAPS\d|SUPPORTS|MOVE_)\w+"
    ),
    "key_special": Table("KEY_SPEC_???", "linux/keyctl.h", match=r"KEY_SPEC_\w+", signed=True),
    "key_default": Table("KEY_REQKEY_DEFL_???", "linux/keyctl.h", match=r"KEY_REQKEY_DEFL_\w+", signed=True),
    "key_perm": Table(
        "KEY_???",
        "",
        " ".join(
            f"KEY_{who}_{what}={bit << shift:#x}"
            for who, shift in (("POS", 24), ("USR", 16), ("GRP", 8), ("OTH", 0))
            for what, bit in (("VIEW", 1), ("READ", 2), ("WRITE", 4), ("SEARCH", 8), ("LINK", 16), ("SETATTR", 32))
        ),
    ),
    "key_move": Table("KEYCTL_MOVE_???", "linux/keyctl.h", "KEYCTL_MOVE_EXCL"),
    "landlock_create": Table("LANDLOCK_CREATE_RULESET_???", "linux/landlock.h", match=r"LANDLOCK_CREATE_RULESET_\w+"),
    "landlock_access": Table("LANDLOCK_ACCESS_FS_???", "linux/landlock.h", match=r"LANDLOCK_ACCESS_FS_\w+"),
    "landlock_rule": Table("LANDLOCK_RULE_???", "linux/landlock.h", match=r"LANDLOCK_RULE_\w+"),
    # System V and POSIX queues
    "ipc_key": Table("IPC_???", "linux/ipc.h", "IPC_PRIVATE"),
    "ipc_flags": Table("IPC_???", "linux/ipc.h", "IPC_CREAT IPC_EXCL IPC_NOWAIT"),
    "shmget_flags": Table("SHM_???", "linux/shm.h", "IPC_CREAT IPC_EXCL SHM_HUGETLB SHM_NORESERVE"),
    "shmat_flags": Table("SHM_???", "linux/shm.h", "SHM_RDONLY SHM_RND SHM_REMAP SHM_EXEC"),
    "shmctl_cmd": Table(
        "SHM_???",
        "linux/shm.h",
        "IPC_RMID IPC_SET IPC_STAT IPC_INFO SHM_STAT SHM_INFO SHM_STAT_ANY SHM_LOCK SHM_UNLOCK",
    ),
    "ipc_ops": Table(
        "???",
        "linux/ipc.h",
        "SEMOP SEMGET SEMCTL SEMTIMEDOP MSGSND MSGRCV MSGGET MSGCTL SHMAT SHMDT SHMGET SHMCTL",
    ),
    "semop_flags": Table("SEM_???", "linux/sem.h", "SEM_UNDO IPC_NOWAIT"),
    "semctl_cmd": Table(
        "SEM_???",
        "linux/sem.h",
        "IPC_RMID IPC_SET IPC_STAT IPC_INFO SEM_STAT SEM_INFO SEM_STAT_ANY GETPID GETVAL GETALL GETNCNT GETZCNT "
        "SETVAL SETALL",
    ),
    "msg_queue_flags": Table("MSG_???", "linux/msg.h", "MSG_NOERROR MSG_EXCEPT MSG_COPY IPC_NOWAIT"),
    "msgctl_cmd": Table("MSG_???", "linux/msg.h", "IPC_RMID IPC_SET IPC_STAT IPC_INFO MSG_STAT MSG_INFO MSG_STAT_ANY"),
    "mq_bits": Table("O_???", _FCNTL, "O_NONBLOCK"),
    # bpf
    "bpf_cmd": Table(
        "BPF_???",
        "linux/bpf.h",
        match=r"BPF_(MAP_(CREATE|\w+_ELEM|GET_\w+|FREEZE|\w+_BATCH)|PROG_(LOAD|ATTACH|DETACH|"
        r"TEST_RUN|RUN|GET_\w+|QUERY|BIND_MAP|STREAM_\w+|ASSOC_\w+)|OBJ_(PIN|GET\w*)|RAW_TRACEPOINT_OPEN|BTF_(LOAD|GET_\w+)|TASK_FD_QUERY|"
        r"LINK_(CREATE|UPDATE|GET_\w+|DETACH)|ENABLE_STATS|ITER_CREATE|TOKEN_CREATE)",
    ),
    "bpf_map_type": Table("BPF_MAP_TYPE_???", "linux/bpf.h", match=r"BPF_MAP_TYPE_\w+"),
    "bpf_map_flags": Table(
        "BPF_F_???",
        "linux/bpf.h",
        "BPF_F_NO_PREALLOC BPF_F_NO_COMMON_LRU BPF_F_NUMA_NODE BPF_F_RDONLY BPF_F_WRONLY BPF_F_STACK_BUILD_ID "
        "BPF_F_ZERO_SEED BPF_F_RDONLY_PROG BPF_F_WRONLY_PROG BPF_F_CLONE BPF_F_MMAPABLE BPF_F_PRESERVE_ELEMS "
        "BPF_F_INNER_MAP BPF_F_LINK BPF_F_PATH_FD BPF_F_VTYPE_BTF_OBJ_FD BPF_F_TOKEN_FD",
    ),
    "bpf_elem_flags": Table("BPF_???", "linux/bpf.h", "BPF_ANY BPF_NOEXIST BPF_EXIST BPF_F_LOCK"),
    "bpf_prog_type": Table("BPF_PROG_TYPE_???", "linux/bpf.h", match=r"BPF_PROG_TYPE_\w+"),
    "bpf_prog_flags": Table(
        "BPF_F_???",
        "linux/bpf.h",
        "BPF_F_STRICT_ALIGNMENT BPF_F_ANY_ALIGNMENT BPF_F_TEST_RND_HI32 BPF_F_TEST_STATE_FREQ BPF_F_SLEEPABLE "
        "BPF_F_XDP_HAS_FRAGS",
    ),
    "bpf_attach_type": Table(
        "BPF_???",
        "linux/bpf.h",
        match=r"BPF_(CGROUP_(?!STORAGE)\w+|SK_\w+|LIRC_MODE2|FLOW_DISSECTOR|TRACE_\w+|MODIFY_RETURN|LSM_\w+|XDP\w*|PERF_EVENT|STRUCT_OPS|"
        r"NETFILTER|TCX_\w+|NETKIT_\w+)",
        without=r"BPF_CGROUP_(ITER|ORDER)\w*|BPF_SK_(STORAGE|LOOKUP_F)\w*|BPF_XDP_FLAGS\w*",
    ),
    "bpf_attach_flags": Table("BPF_F_???", "linux/bpf.h", "BPF_F_ALLOW_OVERRIDE BPF_F_ALLOW_MULTI BPF_F_REPLACE"),
    # performance events
    "perf_type": Table("PERF_TYPE_???", _PERF, match=r"PERF_TYPE_\w+", without="PERF_TYPE_MAX"),
    "perf_size": Table("PERF_ATTR_SIZE_???", _PERF, match=r"PERF_ATTR_SIZE_VER\d"),
    "perf_hardware": Table(
        "PERF_COUNT_HW_???",
        _PERF,
        match=r"PERF_COUNT_HW_\w+",
        without=r"PERF_COUNT_HW_(CACHE_(?!REFERENCES|MISSES)\w+|MAX)",
    ),
    "perf_software": Table("PERF_COUNT_SW_???", _PERF, match=r"PERF_COUNT_SW_\w+", without="PERF_COUNT_SW_MAX"),
    "perf_sample": Table(
        "PERF_SAMPLE_???",
        _PERF,
        match=r"PERF_SAMPLE_\w+",
        without=r"PERF_SAMPLE_(MAX|REGS_ABI\w*|WEIGHT_TYPE|BRANCH_(?!STACK)\w+)",
    ),
    "perf_read": Table("PERF_FORMAT_???", _PERF, match=r"PERF_FORMAT_\w+", without="PERF_FORMAT_MAX"),
    "perf_flags": Table("PERF_FLAG_???", _PERF, match=r"PERF_FLAG_\w+"),
    # io_uring and asynchronous input and output
    "uring_setup": Table("IORING_SETUP_???", _URING, match=r"IORING_SETUP_\w+"),
    "uring_features": Table("IORING_FEAT_???", _URING, match=r"IORING_FEAT_\w+"),
    "uring_enter": Table("IORING_ENTER_???", _URING, match=r"IORING_ENTER_\w+"),
    "uring_register": Table(
        "IORING_REGISTER_???",
        _URING,
        match=r"IORING_(UN)?REGISTER_\w+",
        without=r"IORING_REGISTER_(LAST|USE_REGISTERED_RING|FILES_SKIP|SRC_REGISTERED|DST_REPLACE)",
    ),
    "aio_cmd": Table("IOCB_CMD_???", "linux/aio_abi.h", match=r"IOCB_CMD_\w+"),
    "aio_flags": Table("IOCB_FLAG_???", "linux/aio_abi.h", match=r"IOCB_FLAG_\w+"),
}
