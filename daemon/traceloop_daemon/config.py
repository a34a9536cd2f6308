# SPDX-License-Identifier: Apache-2.0
"""The daemon's settings: their names, units and defaults, and how a file changes them."""

from __future__ import annotations

import difflib
import socket
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path

from traceloop_daemon.archive import MEMORY_MAX_BYTES
from traceloop_daemon.errors import ConfigError
from traceloop_daemon.retention import MAX_AGE_S, MAX_TRACES, Limits


@dataclass(frozen=True, slots=True)
class Config:
    """Each field is a key of the TOML file.

    node: how this node is called in trace ids. ring_size: bytes of one container's ring, rounded up to a power of two
    that serves all CPUs. item_max: most bytes kept of one string or buffer. call_max: of all that one call points at.
    pool_size: empty rings kept ready. max_use, keep_free, max_age, max_traces: of the archive, in bytes and seconds, as
    `retention` says; 0 bytes: that share of the file system. memory_max: bytes of packed traces that wait in memory
    while the archive cannot be written. record_sandboxes: also record pods' pause containers.
    """

    node: str = field(default_factory=socket.gethostname)
    ring_size: int = 1 << 20
    item_max: int = 256
    call_max: int = 1024
    pool_size: int = 8
    max_use: int = 0
    keep_free: int = 0
    max_age: int = MAX_AGE_S
    max_traces: int = MAX_TRACES
    memory_max: int = MEMORY_MAX_BYTES
    record_sandboxes: bool = False

    @property
    def limits(self) -> Limits:
        """What the archive may hold."""
        return Limits(self.max_use or None, self.keep_free or None, self.max_age, self.max_traces)

    @classmethod
    def read(cls, path: Path) -> Config:
        """The settings in a file. Raises ConfigError: the file cannot be read, or a key is unknown or wrong."""
        try:
            values = tomllib.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path}: {error}") from error
        defaults = cls()
        for key, value in values.items():
            if key not in {known.name for known in fields(cls)}:
                near = difflib.get_close_matches(key, [known.name for known in fields(cls)], 1)
                hint = f": did you mean {near[0]}?" if near else ""
                raise ConfigError(f"{path}: unknown key {key}{hint}")
            wanted = type(getattr(defaults, key))
            if type(value) is not wanted or (wanted is int and value <= 0) or value == "":
                raise ConfigError(f"{path}: {key} = {value!r} is not {_WANTED[wanted]}")
        return cls(**values)


_WANTED: dict[type, str] = {int: "a number above 0", str: "a string in quotes", bool: "true or false"}
