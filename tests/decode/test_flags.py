# SPDX-License-Identifier: Apache-2.0
"""The names of numbers, compared with the values in Python's own modules, and as text."""

from __future__ import annotations

import fcntl
import importlib
import os
import resource
import select
import signal
import socket
import termios
from collections.abc import Iterator

import pytest
from generate_flags import FAMILIES, _scan

from traceloop_decode import constants
from traceloop_decode.arguments.selectors import SELECTORS
from traceloop_decode.arguments.words import compat_lines, lines
from traceloop_decode.tables.flags import TABLES
from traceloop_decode.tables.selected import OWN_SELECTED, SELECTED
from traceloop_decode.values.options import Options
from traceloop_decode.values.xlat import Xlat

# glibc defines these differently: on 64 bits it hides what only 32-bit programs need.
DIFFERENT_IN_GLIBC = {"O_LARGEFILE", "F_GETLK64", "F_SETLK64", "F_SETLKW64"}


def names() -> Iterator[tuple[str, int, str]]:
    tables = constants.TABLES.items()
    return (
        (table, value, name)
        for table, (_, entries) in tables
        for value, label in entries
        for name in label.split(" or ")
    )


def test_python_knows_the_same_values() -> None:
    modules = (os, socket, signal, fcntl, resource, select, termios)
    compared = 0
    for table, value, name in names():
        for module in modules:
            known = getattr(module, name, None)
            if isinstance(known, int) and name not in DIFFERENT_IN_GLIBC:
                assert value == known or value == known & 0xFFFFFFFF, f"{table}: {name} of {module.__name__}"
                compared += 1
    assert compared > 500


@pytest.mark.parametrize(
    ("table", "name", "value"),
    [
        ("prot", "PROT_EXEC", 4),
        ("whence", "SEEK_HOLE", 4),
        ("at_flags", "AT_EMPTY_PATH", 0x1000),
        ("clone_flags", "CLONE_NEWNET", 0x40000000),
        ("sa_flags", "SA_RESETHAND", 0x80000000),
        ("clock_id", "CLOCK_BOOTTIME", 7),
        ("epoll_events", "EPOLLET", 0x80000000),
        ("fcntl_cmd", "F_DUPFD_CLOEXEC", 1030),
        ("mount_flags", "MS_SLAVE", 1 << 19),
        ("statx_mask", "STATX_ALL", 0xFFF),
        ("msg_flags", "MSG_NOSIGNAL", 0x4000),
        ("address_families", "AF_VSOCK", 40),
        ("so_options", "SO_REUSEPORT", 15),
        ("ioctls", "TIOCGWINSZ", 0x5413),
        ("bpf_cmd", "BPF_LINK_CREATE", 28),
        ("keyctl_ops", "KEYCTL_READ", 11),
        ("ptrace_requests", "PTRACE_SEIZE", 0x4206),
        ("capabilities", "CAP_SYS_ADMIN", 21),
        ("fs_magic", "PROC_SUPER_MAGIC", 0x9FA0),
    ],
)
def test_known_value(table: str, name: str, value: int) -> None:
    assert (value, name) in constants.TABLES[table][1]


def test_a_value_has_one_name_in_a_table() -> None:
    for table, (unknown, entries) in TABLES.items():
        assert entries, table
        assert "?" in unknown or not unknown, table
        assert len({value for value, _ in entries}) == len(entries), table
        assert len({name for _, name in entries}) == len(entries), table


def test_tables_are_those_of_the_configuration() -> None:
    families = [importlib.import_module(f"flag_tables.{family}").TABLES for family in FAMILIES]
    labels = {name: table.unknown for tables in families for name, table in tables.items()}
    assert labels == {name: unknown for name, (unknown, _) in TABLES.items()}, "stale: run `make tables`"


@pytest.mark.parametrize(
    ("table", "value", "text"),
    [
        ("prot", 0, "PROT_NONE"),
        ("prot", 3, "PROT_READ|PROT_WRITE"),
        ("prot", 0x10000001, "PROT_READ|0x10000000"),
        ("prot", 0x10000000, "0x10000000 /* PROT_??? */"),
        ("statx_mask", 0x1FFF, "STATX_ALL|STATX_MNT_ID"),
        ("epoll_events", 0x80002001, "EPOLLIN|EPOLLRDHUP|EPOLLET"),
        ("wait_options", 0x40000001, "WNOHANG|__WALL"),
    ],
)
def test_text_of_sets(table: str, value: int, text: str) -> None:
    unknown, entries = TABLES[table]
    assert Xlat(entries, unknown).flags(value, Options()) == text


def test_scan_finds_macros_and_enumerators_in_source_order() -> None:
    text = """
# 1 "/include/linux/some.h" 1
#define B 2
#define WORD "text"
#define CALL(x) x
enum tag { C = (1 << 3), D, E = sizeof(int), };
# 1 "/include/other.h" 1
typedef enum { F } other_t;
#define A 1
"""
    assert _scan(text) == {
        "/include/linux/some.h": ["B", "C", "D", "E"],
        "enum tag": ["C", "D", "E"],
        "/include/other.h": ["F", "A"],
        "enum F": ["F"],
    }


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_the_words_that_select_variants_have_the_numbers_of_their_tables(arch):
    for name, (_, table) in SELECTORS.items():
        named = {text: value for value, texts in constants.entries(table, arch) for text in texts.split(" or ")}
        chosen = [line.selector for line in (*lines(), *compat_lines()) if line.name == name and line.selector]
        words = {word for selector in chosen for word in selector.split(",")} & named.keys()
        assert OWN_SELECTED.get(arch, SELECTED).get(table, SELECTED[table]) == {word: named[word] for word in words}
