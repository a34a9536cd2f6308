# SPDX-License-Identifier: Apache-2.0
"""The daemon's settings: their names, units and defaults, and how a file changes them."""

from __future__ import annotations

import difflib
import socket
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path

from traceloop_daemon.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Config:
    """Each field is a key of the TOML file.

    node: how this node is called in trace ids. ring_size: bytes of one container's ring, rounded up to a power of two
    that serves all CPUs. item_max: most bytes kept of one string or buffer. call_max: of all that one call points at.
    pool_size: empty rings kept ready. archive_max_bytes: of ended containers' traces in memory, compressed.
    record_sandboxes: also record pods' pause containers.
    """

    node: str = field(default_factory=socket.gethostname)
    ring_size: int = 1 << 20
    item_max: int = 256
    call_max: int = 1024
    pool_size: int = 8
    archive_max_bytes: int = 256 << 20
    record_sandboxes: bool = False

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
