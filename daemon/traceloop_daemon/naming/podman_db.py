# SPDX-License-Identifier: Apache-2.0
"""Looks one container up in podman's database, by its id, so that the database's size does not matter.

podman stores JSON of each container and each pod (libpod: container_config.go, pod.go) below the storage's root. Since
4.5 the database is SQLite, ``db.sql`` (sqlite_state_internal.go); older versions, and newer ones that found such a
database, use bbolt, ``libpod/bolt_state.db`` (boltdb_state_internal.go). This module writes nothing and hardly waits
for podman: while podman writes, the caller is told so. A file that users other than root may have written is not read
(`trusted_files`).
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from traceloop_daemon.errors import EngineBusy, UntrustedFile
from traceloop_daemon.naming import bolt
from traceloop_daemon.system.trusted_files import opened

_SQLITE: Final = "db.sql"
_BOLT: Final = "libpod/bolt_state.db"
_QUERY: Final = (
    "SELECT c.JSON, CASE WHEN length(p.JSON) <= ?2 THEN p.JSON END "
    "FROM ContainerConfig c LEFT JOIN PodConfig p ON p.ID = c.PodID "
    "WHERE c.ID = ?1 AND length(c.JSON) <= ?2"
)
_HEADER_BYTES: Final = 20
_READ_VERSION_AT: Final = 19  # sqlite.org/fileformat.html, "The Database Header"
_LOGGED: Final = b"\2"
_JSON_MAX_BYTES: Final = 4 << 20
_BUSY_S: Final = 0.05
_STEPS_MAX: Final = 10_000  # instructions of SQLite's virtual machine; this query takes less than a hundred
_PRIMARY: Final = 0xFF  # of SQLite's error codes; the rest says more of the same error
_LOCKED: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_turn: Final = threading.Lock()
"""Held by the thread that has the database open: closing any descriptor of a file ends all locks that this process has
on it (fcntl_locking(2)), also those by which SQLite keeps podman from writing while another thread reads."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """A container in the database. config: podman's JSON of it. pod: podman's JSON of its pod; empty without a pod."""

    config: Mapping[str, Any]
    pod: Mapping[str, Any]


def find(root: Path, container_id: str) -> Found | None:
    """Finds a container of the storage at `root`; returns None if it is not there or cannot be read.

    Raises EngineBusy.
    """
    try:
        texts = _in_sqlite(root / _SQLITE, container_id) or _in_bolt(root / _BOLT, container_id)
    except UntrustedFile as error:
        _log.warning("%s", error)
        return None
    if texts is None:
        return None
    config, pod = map(_object, texts)
    return Found(config, pod) if config.get("id") == container_id else None


def _in_sqlite(path: Path, container_id: str) -> tuple[bytes, bytes] | None:
    if not _turn.acquire(timeout=_BUSY_S):
        raise EngineBusy(f"{path} is being read for another container")
    try:
        uri = f"file:{quote(os.fsencode(path))}?{_how_to_open(path)}"
        with closing(sqlite3.connect(uri, timeout=_BUSY_S, uri=True)) as data_base:
            data_base.set_progress_handler(lambda: 1, _STEPS_MAX)
            row = data_base.execute(_QUERY, (container_id, _JSON_MAX_BYTES)).fetchone()
            return (_bytes(row[0]), _bytes(row[1])) if row else None
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & _PRIMARY in _LOCKED:
            raise EngineBusy(f"{path} is being written: {error}") from error
        return None
    except OSError:
        return None
    finally:
        _turn.release()


def _how_to_open(path: Path) -> str:
    # A database in write-ahead-log mode (podman 4.5 to 4.7) that has no log is complete, and no process has it open.
    # SQLite would create the log however it opens the file (sqlite.org/wal.html, "Read-Only Databases"), so it is told
    # that the file is immutable. SQLite opens the file by its path, which still leads to the file checked here: only
    # root can have changed the path.
    with opened(path) as fd:
        logged = os.read(fd, _HEADER_BYTES)[_READ_VERSION_AT:] == _LOGGED
    return "immutable=1" if logged and not Path(f"{path}-wal").exists() else "mode=ro&readonly_shm=1"


def _in_bolt(path: Path, container_id: str) -> tuple[bytes, bytes] | None:
    try:
        with opened(path) as fd:
            config = bolt.get(fd, (b"ctr", container_id.encode(), b"config"))
            if config is None:
                return None
            pod_id = str(_object(config).get("pod") or "")
            return config, (pod_id and bolt.get(fd, (b"pod", pod_id.encode(), b"config"))) or b""
    except (OSError, bolt.BoltError, UnicodeEncodeError):
        return None


def _bytes(value: object) -> bytes:
    # podman stores its JSON as bytes, which other programs may convert to text.
    return value if isinstance(value, bytes) else str(value or "").encode()


def _object(text: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
