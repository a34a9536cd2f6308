# SPDX-License-Identifier: Apache-2.0
"""traceloop-ship's units under a real systemd: a trace is shipped when it is archived, and the last ones at shutdown."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from archives import INFO, encoded_snapshot
from lab.installed import add_users, install
from lab.service import Service
from lab.systemd import Systemd

from traceloop_decode.archive_file import pack

pytestmark = [pytest.mark.kernel, pytest.mark.systemd, pytest.mark.engine("rclone")]
SHIP = "traceloop-ship.service"
FILE = "node1_default_mypod.trace"
WAIT_S = 60


@pytest.fixture
def lab():
    with Systemd() as lab:
        install(lab)
        yield lab


def configure(lab):
    """Makes a directory that outlives the lab the store; the units see it as /mnt."""
    store = lab.shared / "store"
    store.mkdir()
    store.chmod(0o777)
    lab.write("/etc/traceloop/ship.toml", 'to = ":local:/mnt"\ncluster = "lab"\n')
    lab.write("/etc/traceloop/rclone.conf", "", mode=0o640)
    lab.run("chgrp", "traceloop-ship", "/etc/traceloop/rclone.conf")
    for unit in (SHIP, "traceloop-ship-last.service"):
        lab.write(f"/etc/systemd/system/{unit}.d/test.conf", f"[Service]\nBindPaths={store}:/mnt\n")
    lab.run("systemctl", "daemon-reload")
    return store


def shipped(store: Path, name: str) -> Path:
    """Waits by polling for an object, which rclone renames into place."""
    end = time.monotonic() + WAIT_S
    while not (found := [path for path in store.rglob(name) if path.is_file()]):
        assert time.monotonic() < end, f"{name} was not shipped"
        time.sleep(0.05)
    return found[0]


def test_a_trace_is_shipped_when_it_is_archived_or_when_the_timer_finds_it(lab):
    store = configure(lab)
    lab.run("systemctl", "enable", "--now", "traceloop-ship.path")
    file = pack(INFO, encoded_snapshot())
    (lab.shared / "file").write_bytes(file)
    put = f"install -o traceloop -g traceloop -m 640 {lab.shared}/file /var/lib/traceloop/.new && mv /var/lib/traceloop/.new /var/lib/traceloop/{FILE}"
    lab.run("sh", "-euc", put)
    object_ = shipped(store, FILE)
    assert object_.read_bytes() == file
    assert object_.relative_to(store).parts[:3] == ("lab", "2023-11-14", "node1")
    assert lab.run("stat", "-c", "%U", "/var/lib/traceloop-ship/shipped").stdout == "traceloop-ship\n"
    state = json.loads(lab.run("cat", "/var/lib/traceloop-ship/state.json").stdout)
    assert (state["traces"], state["waiting"], state["error"]) == (1, 0, "")
    lab.run("rm", "/var/lib/traceloop-ship/shipped")
    object_.unlink()
    lab.run("systemctl", "start", "traceloop-ship.timer")  # some seconds later it finds that a trace waits
    shipped(store, FILE)
    security = lab.run("systemd-analyze", "security", "--no-pager", SHIP).stdout.splitlines()[-1]
    assert float(security.split(": ")[1].split()[0]) < 3, security


def test_nothing_runs_unless_it_is_set_up(lab):
    lab.run("systemctl", "start", "traceloop-ship.path", "traceloop-ship-last.service", SHIP)
    assert "ConditionResult=no" in lab.run("systemctl", "show", "-p", "ConditionResult", SHIP).stdout


def test_the_last_traces_are_shipped_at_shutdown(lab):
    store = configure(lab)
    add_users(lab)
    lab.run("systemctl", "enable", "--now", "traceloop-ship-last.service", "traceloopd.service")
    with Service(lab).container("0123456789abcdef"):
        lab.run("systemctl", "poweroff", check=False)
        object_ = shipped(store, "*.trace")
    assert object_.relative_to(store).parts[0] == "lab"
