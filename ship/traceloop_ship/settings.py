# SPDX-License-Identifier: Apache-2.0
"""Reads ship.toml."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from traceloop_ship.errors import ShipError

_TO: Final = re.compile(r":?[^-:\s][^:]*:.*")  # rclone would take a leading - for an option
_BANDWIDTH: Final = re.compile(r"off|[0-9]+(\.[0-9]+)?[KMG]?")


@dataclass(frozen=True, slots=True)
class Settings:
    """The keys of the file. to: REMOTE:PREFIX, as rclone takes it. cluster: the first part of each key.

    bandwidth: bytes a second, with K, M or G, or ``off``. archive: the daemon's directory of traces. textfile: a file
    for node_exporter; none if empty.
    """

    to: str
    cluster: str = "default"
    bandwidth: str = "4M"
    archive: str = "/var/lib/traceloop"
    textfile: str = ""


def read(path: Path) -> Settings:
    """Reads a file. Raises ShipError."""
    try:
        values = tomllib.loads(path.read_text())
    except OSError as error:
        raise ShipError(f"cannot read {path}: {error.strerror}; traceloop-ship(8) describes it") from error
    except ValueError as error:
        raise ShipError(f"{path}: {error}") from error
    known = {one.name for one in fields(Settings)}
    for name, value in values.items():
        if name not in known:
            raise ShipError(f"{path}: unknown key {name}; there are {', '.join(sorted(known))}")
        if not isinstance(value, str):
            raise ShipError(f"{path}: {name} must be a string")
    if not _TO.fullmatch(values.get("to", "")):
        raise ShipError(f'{path}: to must be an rclone remote and a prefix, such as to = "store:traces"')
    settings = Settings(**values)
    if not _BANDWIDTH.fullmatch(settings.bandwidth):
        raise ShipError(f'{path}: bandwidth must be bytes a second, such as "512K" or "4M", or "off"')
    return settings
