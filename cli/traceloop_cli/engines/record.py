# SPDX-License-Identifier: Apache-2.0
"""What `enable` changed on this host, so that `disable` can undo it to the byte.

``/etc/traceloop/engines/<engine>.json`` names each changed file with the digest of what was put there, and what it was
before: a copy beside the record, or nothing. It lies in /etc, which root alone may write, and not with the daemon's
state: who could change it could have root write any file.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from traceloop_cli.engines import files
from traceloop_cli.engines.host import Host
from traceloop_cli.errors import Failed

DIRECTORY: Final = Path("/etc/traceloop/engines")


@dataclass(frozen=True, slots=True)
class Changed:
    """One file. after: the SHA-256 of what was put there. backup: the copy of what was there before, None: nothing."""

    path: Path
    after: str
    backup: Path | None


@dataclass(frozen=True, slots=True)
class Record:
    """The changes in the order in which they were made, and the directories that were made for them."""

    engine: str
    changed: list[Changed] = field(default_factory=list)
    directories: list[Path] = field(default_factory=list)
    default: bool = False

    def of(self, path: Path) -> Changed | None:
        """What is known of a file."""
        return next((changed for changed in self.changed if changed.path == path), None)


def digest(content: bytes) -> str:
    """As records have it."""
    return hashlib.sha256(content).hexdigest()


def backup_path(engine: str, path: Path) -> Path:
    """Where the copy of a file goes. No engine reads it there, whatever its name ends with."""
    return DIRECTORY / f"{engine}.before" / str(path).strip("/").replace("/", "%")


def load(host: Host, engine: str) -> Record | None:
    """An engine's record, None where it was never enabled here. Raises Failed."""
    path = DIRECTORY / f"{engine}.json"
    data = host.read(path)
    if data is None:
        return None
    try:
        value = json.loads(data)
        return Record(
            engine,
            [
                Changed(Path(one["path"]), str(one["sha256"]), Path(one["backup"]) if one["backup"] else None)
                for one in value["changed"]
            ],
            [Path(one) for one in value["directories"]],
            bool(value["default"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Failed(f"{path} is damaged ({error!r}): undo by hand what it names, then remove it") from error


def save(host: Host, record: Record) -> list[Path]:
    """Writes a record; returns the directories that were made for it. Raises Failed."""
    value = {
        "changed": [
            {"path": str(one.path), "sha256": one.after, "backup": str(one.backup) if one.backup else None}
            for one in record.changed
        ],
        "directories": [str(path) for path in record.directories],
        "default": record.default,
    }
    text = json.dumps(value, indent=2) + "\n"
    return files.write(host.path(DIRECTORY / f"{record.engine}.json"), text.encode())


def forget(host: Host, record: Record) -> None:
    """Removes a record and its copies. Raises Failed."""
    for changed in record.changed:
        if changed.backup is not None:
            files.remove(host.path(changed.backup))
    files.remove(host.path(DIRECTORY / f"{record.engine}.json"))
    own = [DIRECTORY.parent, DIRECTORY, DIRECTORY / f"{record.engine}.before"]
    files.remove_directories([host.path(path) for path in (*own, *record.directories)])
