# SPDX-License-Identifier: Apache-2.0
"""The capture table is right about every call, and is packed into the bytes that the kernel side reads."""

import re
import subprocess

import pytest

from traceloop_decode import layout, syscalls
from traceloop_decode.arguments import compat as compat_calls
from traceloop_decode.arguments.capture import KINDS, Rule, calls_table, rules
from traceloop_decode.arguments.selectors import SELECTORS
from traceloop_decode.arguments.table import SIZES
from traceloop_decode.arguments.variants import selectors
from traceloop_decode.arguments.words import compat_lines, line_of, lines
from traceloop_decode.multiplexed_calls import CALLS as CALLS_WITHIN
from traceloop_decode.printers import families
from traceloop_decode.printers.widening import WIDEN
from traceloop_decode.syscalls import abis

CALLS = {call.name: call for call in syscalls.table(compat=False).values()}
# Arguments of variants are pointers only for the variant's values, whatever their C type.
WORDS = [
    pytest.param(line, arg, word, id=f"{line.name}{arg}")
    for line in lines()
    for arg, word in enumerate(line.words)
    if word.direction
]
CAPTURING = [(line.name, line.selector) for line in lines() if any(word.direction for word in line.words)]

STRING, BUFFER, LENGTH = layout.KIND_STRING, layout.KIND_BUFFER, layout.KIND_LENGTH
RESULT, ONE = layout.LENGTH_RESULT, layout.LENGTH_ONE

DEMANDED = """
open openat openat2 creat execve execveat access faccessat faccessat2 stat fstat lstat newfstatat statx readlink
readlinkat mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat symlink symlinkat chdir mount
umount2 pivot_root read write pread64 pwrite64 readv writev sendto recvfrom sendmsg recvmsg connect bind accept accept4
getcwd sethostname chmod fchmodat fchmodat2 chown lchown fchownat truncate statfs fstatfs setxattr lsetxattr fsetxattr
getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr removexattr lremovexattr fremovexattr memfd_create prctl
wait4 pipe pipe2 poll epoll_ctl epoll_wait nanosleep clock_nanosleep socketpair getrandom
"""


def unpacked(item_max=256, call_max=2048):
    """Returns row -> (flags, arguments, enter_bytes, exit_bytes, enter rules, exit rules); skips empty rows."""
    table, _ = calls_table(item_max, call_max)
    assert len(table) in range(
        2 * layout.CALLS * layout.CALL_SIZE, (2 * layout.CALLS + layout.VARIANTS) * layout.CALL_SIZE
    )
    rows = {}
    for index in range(len(table) // layout.CALL_SIZE):
        row = table[index * layout.CALL_SIZE : (index + 1) * layout.CALL_SIZE]
        if any(row):
            flags, arguments, entering, leaving, *most = layout.CALL_HEAD.unpack_from(row)
            found = layout.RULE.iter_unpack(row[layout.CALL_HEAD.size :])
            places = [
                Rule(
                    arg & 7,
                    kind,
                    length & ~layout.LENGTH_INT,
                    scale,
                    limit,
                    add,
                    width,
                    field,
                    arg >> 3,
                    at,
                    pointer,
                    need,
                )
                for arg, kind, length, limit, scale, add, at, pointer, field, width, need, _, _ in found
            ]
            enter, leave = places[: layout.RULES], places[layout.RULES :]
            nothing = Rule(0, 0, 0, 0)
            assert enter[entering:] + leave[leaving:] == [nothing] * (2 * layout.RULES - entering - leaving)
            rows[index] = (flags, arguments, *most, tuple(enter[:entering]), tuple(leave[:leaving]))
    return rows


def test_every_line_is_a_call_and_stands_once():
    names = [(line.name, line.selector) for line in lines()]
    assert {name for name, _ in names} <= set(CALLS)
    assert len(set(names)) == len(names)
    # rt_sigreturn's argument is on the stack, and not a parameter.
    assert all(len(line.words) <= len(CALLS[line.name].params) for line in lines() if line.name != "rt_sigreturn")


def classed(found):
    return [[(rule, rule.content) for rule in side] for side in (found.enter, found.exit)], found.on_failure


def test_variants_are_found_by_every_value_that_they_name():
    _, variants = calls_table(256, 1024)
    for number, call in syscalls.table(compat=False).items():
        for value, text in selectors(call.name).items():
            # One that captures what its call does, in the same classes, has no place in the kernel.
            own = classed(rules()[call.name, text]) != classed(rules()[call.name, ""])
            assert (variants.get(number << 32 | value, 0) >= 2 * layout.CALLS) == own


@pytest.mark.parametrize(("line", "arg", "word"), WORDS)
def test_every_word_agrees_with_its_call(line, arg, word):
    params = CALLS[line.name].params
    if not line.selector and line.name not in ("prctl", "rt_sigreturn"):
        assert re.search(r"\*(const)?$|^(const )?cap_user_\w+_t$", params[arg].ctype)
        assert word.what not in ("path", "string") or re.search(r"(char|void) \*$", params[arg].ctype)
    if KINDS.get(word.what) in (STRING, layout.KIND_ARGV, layout.KIND_MSG):
        assert not word.count
    elif word.what not in KINDS:
        assert word.what in SIZES
        assert SIZES[word.what] != 1 or word.count
    counted = word.count.removeprefix("*").removesuffix("/page")
    if counted not in ("", "result") and not counted.isdecimal() and "@" not in counted:
        (length,) = (param for param in params if param.name == counted)
        assert length.ctype.endswith("*") == word.count.startswith("*")
        assert not word.count.startswith("*") or SIZES[word.what] == 1


def test_strings_of_environments_are_read_only_if_they_are_wanted():
    """Strings come after the number of variables, as payload."""
    usual, wanted = (calls_table(256, 1024, environment=environment)[0] for environment in (False, True))
    for number in (59, 322, layout.CALLS + 11, layout.CALLS + 358):
        at = number * layout.CALL_SIZE
        (count,), (more,) = ([layout.CALL_HEAD.unpack_from(table, at)[2]] for table in (usual, wanted))
        assert more == count + 1
        assert more <= layout.RULES
        rule = layout.RULE.unpack_from(wanted, at + layout.CALL_HEAD.size + count * layout.RULE.size)
        before = layout.RULE.unpack_from(wanted, at + layout.CALL_HEAD.size + (count - 1) * layout.RULE.size)
        assert (before[0], before[1], rule[0], rule[1]) == (rule[0], layout.KIND_COUNT, before[0], layout.KIND_ARGV)
        assert rule[-2] == layout.CLASS_PAYLOAD


def test_all_memory_that_is_read_is_printed():
    read = {
        word.what.removeprefix("wide_") for line in (*lines(), *compat_lines()) for word in line.words if word.direction
    }
    read -= {"argv", "bytes", "path", "string", "vars", "words"}  # core's own, and the arrays of socketcall and ipc
    assert read - families.STRUCTS.keys() - families.VALUES.keys() == set()


def size_of_parent(found, rule):
    (parent,) = {one for one in found.enter + found.exit if one.arg == rule.arg and not one.pointer}
    return parent.scale


@pytest.mark.parametrize(("name", "selector"), CAPTURING)
def test_rules_fit_into_the_call(name, selector):
    found = rules()[name, selector]
    assert found.enter or found.exit
    assert max(len(found.enter), len(found.exit)) <= layout.RULES
    for rule in found.enter + found.exit:
        assert rule.arg < len(CALLS[name].params) or name == "rt_sigreturn"
        assert rule.length in (RESULT, ONE) or rule.length < len(CALLS[name].params)
        # A part of a struct is read only if the call's size argument says that the struct is that long.
        assert not rule.pointer or rule.need >= max(rule.at + rule.pointer, rule.field + rule.width)
        assert not rule.pointer or rule.limit or rule.need <= size_of_parent(found, rule)
        assert 0 <= rule.scale <= 0xFFFF
    assert RESULT not in {rule.length for rule in found.enter}


def test_what_must_be_captured_is():
    captured = {name for (name, _), found in rules().items() if found.enter or found.exit}
    assert set(DEMANDED.split()) <= captured


@pytest.mark.parametrize(
    ("name", "enter", "leave"),
    [
        ("open", [Rule(0, STRING, ONE, 1)], []),
        ("openat2", [Rule(1, STRING, ONE, 1), Rule(2, BUFFER, 3, 1)], []),
        ("read", [], [Rule(1, BUFFER, RESULT, 1, limit=3)]),
        ("write", [Rule(1, BUFFER, 2, 1)], []),
        ("cachestat", [Rule(1, BUFFER, ONE, 16)], [Rule(2, BUFFER, ONE, 40)]),
        ("readlinkat", [Rule(1, STRING, ONE, 1)], [Rule(2, BUFFER, RESULT, 1, limit=4)]),
        ("newfstatat", [Rule(1, STRING, ONE, 1)], [Rule(2, BUFFER, ONE, 144)]),
        ("pipe2", [], [Rule(0, BUFFER, ONE, 8)]),
        ("poll", [Rule(0, BUFFER, 1, 8)], [Rule(0, BUFFER, 1, 8)]),
        ("epoll_wait", [], [Rule(1, BUFFER, RESULT, 12)]),
        ("accept", [Rule(2, BUFFER, ONE, 4)], [Rule(1, LENGTH, 2, 1), Rule(2, BUFFER, ONE, 4)]),
        ("writev", [Rule(1, layout.KIND_IOVEC, 2, 1)], []),
        ("readv", [], [Rule(1, layout.KIND_IOVEC, 2, 1)]),
        ("msgrcv", [], [Rule(1, BUFFER, RESULT, 1, add=8)]),
        ("mincore", [], [Rule(2, BUFFER, 1, layout.SCALE_PAGES)]),
        (
            "clone3",
            [
                Rule(0, BUFFER, 1, 1),
                Rule(0, BUFFER, ONE, 4, limit=2, width=8, field=72, nested=1, at=64, pointer=8, need=80),
            ],
            [Rule(0, BUFFER, ONE, 4, limit=2, nested=2, at=8, pointer=8, need=16)],
        ),
        ("io_submit", [Rule(2, layout.KIND_IOCB, 1, 1)], []),
        ("sendmmsg", [], [Rule(1, layout.KIND_MMSG, 2, 0)]),
        ("recvmmsg", [Rule(4, BUFFER, ONE, 16)], [Rule(1, layout.KIND_MMSG, RESULT, 1), Rule(4, BUFFER, ONE, 16)]),
        ("sendmsg", [Rule(1, layout.KIND_MSG, ONE, 1)], []),
        ("recvmsg", [Rule(1, BUFFER, ONE, 56)], [Rule(1, layout.KIND_MSG, ONE, 1)]),
        (
            "execve",
            [Rule(0, STRING, ONE, 1), Rule(1, layout.KIND_ARGV, ONE, 1), Rule(2, layout.KIND_COUNT, ONE, 1)],
            [Rule(0, STRING, ONE, 1), Rule(1, BUFFER, 2, 1)],
        ),
        ("utimensat", [Rule(1, STRING, ONE, 1), Rule(2, BUFFER, ONE, 32)], []),
        ("wait4", [], [Rule(1, BUFFER, ONE, 4), Rule(3, BUFFER, ONE, 144)]),
    ],
)
def test_known_rules(name, enter, leave):
    assert (list(rules()[name, ""].enter), list(rules()[name, ""].exit)) == (enter, leave)


# The C types of the names in SIZES
STRUCTS = {
    "cap_data": "struct __user_cap_data_struct[2]",
    "epoll_change": "struct epoll_event",
    "f_owner_ex": "struct f_owner_ex",
    "flock": "struct flock",
    "late_timespec": "struct __kernel_timespec",
    "mask_and_size": "struct iovec",
    "remaining": "struct __kernel_timespec",
    "socket_pair": "int[2]",
    "termio": "struct termio",
    "timer_id": "__kernel_timer_t",
    "winsize": "struct winsize",
    "cap_header": "struct __user_cap_header_struct",
    "epoll_event": "struct epoll_event",
    "int": "int",
    "io_uring_params": "struct io_uring_params",
    "itimerspec": "struct __kernel_itimerspec",
    "itimerval": "struct __kernel_old_itimerval",
    "long": "long",
    "mq_attr": "struct mq_attr",
    "pollfd": "struct pollfd",
    "rlimit": "struct rlimit64",
    "rusage": "struct rusage",
    "sched_attr": "struct sched_attr",
    "sembuf": "struct sembuf",
    "sigaction": "struct sigaction",
    "sigevent": "struct sigevent",
    "siginfo": "siginfo_t",
    "span": "struct iovec",
    "stack": "stack_t",
    "stat": "struct stat",
    "statfs": "struct statfs",
    "statx": "struct statx",
    "sysinfo": "struct sysinfo",
    "timespec": "struct __kernel_timespec",
    "timeval": "struct __kernel_old_timeval",
    "timex": "struct __kernel_timex",
    "timezone": "struct timezone",
    "tms": "struct tms",
    "utimbuf": "struct utimbuf",
    "utsname": "struct new_utsname",
}
HEADERS = """
asm/signal asm/siginfo asm/stat asm/statfs linux/capability linux/eventpoll linux/io_uring linux/mqueue linux/poll
linux/resource linux/sched/types linux/sem linux/stat linux/sysinfo linux/time linux/time_types linux/times linux/timex
linux/uio linux/utime linux/utsname linux/fcntl asm/termios
"""


def test_sizes_are_the_compilers(tmp_path):
    assert set(STRUCTS) <= set(SIZES)
    includes = "".join(f"#include <{header}.h>\n" for header in HEADERS.split())
    checks = "".join(f'_Static_assert(sizeof({c}) == {SIZES[name]}, "{name}");\n' for name, c in STRUCTS.items())
    source = tmp_path / "sizes.c"
    source.write_text(includes + checks)
    compiled = subprocess.run(["cc", "-fsyntax-only", source], check=False, capture_output=True, text=True)
    assert compiled.returncode == 0, compiled.stderr


OUT_ON_FAILURE = {
    *("nanosleep", "clock_nanosleep", "readv", "preadv", "preadv2", "process_vm_readv", "sendmmsg"),
    *("name_to_handle_at", "sched_setattr"),
}


def wide(call, rule):
    """Returns whether a 32-bit call's own line says that a struct is the 64-bit one."""
    (line,) = (line for line in compat_lines() if line.name == call.name)
    return line.words[rule.arg].what.startswith("wide_")


def test_a_32_bit_programs_structs_become_those_that_are_printed():
    assert compat_calls.SIZES.keys() == WIDEN.keys()
    assert not compat_calls.SIZES.keys() & compat_calls.SAME
    for what, size in compat_calls.SIZES.items():
        found = WIDEN[what](bytes(size))
        assert len(found) == SIZES[what], what
        assert not any(found)


def test_32_bit_calls_have_one_line():
    names = {call.name for call in syscalls.table(compat=True).values()}
    lines_own = [(line.name, line.selector) for line in compat_lines()]
    own = {name for name, _ in lines_own}
    within = {syscalls.I386.lookup(number).name: number for number in CALLS_WITHIN}
    assert len(set(lines_own)) == len(lines_own)
    assert {*own, *compat_calls.LIKE, *compat_calls.WIDE} <= names | within.keys()
    assert {*compat_calls.LIKE.values(), *compat_calls.WIDE.values()} <= set(CALLS)
    assert not own & (compat_calls.LIKE.keys() | compat_calls.WIDE.keys())
    calls = {name: syscalls.I386.lookup(number) for name, number in within.items()}
    calls |= {call.name: call for call in syscalls.table(compat=True).values()}
    for line in compat_lines():
        call = calls[line.name]
        assert len(line.words) <= len(call.params)


FLAGS = {
    "rt_sigreturn": layout.CALL_SIGRETURN,
    **dict.fromkeys(("clone", "clone3", "fork", "vfork"), layout.CALL_FORKS),
    **dict.fromkeys(("write", "pwrite64"), layout.CALL_LONG),
}


def test_the_bytes_say_what_the_table_says():
    rows = unpacked()
    _, variants = calls_table(256, 2048)
    for number, call in syscalls.table(compat=False).items():
        flags, arguments, enter_bytes, exit_bytes, enter, leave = rows.pop(number)
        expected = layout.CALL_KNOWN | (layout.CALL_EXEC if call.name in ("execve", "execveat") else 0)
        if call.name in SELECTORS:
            expected |= layout.CALL_SELECTED | SELECTORS[call.name][0] << layout.SELECTOR_SHIFT
        if call.name in OUT_ON_FAILURE:
            expected |= layout.CALL_OUT_ON_FAILURE
        expected |= FLAGS.get(call.name, 0)
        if enter and rules()[call.name, ""].enter[0].content & (
            layout.CLASS_PATH | layout.CLASS_ADDRESS | layout.CLASS_ARGV
        ):
            expected |= layout.CALL_NAMES
        expected |= layout.CALL_OPENS * (call.name in syscalls.OPENS)
        expected |= layout.CALL_QUIET * (call.name in syscalls.QUIET)
        expected |= layout.CALL_READS * (call.name in syscalls.READS)
        expected |= layout.CALL_WRITES * (call.name in syscalls.WRITES)
        expected |= layout.CALL_ACCOUNTS * (call.name in syscalls.ACCOUNTS)
        assert flags == expected
        assert arguments == (1 if call.name == "rt_sigreturn" else len(call.params))
        found = rules().get((call.name, ""))
        assert (enter, leave) == ((found.enter, found.exit) if found else ((), ()))
        assert (enter_bytes > 0, exit_bytes > 0) == (bool(enter), bool(leave))
    for number, call in syscalls.table(compat=True).items():
        if call.known:
            flags, arguments, *rest = rows.pop(layout.CALLS + number)
            assert flags & layout.CALL_KNOWN
            assert arguments == len(call.params)
            line = line_of(call, "", compat=True)
            for rule in (*rest[2], *rest[3]):
                word = line.words[rule.arg]
                what = word.nested[rule.nested - 1].what if rule.nested else word.what
                assert what in compat_calls.SAME or word.narrow or call.name in compat_calls.WIDE or wide(call, rule)
    for number, call in syscalls.table(compat=False).items():
        for text in selectors(call.name).values():
            found = rules()[call.name, text]
            places = {
                variants.get(number << 32 | value) for value, other in selectors(call.name).items() if other == text
            }
            (place,) = places
            if place is None:
                continue
            flags, arguments, _, _, enter, leave = rows.pop(
                place, (layout.CALL_KNOWN, len(call.params), 0, 0, found.enter, found.exit)
            )
            assert (arguments, enter, leave) == (len(call.params), found.enter, found.exit)
            assert flags & ~(layout.CALL_NAMES | layout.CALL_QUIET) == layout.CALL_KNOWN
    for number, call in syscalls.table(compat=True).items():
        for value in selectors(compat_calls.name_of(call.name)):
            rows.pop(variants.get((layout.CALLS + number) << 32 | value, 0), None)
    assert rows == {}


@pytest.mark.parametrize(
    ("name", "enter_bytes", "exit_bytes"),
    [
        ("getppid", 0, 0),
        ("write", 2 * (8 + 128), 0),
        ("read", 0, 8 + 256),
        ("open", 8 + 264 + 8 + 128, 0),  # 256, a NUL, and a byte more; where its end is looked for after its beginning
        ("newfstatat", 8 + 264 + 8 + 128, 8 + 144),
        ("statx", 8 + 264 + 8 + 128, 8 + 256),
        ("readlink", 8 + 264 + 8 + 128, 2 * (8 + 128)),
        ("uname", 0, 8 + 256),
        ("pipe2", 0, 8 + 8),
        ("wait4", 0, 8 + 8 + 8 + 144),
        ("accept", 8 + 8, 8 + 256 + 8 + 8),
        ("writev", 8 + 256 + 16 * 2 * (8 + 128), 0),
        ("execve", 8 + 264 + 8 + 128 + 16 * (8 + 264) + 8 + 8 + 256, 8 + 264 + 8 + 128 + 8 + 256),
        ("sendmsg", 8 + 56 + 2 * (8 + 256) + (1 + 16) * (8 + 256), 0),
    ],
)
def test_the_most_that_items_take(name, enter_bytes, exit_bytes):
    number = next(number for number, call in syscalls.table(compat=False).items() if call.name == name)
    assert unpacked(call_max=16384)[number][2:4] == (enter_bytes, exit_bytes)
    limit = 2048 + 8 + 264
    assert unpacked(call_max=2048)[number][2:4] == (min(enter_bytes, limit), min(exit_bytes, limit))


@pytest.mark.parametrize(("item_max", "call_max"), [(16, 16), (16, 16384), (4096, 4096), (4096, 16384)])
def test_the_extremes_fit(item_max, call_max):
    largest = max(max(row[2:4]) for row in unpacked(item_max, call_max).values())
    assert largest <= call_max + 8 + item_max + 8
    assert largest <= 0xFFFF


@pytest.mark.parametrize(
    ("item_max", "call_max", "reason"),
    [
        (15, 2048, "item_max must be 16 to 4096 bytes, not 15"),
        (4097, 8192, "item_max must be 16 to 4096 bytes, not 4097"),
        (256, 255, r"call_max must be item_max \(256\) to 16384 bytes, not 255"),
        (256, 16385, r"call_max must be item_max \(256\) to 16384 bytes, not 16385"),
    ],
)
def test_sizes_out_of_range_are_refused(item_max, call_max, reason):
    with pytest.raises(ValueError, match=reason):
        calls_table(item_max, call_max)


def test_rules_of_arm64_are_at_arm64s_numbers_and_have_its_sizes():
    def packed(arch, name, compat=0):
        table, _ = calls_table(256, 1024, arch)
        (number,) = (n for n, call in abis(arch)[compat].table().items() if call.name == name)
        at = (number + compat * layout.CALLS) * layout.CALL_SIZE
        return table[at : at + layout.CALL_SIZE]

    for name in ("openat", "statx", "renameat2", "execve", "write"):
        assert packed("aarch64", name) == packed("x86_64", name) != bytes(layout.CALL_SIZE)
    for name, size in (("fstat", 128), ("epoll_ctl", 16), ("epoll_pwait", 16)):
        found = rules("aarch64")[name, ""]
        assert size in {rule.scale for rule in found.enter + found.exit}
    assert packed("aarch64", "open", compat=1) == packed("x86_64", "open", compat=1)
    assert ("open", "") not in rules("aarch64")


def test_memory_of_arms_32_bit_programs_is_read_where_its_layout_is_known():
    table, _ = calls_table(256, 1024, "aarch64")
    numbers = {call.name: number for number, call in abis("aarch64")[1].table().items()}
    assert not numbers.keys() & {"ipc", "socketcall"}
    for name, captured in (("write", True), ("fstat64", False)):
        at = (numbers[name] + layout.CALLS) * layout.CALL_SIZE
        _, _, entering, leaving, *_ = layout.CALL_HEAD.unpack_from(table, at)
        assert bool(entering or leaving) == captured
