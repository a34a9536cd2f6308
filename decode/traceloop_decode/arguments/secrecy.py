# SPDX-License-Identifier: Apache-2.0
"""Class of the memory that an argument points at, by its word; capture policies keep or leave out memory by class.

The classes are TL_CLASS_... of record.h. A word that is not listed here counts as a struct if it has a fixed size, else
as payload, so that a new word is left out rather than let through.
"""

from __future__ import annotations

from typing import Final

from traceloop_decode import layout
from traceloop_decode.arguments.table import SIZES
from traceloop_decode.arguments.words import Line

_WORDS: Final = {
    layout.CLASS_PATH: ("path",),
    layout.CLASS_NAME: (
        *("string", "thread_name", "vma_name", "mount_type", "host_name", "task_name", "utsname", "xattr_names"),
        *("dirents", "fs_option", "memfd_name", "reboot_text"),
    ),
    layout.CLASS_ARGV: ("argv",),
    layout.CLASS_ADDRESS: ("sockaddr", "peer"),
    layout.CLASS_STRUCT: (
        *("msghdr", "mask_and_size", "node_mask", "fd_set", "cpu_set", "sigset", "sigset_late", "sigset_out"),
        *("bpf_attr", "clone_args", "file_attr", "landlock_ruleset", "mount_attr", "open_how", "xattr_args"),
        *("ifreq_list", "residency", "syscall_info"),
        *("changes", "resources", "uring_mask"),
    ),
    layout.CLASS_PAYLOAD: (
        *("bytes", "hex_bytes", "iovec", "iocb", "control_blocks", "sent", "received"),
        *("xattr_value", "mount_data", "key_text", "fs_blob", "user_registers", "user_fp_registers"),
    ),
}
_CLASSES: Final = {word: content for content, words in _WORDS.items() for word in words}
_EXCEPTIONS: Final = {  # call, selector, argument
    ("readlink", "", 1): layout.CLASS_PATH,
    ("readlinkat", "", 2): layout.CLASS_PATH,
    ("fsconfig", "FSCONFIG_SET_STRING", 3): layout.CLASS_PAYLOAD,  # like mount's data, it may be a password
}


def content_of(line: Line, arg: int) -> int:
    """Returns the class of the memory that an argument of a call's line points at."""
    return _EXCEPTIONS.get((line.name, line.selector, arg)) or class_of(line.words[arg].what)


def class_of(what: str) -> int:
    """Returns the class of the memory that a word names, independent of the call."""
    return _CLASSES.get(what) or (layout.CLASS_STRUCT if SIZES.get(what, 1) > 1 else layout.CLASS_PAYLOAD)
