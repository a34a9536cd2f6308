# SPDX-License-Identifier: Apache-2.0
"""Databases like podman's with one known container among others: in SQLite, and as a bbolt file."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from bolt_writer import Tree, write_bolt

ID, POD_ID = "0123456789abcdef" * 4, "0f" * 32
CONFIG = {"id": ID, "name": "web", "pod": POD_ID, "labels": {"app": "shop"}}
POD = {"id": POD_ID, "name": "mypod"}
TABLES = """
CREATE TABLE PodConfig(ID TEXT PRIMARY KEY NOT NULL, Name TEXT UNIQUE NOT NULL, JSON TEXT NOT NULL);
CREATE TABLE ContainerConfig(
    ID TEXT PRIMARY KEY NOT NULL, Name TEXT UNIQUE NOT NULL, PodID TEXT, JSON TEXT NOT NULL,
    FOREIGN KEY (PodID) REFERENCES PodConfig(ID)
);
"""


def others(count: int) -> list[dict[str, Any]]:
    return [{"id": f"{number:064x}", "name": f"other-{number}", "filler": "x" * 3000} for number in range(count)]


def in_sqlite(root: Path, *, count: int = 50, mode: str = "DELETE") -> sqlite3.Connection:
    """Makes the database as podman does, and returns it open."""
    data_base = sqlite3.connect(root / "db.sql")
    data_base.execute(f"PRAGMA journal_mode = {mode}")
    data_base.executescript(TABLES)
    data_base.execute("INSERT INTO PodConfig VALUES (?, ?, ?)", (POD_ID, "mypod", json.dumps(POD).encode()))
    for config in [*others(count), CONFIG]:
        row = config["id"], config["name"], config.get("pod"), json.dumps(config).encode()
        data_base.execute("INSERT INTO ContainerConfig VALUES (?, ?, ?, ?)", row)
    data_base.commit()
    return data_base


def in_bolt(root: Path, *, count: int = 50, **how: Any) -> Path:
    containers: Tree = {
        config["id"].encode(): {b"config": json.dumps(config).encode(), b"state": b"{}", b"dependencies": {}}
        for config in [*others(count), CONFIG]
    }
    path = root / "libpod/bolt_state.db"
    pods: Tree = {POD_ID.encode(): {b"config": json.dumps(POD).encode()}}
    write_bolt(path, {b"all-ctrs": {}, b"ctr": containers, b"pod": pods}, **how)
    return path
