# SPDX-License-Identifier: Apache-2.0
"""Finds the file that was last read as configuration, by its path: by its suffix, or by the directory that it is in."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from traceloop_decode.causes import subject
from traceloop_decode.causes.report import Configuration
from traceloop_decode.model import Call

_INT: Final = 0xFFFFFFFF
_SUFFIX: Final = re.compile(
    r".*\.(?:cfg|cnf|conf|config|env|ini|json|json5|properties|toml|xml|yaml|yml)", re.IGNORECASE
)
_DIRECTORY: Final = re.compile(r"/etc/.*|.*/(?:conf|config|configs|conf\.d|etc|secrets)/.*")
# Files of the system and of libraries, which say nothing of what the service was told.
_SYSTEM: Final = re.compile(
    r"/(?:usr|lib|lib64|proc|sys|dev)/.*|.*/(?:site|dist)-packages/.*|.*/node_modules/.*|.*\.(?:py|pyc|so|so\..*|js|jar)"
    r"|/etc/(?:ld\.so\..*|passwd|group|shadow|hosts|host\.conf|hostname|resolv\.conf|nsswitch\.conf|gai\.conf|localtime"
    r"|mtab|fstab|services|protocols|os-release|debian_version|ssl/.*|terminfo/.*|inputrc|profile.*|bash.*|locale.*"
    r"|timezone|security/.*|pam\.d/.*|gcrypt/.*|alternatives/.*|crypto-policies/.*|pki/.*|mime\.types|python.*/.*)"
)


class Configurations:
    """The reads of files that look like configuration."""

    def __init__(self) -> None:
        self._last: tuple[str, Call] | None = None

    def opened(self, call: Call) -> None:
        """Observes a file that was opened: it counts as read, where its reads are not recorded as such (mmap)."""
        made = call.files.result if call.files is not None else None
        path = subject.bare(made.text) if made is not None else subject.path(call)
        if _is_configuration(path):
            self._last = path, call

    def read(self, call: Call) -> str:
        """Observes a read that returned something; returns the path of the file, "" if it is not known."""
        if not call.result or call.files is None or not call.registers:
            return ""
        known = call.files.before.get(call.registers[0] & _INT)
        if known is None or known.socket is not None:
            return ""
        path = subject.bare(known.text)
        if _is_configuration(path):
            self._last = path, call
        return path

    def last(self) -> Configuration | None:
        """Returns the file that was read last; None if there is none."""
        if self._last is None:
            return None
        path, call = self._last
        return Configuration(path, subject.evidence(call))


@lru_cache(maxsize=1024)
def _is_configuration(path: str) -> bool:
    named = _SUFFIX.fullmatch(path) is not None or _DIRECTORY.fullmatch(path) is not None
    return named and _SYSTEM.fullmatch(path) is None
