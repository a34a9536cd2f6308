# SPDX-License-Identifier: Apache-2.0
"""Any other failed call: it explains little, unless the last words name it."""

from __future__ import annotations

from typing import Final

from traceloop_decode.causes.rules.rule import Rule, words

RULES: Final = (
    Rule("", words("close dup2 dup3 fsync epoll_ctl getsockname sigaltstack"), None, 0, ""),
    Rule("file-missing", None, frozenset(("ENOENT",)), 25, "{who} failed in {call}{of}: it does not exist."),
    Rule(
        "call-failed",
        None,
        frozenset(("EBADF", "EINVAL", "EFAULT", "EEXIST", "ENOTDIR", "EISDIR", "ERANGE")),
        12,
        "{who} failed in {call}{of}: {error}.",
    ),
    Rule("call-failed", None, words("ENOSPC EDQUOT"), 50, "{who} failed in {call}{of}: {error}."),  # no file is meant
    Rule("call-failed", None, None, 30, "{who} failed in {call}{of}: {error}."),
)
