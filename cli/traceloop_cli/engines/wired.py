# SPDX-License-Identifier: Apache-2.0
"""Records what `enable` changed on this host, so that `disable` can undo it to the byte.

``/etc/traceloop/engines/<engine>.json`` names each changed file, the digest of its new content, and the copy of its old
content beside the record, if there was a file. Records are in /etc, which only root may write, and not in the daemon's
state directory: whoever can change a record can make root write any file.
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
    """A changed file. after: the SHA-256 of its new content. backup: the copy of the old one, None for a new file."""

    path: Path
    after: str
    backup: Path | None


@dataclass(frozen=True, slots=True)
class Wired:
    """An engine's changes, in the order in which they were made, and the directories that were created for them."""

    engine: str
    changed: list[Changed] = field(default_factory=list)
    directories: list[Path] = field(default_factory=list)
    default: bool = False

    def of(self, path: Path) -> Changed | None:
        """Returns the entry for a file, None if there is none."""
        return next((changed for changed in self.changed if changed.path == path), None)


def digest(content: bytes) -> str:
    """Returns the SHA-256 of a content, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def backup_path(engine: str, path: Path) -> Path:
    """Returns the path for a file's copy. No engine reads that directory, so the copy may keep its suffix."""
    return DIRECTORY / f"{engine}.before" / str(path).strip("/").replace("/", "%")


def load(host: Host, engine: str) -> Wired | None:
    """Returns an engine's record, None if it is not enabled here. Raises Failed."""
    path = DIRECTORY / f"{engine}.json"
    data = host.read(path)
    if data is None:
        return None
    try:
        value = json.loads(data)
        return Wired(
            engine,
            [
                Changed(Path(one["path"]), str(one["sha256"]), Path(one["backup"]) if one["backup"] else None)
                for one in value["changed"]
            ],
            [Path(one) for one in value["directories"]],
            bool(value["default"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Failed(
            f"{path} is damaged ({error!r}): undo the changes that it names by hand, then remove it"
        ) from error


def save(host: Host, wired: Wired) -> list[Path]:
    """Writes a record; returns the directories that were created for it. Raises Failed."""
    value = {
        "changed": [
            {"path": str(one.path), "sha256": one.after, "backup": str(one.backup) if one.backup else None}
            for one in wired.changed
        ],
        "directories": [str(path) for path in wired.directories],
        "default": wired.default,
    }
    text = json.dumps(value, indent=2) + "\n"
    return files.write(host.path(DIRECTORY / f"{wired.engine}.json"), text.encode())


def forget(host: Host, wired: Wired) -> None:
    """Removes what `save` wrote, with the copies. Raises Failed."""
    for changed in wired.changed:
        if changed.backup is not None:
            files.remove(host.path(changed.backup))
    files.remove(host.path(DIRECTORY / f"{wired.engine}.json"))
    own = [DIRECTORY.parent, DIRECTORY, DIRECTORY / f"{wired.engine}.before"]
    files.remove_directories([host.path(path) for path in (*own, *wired.directories)])
