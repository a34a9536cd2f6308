# SPDX-License-Identifier: Apache-2.0
"""What is to be recorded, whoever told of it: a container by a hook or by NRI, a cgroup by a user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from traceloop_daemon.naming.names import Names


@dataclass(frozen=True, slots=True)
class Registration:
    """pid: its first process, in the daemon's pid namespace. annotations, by_label: as `names.Told` has them."""

    container_id: str
    pid: int
    names: Names
    annotations: Mapping[str, str]
    by_label: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Target:
    """A cgroup to record. cgroup: its path as in /proc/PID/cgroup. pid: its first process, 0: none that is known.

    annotations, by_label: as `names.Told` has them.
    """

    cgroup: str
    names: Names
    container_id: str = ""
    pid: int = 0
    annotations: Mapping[str, str] = field(default_factory=dict)
    by_label: frozenset[str] = frozenset()
