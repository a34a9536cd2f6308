# SPDX-License-Identifier: Apache-2.0
"""Descriptors have what strace shows besides paths: device numbers, inodes, whether the file lost its name."""

from __future__ import annotations

import os
from struct import pack

import pytest
from fdtrace import AT_FDCWD, O_CLOEXEC, Trace

from traceloop_decode import layout
from traceloop_decode.model import DecodeError, Item, Lost
from traceloop_decode.open_files import OpenFiles, Process

CHARACTER, BLOCK, SOCKET, FIFO, FILE, LINK = 0o020666, 0o060660, 0o140777, 0o010600, 0o100644, 0o120777
O_CREAT, O_EXCL, O_NOFOLLOW, O_PATH = 0o100, 0o200, 0o400000, 0o10000000
AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, AT_REMOVEDIR = 0x1000, 0x100, 0x200
START_NS = 10


def stat(mode: int, inode: int = 5, device: int = 0, names: int = 1) -> bytes:
    """struct stat of x86-64."""
    return pack("<QQQIIIIQ", 1, inode, names, mode, 0, 0, 0, device).ljust(144, b"\0")


def statx(mode: int, inode: int = 5, device: int = 0, names: int = 1) -> bytes:
    times = bytes(64)
    return pack(
        "<IIQIIIHxxQQQQ64sII",
        0x7FF,
        4096,
        0,
        names,
        0,
        0,
        mode,
        inode,
        0,
        0,
        0,
        times,
        os.major(device),
        os.minor(device),
    ).ljust(256, b"\0")


NULL = stat(CHARACTER, device=os.makedev(1, 3))


def test_the_device_is_known_once_fstat_told_it() -> None:
    trace = Trace(sockets=True)
    assert trace.open(b"/dev/null", 3).endswith("= 3</dev/null>")
    trace.call("newfstatat", 3, b"", NULL, AT_EMPTY_PATH)
    assert trace.call("dup", 3, result=4) == "7 dup(3</dev/null<char 1:3>>) = 4</dev/null<char 1:3>>"
    assert trace.open(b"/dev/null", 5).endswith("= 5</dev/null<char 1:3>>")
    trace.open(b"/disk", 6)
    trace.call("fstat", 6, stat(BLOCK, device=os.makedev(259, 0x12345)))
    assert trace.fd(6) == "</disk<block 259:74565>>"


def test_the_device_at_a_path_is_known_until_the_name_changes() -> None:
    trace = Trace(sockets=True)
    trace.call("statx", AT_FDCWD, b"/dev/tty", 0, 0xFFF, statx(CHARACTER, device=os.makedev(5, 0)))
    trace.open(b"/dev/tty", 3)
    assert trace.fd(3) == "</dev/tty<char 5:0>>"
    trace.call("unlink", b"/dev/tty")
    trace.open(b"/dev/tty", 4)
    assert trace.fd(4) == "</dev/tty>"


def test_without_yy_no_device_is_shown() -> None:
    trace = Trace()
    trace.open(b"/dev/null", 3)
    trace.call("fstat", 3, NULL)
    assert trace.fd(3) == "</dev/null>"


def test_what_proc_told_of_devices() -> None:
    process = Process(b"/", b"/", {0: (b"/dev/null", False), 1: (b"/dev/pts/0 (deleted)", False)}, {0: "char 1:3"})
    start = OpenFiles(1, START_NS, {7: process})
    assert OpenFiles.of_fields(start.fields()) == start
    plain, full = Trace(start), Trace(start, sockets=True)
    assert plain.call("fsync", 0) == "7 fsync(0</dev/null>) = 0"
    assert full.call("fsync", 0) == "7 fsync(0</dev/null<char 1:3>>) = 0"
    assert full.call("fsync", 1) == "7 fsync(1</dev/pts/0>(deleted)) = 0"


@pytest.mark.parametrize("sockets", [False, True])
def test_a_socket_without_ends_has_its_inode(*, sockets: bool) -> None:
    trace = Trace(sockets=sockets)
    trace.call("socket", 2, 1, 0, result=3)
    trace.call("fstat", 3, stat(SOCKET, inode=30117))
    assert trace.fd(3) == ("<TCP:[30117]>" if sockets else "<socket:[30117]>")
    trace.call("bind", 3, pack("<H", 2) + bytes((0, 80, 127, 0, 0, 1)) + bytes(8), 16)
    assert trace.fd(3) == ("<TCP:[127.0.0.1:80]>" if sockets else "<socket:[30117]>")
    trace.call("socket", 17, 3, 0, result=4)  # AF_PACKET
    trace.call("fstat", 4, stat(SOCKET, inode=30118))
    assert trace.fd(4) == "<socket:[30118]>"


def test_a_unix_socket_has_inode_and_name() -> None:
    trace = Trace(sockets=True)
    trace.call("socketpair", 1, 1 | O_CLOEXEC, 0, pack("<II", 3, 4))
    trace.call("fstat", 4, stat(SOCKET, inode=8))
    assert (trace.fd(3), trace.fd(4)) == ("", "<UNIX-STREAM:[8]>")
    trace.call("socket", 1, 1, 0, result=5)
    trace.call("fstat", 5, stat(SOCKET, inode=9))
    trace.call("bind", 5, pack("<H", 1) + b"/run/s\0", 9)
    assert trace.fd(5) == '<UNIX-STREAM:[9,"/run/s"]>'
    trace.call("execve", b"/bin/x", 0, 0)
    assert (trace.fd(4), trace.fd(5)) == ("", '<UNIX-STREAM:[9,"/run/s"]>')


def test_a_socket_of_unknown_origin() -> None:
    trace = Trace()
    trace.call("fstat", 1, stat(SOCKET, inode=77))
    assert trace.call("write", 1, b"x", 1, result=1).startswith("7 write(1<socket:[77]>,")
    trace.call("fstat", 2, stat(0o140755, inode=78))  # the file of a socket, opened with O_PATH
    assert trace.fd(2) == ""
    trace.call("execve", b"/bin/x", 0, 0)
    assert trace.fd(1) == ""  # it may have been closed


def test_both_ends_of_a_pipe() -> None:
    trace = Trace()
    trace.call("pipe2", pack("<II", 3, 4), 0)
    assert (trace.fd(3), trace.fd(4)) == ("", "")
    trace.call("fstat", 4, stat(FIFO, inode=30106))
    assert (trace.fd(3), trace.fd(4)) == ("<pipe:[30106]>", "<pipe:[30106]>")
    trace.open(b"/fifo", 5)
    trace.call("fstat", 5, stat(FIFO))
    assert trace.fd(5) == "</fifo>"


def test_a_file_that_loses_its_name() -> None:
    trace = Trace()
    trace.open(b"/tmp/x", 3, O_CREAT | O_EXCL)
    trace.call("unlink", b"/tmp/x")
    assert trace.call("write", 3, b"x", 1, result=1).startswith("7 write(3</tmp/x>(deleted),")
    trace.open(b"/tmp/x", 4, O_CREAT | O_EXCL)
    trace.call("unlink", b"/tmp/x")
    assert [trace.fd(fd) for fd in (3, 4)] == ["</tmp/x>(deleted)"] * 2
    trace.call("rename", b"/tmp", b"/old")
    assert trace.fd(3) == ""


@pytest.mark.parametrize("flags", [O_CREAT, O_CREAT | O_EXCL | O_PATH, O_NOFOLLOW | O_PATH, 0])
def test_a_link_may_have_lost_its_name_instead(flags: int) -> None:
    trace = Trace()
    trace.open(b"/tmp/x", 3, flags & ~O_EXCL if flags & O_PATH else flags)
    trace.call("unlink", b"/tmp/x")
    assert trace.fd(3) == ""


def test_lstat_tells_what_is_no_link() -> None:
    trace = Trace()
    for name, mode in ((b"/f", FILE), (b"/l", LINK)):
        trace.open(name, 3)
        trace.call("newfstatat", AT_FDCWD, name, stat(mode), AT_SYMLINK_NOFOLLOW)
        trace.call("unlinkat", AT_FDCWD, name, 0)
        assert trace.fd(3) == ("</f>(deleted)" if mode == FILE else "")


def test_directories_lose_their_names() -> None:
    trace = Trace()
    trace.open(b"/d", 3)
    trace.call("rmdir", b"/d")
    assert trace.fd(3) == "</d>(deleted)"
    assert trace.call("openat", 3, b"f", 0, 0, result=4).endswith("= 4")
    trace.call("chdir", b"/e")
    trace.call("unlinkat", AT_FDCWD, b"/e", AT_REMOVEDIR)
    assert trace.open(b"f", 5) == '7 openat(AT_FDCWD</e>(deleted), "f", O_RDONLY) = 5'


def test_a_file_follows_its_name() -> None:
    trace = Trace()
    trace.open(b"/a", 3, O_CREAT | O_EXCL)
    trace.open(b"/b", 4, O_CREAT | O_EXCL)
    trace.call("rename", b"/a", b"/b")
    assert (trace.fd(3), trace.fd(4)) == ("</b>", "</b>(deleted)")
    trace.call("renameat2", AT_FDCWD, b"/b", AT_FDCWD, b"/c", 1)
    assert trace.fd(3) == "</c>"
    trace.call("rename", b"/c", b"/c")
    assert trace.fd(3) == "</c>"
    trace.call("renameat2", AT_FDCWD, b"/c", AT_FDCWD, b"/d", 2)  # RENAME_EXCHANGE
    assert trace.fd(3) == ""


@pytest.mark.parametrize(
    "told",
    [
        ("link", b"/a", b"/b"),
        ("linkat", AT_FDCWD, b"a", AT_FDCWD, b"b", 0),
        ("stat", b"/a", stat(FILE, names=2)),
        ("newfstatat", AT_FDCWD, b"/a", stat(FILE, names=2), 0),
        ("statx", AT_FDCWD, b"/a", 0, 0xFFF, statx(FILE, names=2)),
        ("fstat", 3, stat(FILE, names=2)),
    ],
)
def test_of_two_names_of_a_file_neither_is_taken_by_rename(told: tuple[object, ...]) -> None:
    """rename(2) does nothing then, and succeeds. Which name the file has is not known where it may have several."""
    trace = Trace()
    trace.open(b"/a", 3, O_CREAT | O_EXCL)
    trace.call(*told)
    if told[0] not in ("link", "linkat"):
        trace.call("newfstatat", AT_FDCWD, b"/b", stat(FILE, names=2), 0)
    trace.call("rename", b"/a", b"/b")
    assert trace.fd(3) == ""


def test_a_file_of_several_names_is_moved_to_another() -> None:
    trace = Trace()
    trace.open(b"/a", 3, O_CREAT | O_EXCL)
    trace.call("link", b"/a", b"/b")
    trace.call("rename", b"/a", b"/c")
    assert trace.fd(3) == "</c>"


@pytest.mark.parametrize("told", [("fstat", 3, stat(FILE, names=2)), ("fsync", 3)])
def test_a_file_that_may_have_the_other_name_already_is_not_moved(told: tuple[object, ...]) -> None:
    """/b, of which nothing was told, may be another name of the file: then rename(2) did nothing."""
    trace = Trace()
    trace.open(b"/a", 3, O_NOFOLLOW)
    trace.open(b"/b", 4, O_NOFOLLOW)
    trace.call(*told)
    trace.call("rename", b"/a", b"/b")
    assert (trace.fd(3), trace.fd(4)) == ("", "")


@pytest.mark.parametrize(
    "told",
    [
        ("fstat", 3, stat(FILE)),
        ("lstat", b"/a", stat(FILE)),
        ("newfstatat", AT_FDCWD, b"/b", stat(FILE), AT_SYMLINK_NOFOLLOW),
        ("lstat", b"/a", stat(0o040755, names=9)),
    ],
)
def test_a_file_with_one_name_is_moved(told: tuple[object, ...]) -> None:
    trace = Trace()
    trace.open(b"/a", 3, O_NOFOLLOW)
    trace.open(b"/b", 4, O_NOFOLLOW)
    trace.call(*told)
    trace.call("rename", b"/a", b"/b")
    assert (trace.fd(3), trace.fd(4)) == ("</b>", "</b>(deleted)")


def test_where_no_file_had_the_new_name_it_is_moved() -> None:
    trace = Trace()
    trace.open(b"/a", 3, O_NOFOLLOW)
    trace.call("renameat2", AT_FDCWD, b"/a", AT_FDCWD, b"/b", 1)  # RENAME_NOREPLACE
    assert trace.fd(3) == "</b>"


def test_two_directories_may_be_one() -> None:
    """/l may be a link to /d: then /l/x and /d/x are one file, which is not deleted."""
    trace = Trace()
    trace.open(b"/l/x", 3, O_CREAT | O_EXCL)
    trace.open(b"/d/x", 4, O_NOFOLLOW)
    trace.call("rename", b"/l/x", b"/d/x")
    assert (trace.fd(3), trace.fd(4)) == ("", "")


def test_a_link_that_was_moved_is_still_one_of_its_file() -> None:
    trace = Trace()
    trace.open(b"/a", 3, O_CREAT | O_EXCL)
    trace.call("link", b"/a", b"/b")
    trace.call("rename", b"/b", b"/c")
    trace.call("rename", b"/a", b"/c")
    assert trace.fd(3) == ""


@pytest.mark.parametrize(
    "link",
    [
        ("linkat", 3, b"", AT_FDCWD, b"/b", AT_EMPTY_PATH),
        ("linkat", AT_FDCWD, b"/proc/self/fd/3", AT_FDCWD, b"/b", 0x400),  # AT_SYMLINK_FOLLOW
        ("linkat", AT_FDCWD, 0x1000, AT_FDCWD, b"/b", 0),
        ("link", b"/a", 0x1000),
    ],
)
def test_a_link_of_an_unknown_name(link: tuple[object, ...]) -> None:
    trace = Trace()
    trace.open(b"/a", 3, O_CREAT | O_EXCL)
    trace.call(*link)
    trace.call("rename", b"/a", b"/b")
    assert trace.fd(3) == ""


def test_a_path_is_unproven_after_a_loss() -> None:
    trace = Trace()
    trace.call("mkdir", b"/d", 0)
    trace.table.observe(Lost(trace.now_ns, 0, 1, 1, "overwritten"))
    trace.open(b"/d", 3)  # a link by now, perhaps
    trace.call("rename", b"/d", b"/e")
    assert trace.fd(3) == ""


def test_a_file_from_proc_may_have_the_other_name_already() -> None:
    trace = Trace(OpenFiles(1, START_NS, {7: Process(b"/", b"/", {3: (b"/a", False)})}))
    trace.call("rename", b"/a", b"/b")
    assert trace.fd(3) == ""


@pytest.mark.parametrize(
    "change",
    [("unlink", b"/log/x"), ("rename", b"/log", b"/old"), ("rename", b"/y", b"/log/x"), ("pivot_root", b".", b".")],
)
def test_a_file_of_another_mount_namespace_keeps_its_name(change: tuple[object, ...]) -> None:
    """Calls change the names in their own mount namespace alone."""
    fds = {3: (b"/log/x", False), 4: (b"/log/x", False), 5: (b"/log", False)}
    start = OpenFiles(1, START_NS, {7: Process(b"/", b"/", fds, {}, frozenset((3, 5)))})
    assert OpenFiles.of_fields(start.fields()) == start
    trace = Trace(start)
    assert trace.call("openat", 5, b"x", 0o400000, 0, result=6).endswith("= 6</log/x>")
    trace.call(*change)
    assert [trace.fd(fd) for fd in (3, 5, 6)] == ["</log/x>", "</log>", "</log/x>"]
    assert trace.fd(4) != "</log/x>"


def test_a_file_of_another_mount_namespace_is_unlinked_by_its_directory() -> None:
    fds = {3: (b"/log/x", False), 4: (b"/log/x", False), 5: (b"/log", False)}
    trace = Trace(OpenFiles(1, START_NS, {7: Process(b"/", b"/", fds, {}, frozenset((3, 5)))}))
    trace.call("unlinkat", 5, b"x", 0)
    assert [trace.fd(fd) for fd in (3, 4)] == ["</log/x>(deleted)", "</log/x>"]


@pytest.mark.parametrize("outside", [["3"], [True], 3, {"a": 1}])
def test_damaged_descriptors_outside(outside: object) -> None:
    fields = OpenFiles(1, START_NS, {7: Process(b"/", b"/", {3: (b"/x", False)})}).fields()
    fields["processes"]["7"]["outside"] = outside
    with pytest.raises(DecodeError, match="damaged snapshot: open_files"):
        OpenFiles.of_fields(fields)


def test_a_directory_from_proc_is_moved_with_what_is_in_it() -> None:
    trace = Trace(OpenFiles(1, START_NS, {7: Process(b"/d/e", b"/", {3: (b"/d/e/f", False)})}))
    trace.call("rename", b"/d", b"/n")
    assert trace.call("fsync", 3) == "7 fsync(3</n/e/f>) = 0"
    assert trace.open(b"g", 4) == '7 openat(AT_FDCWD</n/e>, "g", O_RDONLY) = 4</n/e/g>'


def test_a_name_that_goes_round_is_given_up() -> None:
    trace = Trace()
    trace.open(b"/a", 3, O_CREAT | O_EXCL)
    for _ in range(20):
        trace.call("rename", b"/a", b"/b")
        trace.call("rename", b"/b", b"/a")
    assert trace.fd(3) == ""


def test_descriptors_that_are_sent() -> None:
    trace = Trace()
    trace.open(b"/f", 3)
    header = pack("<QI4xQQQQI4x", 0, 0, 0, 0, 0x2000, 24, 0)
    control = pack("<QII", 24, 1, 1) + pack("<ii", 3, 9)
    for name, shown in (("sendmsg", "[3</f>, 9]"), ("recvmsg", "[3, 9]")):
        call = trace.made(name, 5, 0x1000, 0, result=1)
        out = name == "recvmsg"
        items = (
            Item(0, layout.KIND_MSG, header, 56, False, False, out),  # noqa: FBT003
            Item(layout.SUB_CONTROL, layout.KIND_BUFFER, control, 24, False, False, out),  # noqa: FBT003
        )
        line = trace.line(call._replace(items={1: items}))
        assert f"cmsg_type=SCM_RIGHTS, cmsg_data={shown}}}" in line, line
