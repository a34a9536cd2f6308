# SPDX-License-Identifier: Apache-2.0
"""Each word of the table has a class, which the kernel side's rules carry."""

import pytest

from traceloop_decode import layout
from traceloop_decode.arguments.capture import calls_table, rules
from traceloop_decode.arguments.secrecy import class_of, content_of
from traceloop_decode.arguments.words import Line, Word, lines
from traceloop_decode.syscalls import table


def line(name, selector=""):
    return next(one for one in lines() if (one.name, one.selector) == (name, selector))


@pytest.mark.parametrize(
    ("name", "selector", "arg", "content"),
    [
        ("openat", "", 1, layout.CLASS_PATH),
        ("readlinkat", "", 2, layout.CLASS_PATH),
        ("getxattr", "", 1, layout.CLASS_NAME),
        ("getdents64", "", 1, layout.CLASS_NAME),
        ("execve", "", 1, layout.CLASS_ARGV),
        ("connect", "", 1, layout.CLASS_ADDRESS),
        ("accept", "", 1, layout.CLASS_ADDRESS),
        ("nanosleep", "", 0, layout.CLASS_STRUCT),
        ("poll", "", 0, layout.CLASS_STRUCT),
        ("sendmsg", "", 1, layout.CLASS_STRUCT),
        ("read", "", 1, layout.CLASS_PAYLOAD),
        ("writev", "", 1, layout.CLASS_PAYLOAD),
        ("sendto", "", 1, layout.CLASS_PAYLOAD),
        ("getrandom", "", 0, layout.CLASS_PAYLOAD),
        ("setsockopt", "", 3, layout.CLASS_PAYLOAD),
        ("mount", "", 4, layout.CLASS_PAYLOAD),
        ("fsconfig", "FSCONFIG_SET_STRING", 2, layout.CLASS_NAME),
        ("fsconfig", "FSCONFIG_SET_STRING", 3, layout.CLASS_PAYLOAD),
        ("fsconfig", "FSCONFIG_SET_BINARY", 3, layout.CLASS_PAYLOAD),
        ("ioctl", "TIOCSTI", 2, layout.CLASS_PAYLOAD),
    ],
)
def test_the_class_of_an_argument(name, selector, arg, content):
    assert content_of(line(name, selector), arg) == content


def test_a_word_that_no_one_classified_is_payload():
    new = Line("new", "", (Word("never_heard_of", "in", "2"),), None)
    assert content_of(new, 0) == layout.CLASS_PAYLOAD


def test_every_rule_of_the_kernel_has_one_class():
    packed, _ = calls_table(256, 1024)
    seen = set()
    for at in range(0, len(packed), layout.CALL_SIZE):
        _, _, enter, leave, _, _ = layout.CALL_HEAD.unpack_from(packed, at)
        every = list(layout.RULE.iter_unpack(packed[at + layout.CALL_HEAD.size : at + layout.CALL_SIZE]))
        for rule in (*every[:enter], *every[layout.RULES : layout.RULES + leave]):
            assert rule[-2].bit_count() == 1
            seen.add(rule[-2])
    assert sum(seen) == layout.CLASS_ANY


def test_a_rule_has_its_words_class_at_entry_and_at_exit():
    for (name, selector), its in rules().items():
        for rule in (*its.enter, *its.exit):
            words = line(name, selector).words
            nested = words[rule.arg].nested[rule.nested - 1].what if rule.nested else ""
            assert rule.content == (class_of(nested) if nested else content_of(line(name, selector), rule.arg))


def test_32_bit_calls_have_the_same_classes():
    packed, _ = calls_table(256, 1024)
    number = next(number for number, call in table(compat=True).items() if call.name == "write")
    at = (layout.CALLS + number) * layout.CALL_SIZE + layout.CALL_HEAD.size
    assert layout.RULE.unpack_from(packed, at)[-2] == layout.CLASS_PAYLOAD
