# SPDX-License-Identifier: Apache-2.0
"""The answer of one daemon, or of one of several, to the question for all traces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from traceloop_cli.errors import CliError
from traceloop_proto import traceloop_pb2 as pb


@dataclass(frozen=True, slots=True)
class Listing:
    """The answer of one daemon to List: exactly one of `reply` and `error` is given. host: as the user named it."""

    host: str
    reply: pb.ListReply | None
    error: CliError | None

    @property
    def reason(self) -> str:
        """Why there is no reply, without the host's name."""
        return str(self.error or "").removeprefix(f"{self.host}: ")


def unanswered(errors: Sequence[object], hosts: int) -> str:
    """Returns the line that tells which hosts did not answer. errors: or the hosts' names."""
    return f"{len(errors)} of {hosts} hosts did not answer: {'; '.join(map(str, errors))}"
