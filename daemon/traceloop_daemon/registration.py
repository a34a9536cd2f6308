# SPDX-License-Identifier: Apache-2.0
"""A container that is to be recorded, whoever told of it: a hook, or an engine by NRI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from traceloop_daemon.names import Names


@dataclass(frozen=True, slots=True)
class Registration:
    """pid: its first process, in the daemon's pid namespace. annotations, by_label: as `names.Told` has them."""

    container_id: str
    pid: int
    names: Names
    annotations: Mapping[str, str]
    by_label: frozenset[str] = frozenset()
