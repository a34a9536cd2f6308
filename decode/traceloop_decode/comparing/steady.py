# SPDX-License-Identifier: Apache-2.0
"""Text without what differs from run to run though the program does the same: numbers, times, and random names.

::

    4f3c2a91-bb01-...           <uuid>      a UUID
    4f3c2a91bb01, 0x7f13        <hex>       eight or more hexadecimal digits, with a decimal one among them; an address
    /proc/17, task/17           /proc/<n>   a process or thread, however short its number
    file-26778                  file-<n>    three or more decimal digits: pids, times, sizes
    localhost:40318             localhost:<n>   a port that the kernel chose; localhost:8080 stays
    /tmp/tmp3g0ds9pz            /tmp/<name> what mkstemp(3) and its like made up, below a directory for temporary
                                            files: six or more letters and digits of more than one sort

Shorter numbers stay: versions of libraries, numbers of descriptors and signals.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_CACHE_MAX: Final = 8192
_RULES: Final = (
    (re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"), "<uuid>"),
    (re.compile(r"(?<![0-9A-Za-z])(?:0x[0-9a-fA-F]{4,}|(?=[a-fA-F]*[0-9])[0-9a-fA-F]{8,})(?![0-9A-Za-z])"), "<hex>"),
    (re.compile(r"(?<=/proc/)\d+|(?<=/task/)\d+"), "<n>"),
    (re.compile(r"(?<!:)(?<!:\d)(?<!:\d\d)(?<!:\d{3})(?<!:\d{4})\d{3,}"), "<n>"),  # not a port
    (re.compile(r"(?<=:)(?:3276[89]|327[7-9]\d|32[89]\d\d|3[3-9]\d{3}|[4-9]\d{4}|\d{6,})(?!\d)"), "<n>"),
)
_NUMBER: Final = re.compile(r"\d+")
_TEMPORARY: Final = re.compile(r"(?<![^\s\"'])(/(?:tmp|var/tmp|run|dev/shm)/)([^\s\"']+)")
_OF_TEMPFILE: Final = re.compile(r"tmp[a-z0-9_]{8}")  # of Python's module
_OF_MKTEMP: Final = re.compile(r"(?<=\btmp\.)[A-Za-z0-9]{6,}")  # of the command
_END: Final = re.compile(r"[A-Za-z0-9_]{6,}")
_SORTS: Final = (re.compile("[a-z]"), re.compile("[A-Z]"), re.compile("[0-9]"))
_PORT: Final = re.compile(r":(\d+)\Z")
_EPHEMERAL: Final = 32768  # the default of net.ipv4.ip_local_port_range


@lru_cache(maxsize=_CACHE_MAX)
def steady(text: str) -> str:
    """Returns a path, an argument or a line of output without what differs from run to run."""
    text = _TEMPORARY.sub(_named, text)
    for pattern, instead in _RULES:
        text = pattern.sub(instead, text)
    return text


def steady_line(text: str) -> str:
    """Returns a line of output without any number: it may begin with a time."""
    return _NUMBER.sub("<n>", steady(text))


def steady_address(address: str) -> str:
    """Returns an address without its port, if that is one that the kernel chose."""
    port = _PORT.search(address)
    if port is not None:
        return f"{address[: port.start()]}:*" if int(port[1]) >= _EPHEMERAL else address
    return steady(address)


def _named(found: re.Match[str]) -> str:
    name = _OF_MKTEMP.sub("<name>", found[2])
    return found[1] + _END.sub(lambda end: "<name>" if _is_random(end[0]) else end[0], name)


def _is_random(text: str) -> bool:
    if _OF_TEMPFILE.fullmatch(text):
        return True
    sorts = [bool(sort.search(text)) for sort in _SORTS]
    words = re.fullmatch(r"[A-Z]?[a-z_]+\d{0,2}", text)  # Backup, data_2: a word, and perhaps its number
    return sum(sorts) > 1 and words is None
