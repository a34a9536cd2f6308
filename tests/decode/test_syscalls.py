# SPDX-License-Identifier: Apache-2.0
"""The tables of calls, errors and signals agree with Linux."""

import errno
import signal

import pytest

from traceloop_decode import layout
from traceloop_decode.errnos import ERRNO
from traceloop_decode.signals import SIGNAL
from traceloop_decode.syscalls import AARCH64, ABIS, ARM, I386, X86_64, Param, Syscall


def written(call):
    """Formats a call as C does."""
    return f"{call.name}({', '.join(f'{param.ctype} {param.name}'.replace('* ', '*') for param in call.params)})"


@pytest.mark.parametrize(
    ("number", "prototype"),
    [
        (0, "read(unsigned int fd, char *buf, size_t count)"),
        (1, "write(unsigned int fd, const char *buf, size_t count)"),
        (2, "open(const char *filename, int flags, umode_t mode)"),
        (3, "close(unsigned int fd)"),
        (4, "stat(const char *filename, struct stat *statbuf)"),
        (7, "poll(struct pollfd *ufds, unsigned int nfds, int timeout_msecs)"),
        (15, "rt_sigreturn()"),
        (40, "sendfile(int out_fd, int in_fd, loff_t *offset, size_t count)"),
        (59, "execve(const char *filename, const char *const *argv, const char *const *envp)"),
        (63, "uname(struct new_utsname *name)"),
        (110, "getppid()"),
        (166, "umount2(char *name, int flags)"),
        (175, "init_module(void *umod, unsigned long len, const char *uargs)"),
        (257, "openat(int dfd, const char *filename, int flags, umode_t mode)"),
        (262, "newfstatat(int dfd, const char *filename, struct stat *statbuf, int flag)"),
        (435, "clone3(struct clone_args *uargs, size_t size)"),
        (437, "openat2(int dfd, const char *filename, struct open_how *how, size_t usize)"),
        (471, "rseq_slice_yield()"),
    ],
)
def test_known_calls(number, prototype):
    call = X86_64.lookup(number)
    assert written(call) == prototype
    assert call.known
    assert X86_64.call_name(number) == prototype.partition("(")[0]


@pytest.mark.parametrize(
    ("number", "prototype"),
    [
        (1, "exit(int error_code)"),
        (4, "write(unsigned int fd, const char *buf, size_t count)"),
        (22, "umount(char *name)"),
        (24, "getuid()"),
        (82, "select(struct compat_sel_arg_struct *arg)"),
        (90, "mmap(struct mmap_arg_struct32 *arg)"),
        (102, "socketcall(int call, u32 *args)"),
        (180, "pread64(unsigned int fd, char *ubuf, u32 count, u32 poslo, u32 poshi)"),
        (193, "truncate64(const char *filename, unsigned long offset_low, unsigned long offset_high)"),
        (195, "stat64(const char *filename, struct stat64 *statbuf)"),
        (199, "getuid32()"),
        (221, "fcntl64(unsigned int fd, unsigned int cmd, unsigned long arg)"),
        (295, "openat(int dfd, const char *filename, int flags, umode_t mode)"),
        (403, "clock_gettime64(const clockid_t which_clock, struct __kernel_timespec *tp)"),
    ],
)
def test_known_32_bit_calls(number, prototype):
    call = I386.lookup(number)
    assert written(call) == prototype
    assert call.known


def test_a_parameter_is_its_type_and_its_name():
    call = Syscall("listns", (Param("req", "const struct ns_id_req *"), Param("ns_ids", "u64 *"),
                              Param("nr_ns_ids", "size_t"), Param("flags", "unsigned int")))  # fmt: skip
    assert X86_64.lookup(470) == call
    assert X86_64.lookup(59).params[1] == Param("argv", "const char *const *")


def test_the_same_number_is_another_call_for_a_32_bit_program():
    assert X86_64.call_name(1) == "write"
    assert I386.call_name(1) == "exit"


@pytest.mark.parametrize("abi", ABIS)
@pytest.mark.parametrize(("number", "name"), [(9999, "syscall_0x270f"), (-1, "syscall_0xffffffffffffffff")])
def test_a_number_that_is_no_call(number, name, abi):
    assert abi.lookup(number) is None
    assert abi.call_name(number) == name


@pytest.mark.parametrize("abi", ABIS)
def test_every_call_is_whole(abi):
    table = abi.table()
    assert len({call.name for call in table.values()}) == len(table)
    for number, call in table.items():
        assert 0 <= number < layout.CALLS - 1, "the last row of the kernel's table stands for unknown numbers"
        assert len(call.params) <= 6
        assert all(param.name.isidentifier() and param.ctype for param in call.params)
        assert len({param.name for param in call.params}) == len(call.params)


def test_arguments_are_unknown_only_of_calls_that_never_were():
    assert all(call.known for abi in (X86_64, AARCH64, ARM) for call in abi.table().values())
    unknown = [call.name for call in I386.table().values() if not call.known]
    assert unknown == ["break", "stty", "gtty", "ftime", "prof", "lock", "mpx", "ulimit", "profil", "idle"]


def test_errors_agree_with_the_c_library():
    for number, (name, message) in ERRNO.items():
        assert getattr(errno, name, number) == number
        assert message
    assert set(errno.errorcode) <= set(ERRNO)


@pytest.mark.parametrize(
    ("number", "name", "message"),
    [
        (1, "EPERM", "Operation not permitted"),
        (2, "ENOENT", "No such file or directory"),
        (11, "EAGAIN", "Resource temporarily unavailable"),
        (13, "EACCES", "Permission denied"),
        (35, "EDEADLK", "Resource deadlock avoided"),
        (95, "EOPNOTSUPP", "Operation not supported"),
        (110, "ETIMEDOUT", "Connection timed out"),
        (512, "ERESTARTSYS", "To be restarted if SA_RESTART is set"),
        (513, "ERESTARTNOINTR", "To be restarted"),
        (514, "ERESTARTNOHAND", "To be restarted if no handler"),
        (516, "ERESTART_RESTARTBLOCK", "Interrupted by signal"),
    ],
)
def test_known_errors(number, name, message):
    assert ERRNO[number] == (name, message)


def test_signals_agree_with_the_c_library():
    assert {number: name for number, name in SIGNAL.items() if number < 32} == {
        number: signal.Signals(number).name for number in range(1, 32)
    }


def test_real_time_signals_are_named_as_strace_names_them():
    assert [SIGNAL[number] for number in (32, 33, 34, 64)] == ["SIGRTMIN", "SIGRT_1", "SIGRT_2", "SIGRT_32"]
    assert sorted(SIGNAL) == list(range(1, 65))
