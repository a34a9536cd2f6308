# SPDX-License-Identifier: Apache-2.0
"""The memory captured for real calls, byte by byte, also where it is hard to read."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from struct import iter_unpack, pack

import pytest
from recorded_cgroups import Container, Workloads, only, raw, text

from traceloop_bpf.tracer import Tracer
from traceloop_decode import layout
from traceloop_decode.model import Call, Item
from traceloop_decode.ring_reader import Record, RingReader

pytestmark = pytest.mark.kernel

ACCESS = 21
KINDS = {"string": layout.KIND_STRING, "buffer": layout.KIND_BUFFER}


CONTENT = bytearray(b"z" * 16384)
CONTENT[0:10] = b"/cold/one\0"
CONTENT[4096:4106] = b"/cold/two\0"
CONTENT[8192 - 8 : 8192 + 6] = b"/cold/across\0\0"

Calls = dict[str, list[Call]]


@pytest.fixture(scope="module")
def string_container(
    tracer: Tracer, workload: Workloads, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Container]:
    file = tmp_path_factory.mktemp("strings") / "names"
    file.write_bytes(CONTENT)
    file.chmod(0o755)
    with Container(tracer) as container:
        container.run(workload("strings"), str(file))
        yield container


@pytest.fixture(scope="module")
def strings(string_container: Container) -> Calls:
    return string_container.workload_calls()


@pytest.mark.parametrize(("index", "length"), [*enumerate([0, 1, 255, 256, 257, 5000])])
def test_lengths(strings: Calls, index: int, length: int) -> None:
    kept, tail = (length, b"") if length <= 256 else (128, b"x" * 128)
    flags = {"more": length > 256, "fault": False, "out": False}
    name = only(strings["open"][index].args[0].items)
    if length > 4096:  # what is too long for a path has no end
        assert name == Item(0, layout.KIND_STRING, b"x" * 128, 257, **flags)
    else:
        assert name == Item(0, layout.KIND_STRING, b"x" * kept, length, **flags, tail=tail)
    written = only(strings["pwrite64"][index].args[1].items)
    assert written == Item(0, layout.KIND_BUFFER, b"x" * kept, length, **flags, tail=tail)


def test_page_ends(strings: Calls) -> None:
    at_end, across, behind, bad, null = strings["creat"]
    assert (text(at_end, 0), at_end.result) == (b"/no/end", -errno.ENOENT)
    # What precedes the page that is not there is kept; strace shows as much only where -s shows no more.
    for call, data in ((across, b"/across"), (behind, b""), (bad, b"")):
        assert call.result == -errno.EFAULT
        kept = Item(0, layout.KIND_STRING, data, len(data), more=False, fault=True, out=False)
        assert only(call.args[0].items) == kept
    assert (raw(null), null.args[0].items, null.result) == ((0, 0), (), -errno.EFAULT)


def test_cold_pages(strings: Calls) -> None:
    calls = strings["access"]
    assert [text(call, 0) for call in calls] == [b"/cold/one", b"/cold/two", b"/cold/across", b"/cold/across"]
    assert {call.result for call in calls} == {-errno.ENOENT}


def test_cold_pages_were_cold(string_container: Container) -> None:
    """The pages could not be read at entry; otherwise the test above would prove little."""
    records = [found for found in RingReader(string_container.snapshot()).records() if isinstance(found, Record)]
    entries = [found for found in records if found.type == layout.TYPE_ENTER and found.nr & layout.NR_MASK == ACCESS]
    kinds = [found.body[16:][1] for found in entries[-4:]]
    assert kinds == [layout.KIND_STRING | layout.ITEM_FAULT] * 4


def test_nothing_is_left_to_read_again(string_container: Container) -> None:
    retries = layout.RING.unpack_from(string_container.snapshot().headers[-1])[12]
    assert retries == 0


def test_what_could_not_be_read_is_counted(string_container: Container) -> None:
    cpus = string_container.recording.ring.headers().cpus
    unread = [
        call.name for call in string_container.calls() if any(item.fault for arg in call.args for item in arg.items)
    ]
    assert [name for name in unread if name != "execve"] == ["creat"] * 3 + ["write"] * 4
    assert sum(cpu.unread for cpu in cpus) == len(unread)
    assert sum(cpu.reread for cpu in cpus) >= len(unread) + 4  # and the cold names of access


def test_cold_arguments_of_execve(strings: Calls) -> None:
    early, late = strings["execve"]
    assert (text(early, 0), early.result) == (b"/cold/one", -errno.ENOENT)
    first, two, third, end = [(item.data, item.fault) for item in early.args[1].items]
    # On recent kernels nothing has read them; older ones copy argv before they look for the file.
    assert first in ((b"", True), (b"/cold/one", False))
    assert third in ((b"", True), (b"/cold/two", False))
    assert (two, end) == ((b"two", False), (b"", False))
    assert late.result == -errno.ENOEXEC
    assert [(item.kind, item.sub, item.data) for item in late.args[1].items] == [
        (layout.KIND_STRING, 0, b"/cold/one"),
        (layout.KIND_STRING, 1, b"two"),
        (layout.KIND_STRING, 2, b"/cold/two"),
        (layout.KIND_ARGV, 3, b""),
    ]
    assert not any(item.fault or item.more for item in late.args[1].items)


def test_buffers_that_cannot_all_be_read(strings: Calls) -> None:
    half, long, *unreadable, empty, closed = strings["write"]
    assert only(half.args[1].items) == Item(0, layout.KIND_BUFFER, b"y" * 100, 200, more=False, fault=True, out=False)
    # Its end cannot be read.
    assert only(long.args[1].items) == Item(0, layout.KIND_BUFFER, b"y" * 128, 8192, more=True, fault=True, out=False)
    behind, bad, null = unreadable
    for call in (behind, bad):
        assert call.result == -errno.EFAULT
        assert only(call.args[1].items) == Item(0, layout.KIND_BUFFER, b"", 4, more=False, fault=True, out=False)
    assert (null.args[1].raw, null.args[1].items, null.result) == (0, (), -errno.EFAULT)
    assert (text(empty, 1), empty.result) == (b"", 0)
    assert (text(closed, 1), closed.result) == (b"yyy", -errno.EBADF)


def test_output_buffers(strings: Calls) -> None:
    empty, short, long, bad = strings["pread64"]
    assert (text(empty, 1), empty.result) == (b"", 0)
    assert only(short.args[1].items) == Item(0, layout.KIND_BUFFER, CONTENT[:20], 20, more=False, fault=False, out=True)
    assert only(long.args[1].items) == Item(0, layout.KIND_BUFFER, CONTENT[:256], 300, more=True, fault=False, out=True)
    assert (bad.args[1].items, bad.result) == ((), -errno.EFAULT)


@pytest.fixture(scope="module")
def items(tracer: Tracer, workload: Workloads) -> tuple[Calls, dict[str, bytes]]:
    """Returns the calls of workloads/items.c, and its output."""
    with Container(tracer) as container:
        lines = [line.split(" ") for line in container.run(workload("items"))]
        return container.workload_calls(), {name: bytes.fromhex(digits) for name, digits in lines}


SOCKADDR_UN = pack("<H", 1) + b"\0tl-items-test"
RIGHTS = pack("<QIII4x", 20, 1, 1, 0)
EXPECTED = [  # call, index among its calls, argument, contents of its items; None: as printed by the workload
    ("pipe2", 0, 0, None),
    ("writev", 0, 1, [b"one", b"", b"two\n"]),
    ("readv", 0, 1, [b"one", b"two\n"]),
    ("writev", 1, 1, [bytes([letter]) for letter in b"abcdefghijklmnop"]),  # 16 of 20
    ("socketpair", 0, 3, None),
    ("bind", 0, 1, [SOCKADDR_UN]),
    ("sendto", 0, 1, [b"to myself"]),
    ("sendto", 0, 4, [SOCKADDR_UN]),
    ("recvfrom", 0, 1, [b"to myself"]),
    ("recvfrom", 0, 4, [SOCKADDR_UN]),
    ("recvfrom", 0, 5, [pack("<I", 110), pack("<I", 16)]),
    ("setsockopt", 0, 3, [pack("<I", 1)]),
    ("bind", 1, 1, [pack("<HH4B8x", 2, 0, 127, 0, 0, 1)]),
    ("getsockname", 0, 1, None),
    ("poll", 0, 0, None),
    ("accept4", 0, 1, None),
    ("accept4", 0, 2, [pack("<I", 16), pack("<I", 16)]),
    ("epoll_ctl", 0, 3, [pack("<IQ", 4, 0x1234567890)]),
    ("epoll_wait", 0, 1, [pack("<IQ", 4, 0x1234567890)]),
    ("openat2", 0, 1, [b"/no/such"]),
    ("openat2", 0, 2, [pack("<QQQ", 0, 0, 4)]),
    ("stat", 0, 0, [b"/"]),
    ("stat", 0, 1, None),
    ("statx", 0, 1, [b"/"]),
    ("statx", 0, 4, None),
    ("getcwd", 0, 0, None),
    ("readlink", 0, 0, [b"/proc/self/exe"]),
    ("readlink", 0, 1, None),
    ("getrandom", -1, 0, None),
    ("memfd_create", 0, 0, [b"in memory"]),
    ("nanosleep", 0, 0, [pack("<QQ", 0, 1000)]),
    ("clock_nanosleep", 0, 2, [pack("<QQ", 0, 1000)]),
    ("prctl", 0, 1, [b"a new name"]),
    ("wait4", 0, 1, [pack("<I", 9 << 8)]),
    ("rename", 0, 0, [b"/no/from"]),
    ("rename", 0, 1, [b"/no/to"]),
    ("symlink", 0, 0, [b"target"]),
    ("symlink", 0, 1, [b"/no/link"]),
    ("chmod", 0, 0, [b"/no/such"]),
    ("lchown", 0, 0, [b"/no/such"]),
    ("truncate", 0, 0, [b"/no/such"]),
    ("setxattr", 0, 0, [b"/no/such"]),
    ("setxattr", 0, 1, [b"user.name"]),
    ("setxattr", 0, 2, [b"value"]),
    ("mount", 0, 0, [b"source"]),
    ("mount", 0, 1, [b"/no/such"]),
    ("mount", 0, 2, [b"tmpfs"]),
    ("mount", 0, 4, [b"size=1m"]),
    ("umount2", 0, 0, [b"/no/such"]),
    ("chdir", 0, 0, [b"/no/such"]),
]


@pytest.mark.parametrize(("name", "which", "arg", "held"), EXPECTED, ids=lambda value: str(value)[:24])
def test_items(
    items: tuple[Calls, dict[str, bytes]], name: str, which: int, arg: int, held: list[bytes] | None
) -> None:
    calls, shown = items
    found = calls[name][which].args[arg].items
    assert not any(item.fault for item in found)
    if held is None:
        output = only(tuple(item for item in found if item.out))
        assert output.data == shown[name][:256]
        assert (output.size, output.more) == (len(shown[name]), len(shown[name]) > 256)
    else:
        assert [item.data for item in found if item.kind != layout.KIND_IOVEC] == held


def test_an_iovec_comes_before_its_elements(items: tuple[Calls, dict[str, bytes]]) -> None:
    calls, _ = items
    for call, count in ((calls["writev"][0], 3), (calls["writev"][1], 20), (calls["readv"][0], 2)):
        array, *elements = call.args[1].items
        kept = min(count, layout.SUB_MAX)
        assert (array.kind, array.sub, array.size, len(array.data)) == (layout.KIND_IOVEC, 0, 16 * count, 16 * kept)
        lengths = [length for _, length in iter_unpack("<QQ", array.data)]
        assert [(item.sub, item.size) for item in elements] == list(enumerate(lengths))


def test_messages(items: tuple[Calls, dict[str, bytes]]) -> None:
    calls, shown = items
    control, name = layout.SUB_CONTROL, layout.SUB_NAME
    sent, named = calls["sendmsg"]
    assert parts(sent.args[1].items) == [(control, RIGHTS), (0, b"fd"), (1, b"pass")]
    assert parts(named.args[1].items) == [(name, SOCKADDR_UN), (0, b"fd"), (1, b"pass")]
    (received,) = calls["recvmsg"]
    before, *after = received.args[1].items
    assert (before.kind, before.size, before.out) == (layout.KIND_BUFFER, 56, False)  # not captured again
    assert parts(tuple(after)) == [(control, shown["recvmsg"]), (0, b"fdpa"), (1, b"ss")]
    assert all(item.out for item in after)


def parts(items: tuple[Item, ...]) -> list[tuple[int, bytes]]:
    """Returns the parts of a message: index and bytes."""
    head, *rest = items
    assert (head.kind, head.size, len(head.data)) == (layout.KIND_MSG, 56, 56)
    return [(item.sub, item.data) for item in rest if item.kind != layout.KIND_IOVEC]


def test_long_argument_lists(items: tuple[Calls, dict[str, bytes]]) -> None:
    long, short, bad = items[0]["execve"]
    *strings, end = long.args[1].items
    assert [item.data for item in strings] == [str(n).encode() for n in range(layout.SUB_MAX)]
    assert end == Item(layout.SUB_MAX, layout.KIND_ARGV, b"", layout.SUB_MAX, more=True, fault=False, out=False)
    assert [item.data for item in short.args[1].items] == [b"15", b"16", b""]
    assert not short.args[1].items[-1].more
    assert only(bad.args[1].items) == Item(0, layout.KIND_ARGV, b"", 0, more=False, fault=True, out=False)


def test_lists_at_bad_addresses(items: tuple[Calls, dict[str, bytes]]) -> None:
    call = items[0]["writev"][2]
    assert call.result == -errno.EFAULT
    assert only(call.args[1].items) == Item(0, layout.KIND_IOVEC, b"", 16, more=False, fault=True, out=False)


def test_a_null_address_has_no_item(items: tuple[Calls, dict[str, bytes]]) -> None:
    (call,) = items[0]["accept"]
    assert [arg.items for arg in call.args] == [(), (), ()]
