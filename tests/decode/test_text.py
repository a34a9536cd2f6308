# SPDX-License-Identifier: Apache-2.0
"""Events as text: the original demo's exact lines, and bytes, names and times that are safe for a terminal."""

from __future__ import annotations

import pytest

pytest.importorskip("hypothesis", minversion="6.100")

from hypothesis import given
from hypothesis import strategies as st
from madeevents import NEWFSTATAT, OPEN, SNAPSHOT, WRITE, args, call, item, shown, string

from traceloop_decode.model import Entered, Returned
from traceloop_decode.safe_text import printable, quote
from traceloop_decode.text import classic, jsonl, short
from traceloop_decode.text.times import clock

MULTIPLICATION = r"""
00:00.001792832 cpu#0 pid 14276 [runc:[2:INIT]] write(fd=4, buf=842351188896 "{\"type\":\"procReady\"}", count=20)...
00:00.001808990 cpu#0 pid 14276 [runc:[2:INIT]] ...write() = 20
00:00.068726377 cpu#0 pid 14276 [runc:[2:INIT]] write(fd=3, buf=842351686112 "0", count=1)...
00:00.068741259 cpu#0 pid 14276 [runc:[2:INIT]] ...write() = 1
00:00.070542730 cpu#0 pid 14464 [sh] write(fd=1, buf=37966992 "3*7*2\n", count=6)...
00:00.070552565 cpu#0 pid 14464 [sh] ...write() = 6
00:00.070713699 cpu#0 pid 14465 [sh] open(filename=37967352 "/tmp/file-1889", flags=577, mode=438) = 3
00:00.071188694 cpu#1 pid 14465 [bc] write(fd=1, buf=7415808 "42\n", count=3) = 3
00:00.071546191 cpu#1 pid 14276 [cat] open(filename=140723923041877 "/tmp/file-3240", flags=0, mode=0) = 18446744073709551614
00:00.071566973 cpu#1 pid 14276 [cat] write(fd=2, buf=140723923036928 "cat: can't open '/tmp/file-3240': No such file or directory\n", count=60) = 60
"""

LISTING = """
00:00.074622185 cpu#0 pid 20994 [ls] newfstatat(dfd=18446744073709551516, filename=20772880 "/bin/wall", statbuf=140723555968544, flag=256) = 0
00:00.075257559 cpu#0 pid 20994 [ls] newfstatat(dfd=18446744073709551516, filename=20776192 "/bin/whois", statbuf=140723555968544, flag=256) = 0
00:00.076278991 cpu#0 pid 20994 [ls] newfstatat(dfd=18446744073709551516, filename=20781952 "/bin/which", statbuf=140723555968544, flag=256) = 0
00:00.077687964 cpu#0 pid 20994 [ls] newfstatat(dfd=18446744073709551516, filename=20791600 "/bin/whoami", statbuf=140723555968544, flag=256) = 0
00:00.078381695 cpu#0 pid 20994 [ls] newfstatat(dfd=18446744073709551516, filename=20797072 "/bin/w", statbuf=140723555968544, flag=256) = 0
00:00.080034442 cpu#0 pid 20994 [ls] newfstatat(dfd=18446744073709551516, filename=20806720 "/bin/wc", statbuf=140723555968544, flag=256) = 0
00:00.080110492 cpu#0 pid 20994 [ls] newfstatat(dfd=18446744073709551516, filename=20807152 "/bin/wget", statbuf=140723555968544, flag=256) = 0
00:00.080376067 cpu#0 pid 20994 [ls] newfstatat(dfd=18446744073709551516, filename=20809168 "/bin/who", statbuf=140723555968544, flag=256) = 0
00:00.081162362 cpu#0 pid 20994 [ls] newfstatat(dfd=18446744073709551516, filename=20815360 "/bin/watchdog", statbuf=140723555968544, flag=256) = 0
00:00.081412726 cpu#0 pid 20994 [ls] newfstatat(dfd=18446744073709551516, filename=20817088 "/bin/watch", statbuf=140723555968544, flag=256) = 0
"""


def split_write(fd, address, data, **where):
    arguments = args(WRITE, fd, (address, item(data)), len(data))
    return [Entered(call("write", arguments, **where)), Returned(call("write", arguments, len(data), **where))]


def test_the_lost_multiplication_as_it_was_printed():
    wrong = b"cat: can't open '/tmp/file-3240': No such file or directory\n"
    in_init = {"tid": 14276, "comm": "runc:[2:INIT]"}
    in_cat = {"cpu": 1, "tid": 14276, "comm": "cat"}
    events = [
        *split_write(4, 842351188896, b'{"type":"procReady"}', at_ns=1792832, end_ns=1808990, **in_init),
        *split_write(3, 842351686112, b"0", at_ns=68726377, end_ns=68741259, **in_init),
        *split_write(1, 37966992, b"3*7*2\n", at_ns=70542730, end_ns=70552565, tid=14464, comm="sh"),
        call("open", args(OPEN, (37967352, string(b"/tmp/file-1889")), 577, 438), 3, at_ns=70713699, tid=14465),
        call("write", args(WRITE, 1, (7415808, item(b"42\n")), 3), 3, at_ns=71188694, cpu=1, tid=14465, comm="bc"),
        call("open", args(OPEN, (140723923041877, string(b"/tmp/file-3240")), 0, 0), -2, at_ns=71546191, **in_cat),
        call("write", args(WRITE, 2, (140723923036928, item(wrong)), 60), 60, at_ns=71566973, **in_cat),
    ]
    assert shown(classic, *events) == MULTIPLICATION.strip().splitlines()


def test_the_listing_as_it_was_printed():
    seen = [
        (74622185, 20772880, b"/bin/wall"),
        (75257559, 20776192, b"/bin/whois"),
        (76278991, 20781952, b"/bin/which"),
        (77687964, 20791600, b"/bin/whoami"),
        (78381695, 20797072, b"/bin/w"),
        (80034442, 20806720, b"/bin/wc"),
        (80110492, 20807152, b"/bin/wget"),
        (80376067, 20809168, b"/bin/who"),
        (81162362, 20815360, b"/bin/watchdog"),
        (81412726, 20817088, b"/bin/watch"),
    ]
    stat = (140723555968544, item(bytes(144), out=True))
    events = [
        call(
            "newfstatat",
            args(NEWFSTATAT, 2**64 - 100, (address, string(path)), stat, 256),
            0,
            at_ns=at_ns,
            tid=20994,
            comm="ls",
        )
        for at_ns, address, path in seen
    ]
    assert shown(classic, *events) == LISTING.strip().splitlines()


# --- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", '""'),
        (b'a"b\\c', r'"a\"b\\c"'),
        (b"\n\r\t\v\f", r'"\n\r\t\v\f"'),
        (b"\x01\x38\x01\x37\xff\x1b9\x7f", r'"\18\0017\377\339\177"'),  # as strace 6.1 printed it
        (b"\x1b[31m\x9b2J", r'"\33[31m\2332J"'),
        ("é".encode(), r'"\303\251"'),
    ],
)
def test_bytes_are_quoted_with_the_shortest_escapes(data, text):
    assert quote(data) == text
    assert quote(data, more=True) == text + "..."


@given(st.binary())
def test_quoted_bytes_are_printable_and_give_the_bytes_back(data):
    text = quote(data)
    assert text.isascii()
    assert text.isprintable()
    assert text[1:-1].encode().decode("unicode_escape").encode("latin-1") == data


@given(st.text(st.characters()))
def test_any_text_can_be_made_printable(text):
    result = printable(text)
    assert result.isascii()
    assert result.isprintable() or not result
    if text.isascii() and text.isprintable():
        assert result == text


@pytest.mark.parametrize(
    ("elapsed_ns", "text"),
    [
        (0, "00:00.000000000"),
        (59_999_999_999, "00:59.999999999"),
        (61 * 60_000_000_000 + 1, "61:00.000000001"),
        (6_000 * 60_000_000_000, "6000:00.000000000"),
        (-1_500_000_000, "-00:01.500000000"),
    ],
)
def test_minutes_never_wrap(elapsed_ns, text):
    assert clock(elapsed_ns) == text


def test_formats_stream():
    seen = []

    def events():
        for n in range(3):
            seen.append(n)
            yield call("getpid", (), n)

    for module in (classic, short, jsonl):
        seen.clear()
        lines = module.lines(events(), SNAPSHOT)
        next(lines)
        assert seen == [0]
