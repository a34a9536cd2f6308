# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: INP001 - a script
"""Generates `traceloop_decode/tables/`: Linux' system calls, errors and signals. Developers run `make tables`.

It needs pip with a package index (PyPI's `ziglang` bundles the UAPI headers of a recent Linux; about 100 MB, kept in
`build/`), or ``--headers /usr/include`` (Debian's linux-libc-dev, which has only x86's: arm64's tables then stay as
they are), and a mounted tracefs, so root on x86-64:

* numbers come from asm/unistd_64.h and asm/unistd_32.h; arm64's from its asm/unistd_64.h and, for 32-bit programs,
  from arm's asm/unistd-eabi.h; errors from asm-generic/errno*.h, signals from asm/signal.h;
* names and C types of arguments come from the running kernel's tracefs, events/syscalls/sys_enter_*/format;
* calls that tracefs lacks (of other configurations and other kernels, 32-bit variants) are listed by hand below;
* messages of errors are glibc's.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from traceloop_decode.later_calls import RENAMED, params

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "decode/traceloop_decode/tables"
TRACEFS = Path("/sys/kernel/tracing/events/syscalls")
ZIGLANG = "ziglang==0.17.1"

# Calls that today's kernels removed, never had, or have only in some configurations: from their SYSCALL_DEFINE, or from
# section 2 of the manual if removed; calls that were never implemented have as many arguments as strace shows.
X86_64 = """
uselib(const char *library)
_sysctl(struct __sysctl_args *args)
create_module(const char *name, size_t size)
init_module(void *umod, unsigned long len, const char *uargs)
delete_module(const char *name_user, unsigned int flags)
get_kernel_syms(struct kernel_sym *table)
query_module(const char *name, int which, void *buf, size_t bufsize, size_t *ret)
nfsservctl(int cmd, struct nfsctl_arg *argp, union nfsctl_res *resp)
getpmsg(long arg1, long arg2, long arg3, long arg4, long arg5)
putpmsg(long arg1, long arg2, long arg3, long arg4, long arg5)
afs_syscall(long arg1, long arg2, long arg3, long arg4, long arg5)
tuxcall(long arg1, long arg2, long arg3)
security(long arg1, long arg2, long arg3)
vserver(long arg1, long arg2, long arg3, long arg4, long arg5)
set_thread_area(struct user_desc *u_info)
get_thread_area(struct user_desc *u_info)
lookup_dcookie(u64 cookie64, char *buf, size_t len)
epoll_ctl_old(int epfd, int op, int fd, struct epoll_event *event)
epoll_wait_old(int epfd, struct epoll_event *events, int maxevents, int timeout)
kexec_load(unsigned long entry, unsigned long nr_segments, struct kexec_segment *segments, unsigned long flags)
kexec_file_load(int kernel_fd, int initrd_fd, unsigned long cmdline_len, const char *cmdline_ptr, unsigned long flags)
finit_module(int fd, const char *uargs, int flags)
map_shadow_stack(unsigned long addr, unsigned long size, unsigned int flags)
listns(const struct ns_id_req *req, u64 *ns_ids, size_t nr_ns_ids, unsigned int flags)
rseq_slice_yield()
"""

# 32-bit calls that the 64-bit table lacks or has with other arguments: they pass 64-bit numbers in two registers
# (arch/x86/kernel/sys_ia32.c) or several arguments behind one pointer, or are older than the other calls
# (arch/x86/entry/syscalls/syscall_32.tbl). `?`: never implemented, the arguments are unknown.
I386 = """
waitpid(pid_t pid, int *stat_addr, int options)
oldstat(const char *filename, struct __old_kernel_stat *statbuf)
oldlstat(const char *filename, struct __old_kernel_stat *statbuf)
oldfstat(unsigned int fd, struct __old_kernel_stat *statbuf)
stime(old_time32_t *tptr)
nice(int increment)
umount(char *name)
signal(int sig, __sighandler_t handler)
sigaction(int sig, const struct compat_old_sigaction *act, struct compat_old_sigaction *oact)
sigprocmask(int how, compat_old_sigset_t *nset, compat_old_sigset_t *oset)
sigpending(compat_old_sigset_t *set32)
sigsuspend(int unused1, int unused2, compat_old_sigset_t mask)
sigreturn()
sgetmask()
ssetmask(int newmask)
olduname(struct old_utsname *name)
oldolduname(struct oldold_utsname *name)
readdir(unsigned int fd, struct compat_old_linux_dirent *dirent, unsigned int count)
select(struct compat_sel_arg_struct *arg)
_newselect(int n, compat_ulong_t *inp, compat_ulong_t *outp, compat_ulong_t *exp, struct old_timeval32 *tvp)
mmap(struct mmap_arg_struct32 *arg)
mmap2(unsigned long addr, unsigned long len, unsigned long prot, unsigned long flags, unsigned long fd, \
unsigned long pgoff)
socketcall(int call, u32 *args)
ipc(u32 call, int first, int second, u32 third, compat_uptr_t ptr, u32 fifth)
clone(unsigned long clone_flags, unsigned long newsp, int *parent_tidptr, unsigned long tls_val, int *child_tidptr)
bdflush(int func, long data)
vm86old(struct vm86_struct *user_vm86)
vm86(unsigned long cmd, unsigned long arg)
ugetrlimit(unsigned int resource, struct compat_rlimit *rlim)
_llseek(unsigned int fd, unsigned long offset_high, unsigned long offset_low, loff_t *result, unsigned int whence)
pread64(unsigned int fd, char *ubuf, u32 count, u32 poslo, u32 poshi)
pwrite64(unsigned int fd, const char *ubuf, u32 count, u32 poslo, u32 poshi)
truncate64(const char *filename, unsigned long offset_low, unsigned long offset_high)
ftruncate64(unsigned int fd, unsigned long offset_low, unsigned long offset_high)
stat64(const char *filename, struct stat64 *statbuf)
lstat64(const char *filename, struct stat64 *statbuf)
fstat64(unsigned long fd, struct stat64 *statbuf)
fstatat64(unsigned int dfd, const char *filename, struct stat64 *statbuf, int flag)
statfs64(const char *pathname, compat_size_t sz, struct compat_statfs64 *buf)
fstatfs64(unsigned int fd, compat_size_t sz, struct compat_statfs64 *buf)
readahead(int fd, unsigned int off_lo, unsigned int off_hi, size_t count)
fadvise64(int fd, unsigned int offset_lo, unsigned int offset_hi, size_t len, int advice)
fadvise64_64(int fd, u32 offset_low, u32 offset_high, u32 len_low, u32 len_high, int advice)
lookup_dcookie(u32 w0, u32 w1, char *buf, compat_size_t len)
sync_file_range(int fd, unsigned int off_low, unsigned int off_hi, unsigned int n_low, unsigned int n_hi, int flags)
fallocate(int fd, int mode, unsigned int offset_lo, unsigned int offset_hi, unsigned int len_lo, unsigned int len_hi)
fanotify_mark(int fanotify_fd, unsigned int flags, u32 mask0, u32 mask1, int dfd, const char *pathname)
break(?)
stty(?)
gtty(?)
ftime(?)
prof(?)
lock(?)
mpx(?)
ulimit(?)
profil(?)
idle(?)
"""

# Calls that have other arguments on arm64 than on x86-64 (CONFIG_CLONE_BACKWARDS of kernel/fork.c).
ARM64 = """
clone(unsigned long clone_flags, unsigned long newsp, int *parent_tidptr, unsigned long tls, int *child_tidptr)
"""

# 32-bit arm calls that i386 lacks or has with other arguments: the EABI passes a 64-bit number in an even register and
# the next one (arch/arm64/kernel/sys32.c), so some calls skip a register.
ARM = """
pread64(unsigned int fd, char *ubuf, u32 count, u32 pad, u32 poslo, u32 poshi)
pwrite64(unsigned int fd, const char *ubuf, u32 count, u32 pad, u32 poslo, u32 poshi)
truncate64(const char *filename, u32 pad, unsigned long offset_low, unsigned long offset_high)
ftruncate64(unsigned int fd, u32 pad, unsigned long offset_low, unsigned long offset_high)
readahead(int fd, u32 pad, unsigned int off_lo, unsigned int off_hi, size_t count)
arm_fadvise64_64(int fd, int advice, u32 offset_low, u32 offset_high, u32 len_low, u32 len_high)
arm_sync_file_range(int fd, unsigned int flags, u32 off_low, u32 off_hi, u32 n_low, u32 n_hi)
pciconfig_iobase(long which, unsigned long bus, unsigned long devfn)
pciconfig_read(unsigned long bus, unsigned long dfn, unsigned long off, unsigned long len, void *buf)
pciconfig_write(unsigned long bus, unsigned long dfn, unsigned long off, unsigned long len, void *buf)
recv(int fd, void *ubuf, size_t size, unsigned int flags)
send(int fd, void *buff, size_t len, unsigned int flags)
"""


Headers: TypeAlias = "Callable[[str], str]"
"""Returns a header's text by its name under include/."""


def _zig_headers(*arches: str) -> list[Headers]:
    # The headers in PyPI's ziglang, one reader per architecture.
    store = ROOT / "build/ziglang"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(store), ZIGLANG]
    if subprocess.run(pip, check=False).returncode:
        sys.exit(f"cannot download {ZIGLANG}; to use Debian's linux-libc-dev instead, add: --headers /usr/include")
    (wheel,) = store.glob(f"{ZIGLANG.replace('==', '-')}-*.whl")
    bundle = zipfile.ZipFile(wheel)
    names = set(bundle.namelist())

    def of(arch: str) -> Headers:
        def read(name: str) -> str:
            places = (f"ziglang/lib/libc/include/{tree}/{name}" for tree in (f"{arch}-linux-any", "any-linux-any"))
            return bundle.read(next(place for place in places if place in names)).decode()

        return read

    return [of(arch) for arch in arches]


def _system_headers(include: Path) -> Headers:
    def read(name: str) -> str:
        places = (include / "x86_64-linux-gnu" / name, include / name)
        return next((place for place in places if place.exists()), places[-1]).read_text()

    return read


def _defines(header: str, prefix: str) -> dict[str, int]:
    # Name -> number from ``#define prefixNAME number``, or ``(__NR_SYSCALL_BASE + number)``, in the header's order.
    number = r"(?:\(__NR_SYSCALL_BASE \+ )?(\d+)\b"
    found = re.findall(rf"^#define\s+{prefix}(\w+)\s+{number}", header, re.MULTILINE)
    return {name: int(number) for name, number in found}


def _kernel_prototypes() -> dict[str, str]:
    # System call -> "type name, type name", from the running kernel.
    if not TRACEFS.is_dir():
        sys.exit(f"{TRACEFS} is missing; as root: mount -t tracefs tracefs /sys/kernel/tracing")
    prototypes = {}
    for event in TRACEFS.glob("sys_enter_*"):
        function = event.name.removeprefix("sys_enter_")
        fields = [f"{param.ctype} {param.name}" for param in params((event / "format").read_text())]
        prototypes[RENAMED.get(function, function)] = ", ".join(field.replace("* ", "*") for field in fields)
    return prototypes


def _by_hand(text: str) -> dict[str, str]:
    return dict(re.findall(r"^(\w+)\((.*)\)$", text, re.MULTILINE))


def _compat_params(name: str, known: dict[str, str], by_hand: dict[str, str]) -> str | None:
    # Arguments of a 32-bit call: its own, or those of the 64-bit call that getuid32 or futex_time64 corresponds to.
    if name in by_hand:
        return by_hand[name]
    return known.get(name, known.get(re.sub(r"(_time64|32|64)$", "", name)))


def _write_calls(
    name: str, called: str, source: str, numbers: dict[str, int], params: Mapping[str, str | None]
) -> None:
    if unknown := [call for call in numbers if params.get(call) is None]:
        sys.exit(f"the arguments of {called} calls are not known: {' '.join(unknown)}; add them to the lists by hand")
    lines = [f'{number}: "{call}({params[call]})"' for call, number in numbers.items()]
    _write(f"{name}.py", "CALLS", "str", f"{called} system calls: {source}", lines)


def _write(name: str, variable: str, kind: str, source: str, lines: list[str]) -> None:
    table = (
        f'"""{source}.\n\nGenerated by decode/generate_tables.py: `make tables`.\n"""\n\n'
        f"{variable}: dict[int, {kind}] = {{\n" + "".join(f"    {line},\n" for line in lines) + "}\n"
    )
    too_long = "# ruff: noqa: E501\n" if max(map(len, table.splitlines())) > 120 else ""
    path = OUTPUT / name
    path.write_text(f"# SPDX-License-Identifier: Apache-2.0\n{too_long}{table}")
    print(f"{path.relative_to(ROOT)}: {len(lines)}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Generate the decoder's tables again.")
    parser.add_argument("--headers", type=Path, metavar="DIR", help="the system's UAPI headers instead of ziglang's")
    chosen: Path | None = parser.parse_args().headers
    read, *others = [_system_headers(chosen)] if chosen else _zig_headers("x86", "aarch64", "arm")

    version = _defines(read("linux/version.h"), "LINUX_VERSION_")
    headers = f"of Linux {version['CODE'] >> 16}.{version['CODE'] >> 8 & 0xFF}"
    running = f"arguments of Linux {'.'.join(os.uname().release.split('.')[:2])}"

    known = _by_hand(X86_64) | _kernel_prototypes()
    numbers = _defines(read("asm/unistd_64.h"), "__NR_")
    _write_calls("x86_64", "x86-64", f"asm/unistd_64.h {headers}, {running}", numbers, known)
    by_hand = _by_hand(I386)
    compat = _defines(read("asm/unistd_32.h"), "__NR_")
    params = {name: _compat_params(name, known, by_hand) for name in compat}
    _write_calls("i386", "32-bit", f"asm/unistd_32.h {headers}, {running}", compat, params)
    if others:
        arm64, arm = others
        numbers = _defines(arm64("asm/unistd_64.h"), "__NR_")
        _write_calls("aarch64", "arm64", f"asm/unistd_64.h {headers}, {running}", numbers, known | _by_hand(ARM64))
        by_hand |= _by_hand(ARM)
        compat = _defines(arm("asm/unistd-eabi.h"), "__NR_")
        params = {name: _compat_params(name, known, by_hand) for name in compat}
        _write_calls("arm", "32-bit arm", f"asm/unistd-eabi.h {headers}, {running}", compat, params)

    errors = _defines(read("asm-generic/errno-base.h") + read("asm-generic/errno.h"), "(?=E)")
    lines = [f'{number}: ("{name}", "{os.strerror(number)}")' for name, number in errors.items()]
    _write("errors.py", "ERRORS", "tuple[str, str]", f"Errors: asm-generic/errno*.h {headers}, glibc's messages", lines)

    # The named signals end before SIGRTMIN (32). Of two names for a number, strace uses the first.
    signals: dict[int, str] = {}
    for name, number in _defines(read("asm/signal.h"), "(?=SIG[A-Z])").items():
        if number < 32:
            signals.setdefault(number, name)
    lines = [f'{number}: "{name}"' for number, name in signals.items()]
    _write("signals.py", "SIGNALS", "str", f"Signals: asm/signal.h {headers}", lines)


if __name__ == "__main__":
    main()
