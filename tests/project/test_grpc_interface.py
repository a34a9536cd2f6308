# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F401, F811 - fixtures
"""The gRPC interface for other programs: it only grows, and the clients in docs/grpc.md work."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fake_daemon import daemon, path
from proto_surface import KEPT, breaks, surface

from traceloop_proto import traceloop_pb2 as pb

ROOT = Path(__file__).parents[2]
CLIENTS = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/grpc.md").read_text(), re.MULTILINE | re.DOTALL)


def test_nothing_that_clients_rely_on_has_changed():
    kept = json.loads(KEPT.read_text())
    assert not breaks(kept, surface()), "this breaks clients"
    assert surface() == kept, "`make proto` keeps what is new"


@pytest.mark.parametrize(
    ("name", "now"),
    [
        ("Trace.id", None),
        ("Trace.id", "2 optional string"),
        ("Trace.id", "1 optional bytes"),
        ("Trace.exit_code", "12 optional int32"),  # without presence
        ("State.STATE_FROZEN", "3"),
        ("Recorder.Snapshot", ".traceloop.v1.TraceRequest -> .traceloop.v1.SnapshotChunk"),
    ],
)
def test_a_change_that_breaks_clients_is_found(name, now):
    kept = surface()
    assert name in kept
    changed = {key: value for key, value in kept.items() if key != name} | ({name: now} if now else {})
    assert breaks(kept, changed) == [f"{name}: {kept[name]!r} became {now!r}"]
    assert breaks(changed, kept | {"Trace.more": "99 optional string"}) == (
        [f"{name}: {now!r} became {kept[name]!r}"] if now else []
    )


def test_the_page_names_every_method():
    page = (ROOT / "docs/grpc.md").read_text()
    assert all(f"`{method.name}`" in page for method in pb.DESCRIPTOR.services_by_name["Recorder"].methods)


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "node1_default_mypod mypod exit code 1, signal 0"), (1, "TaskExit(")]
)
def test_clients_of_the_page_work(daemon, path, number, shown):
    text = CLIENTS[number].replace("/run/traceloop/traceloop.sock", str(path))
    assert len(text.splitlines()) <= 12
    ended = subprocess.run(
        [sys.executable, "-c", text],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"PYTHONPATH": ":".join(sys.path)},
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert shown in ended.stdout


def test_the_client_that_follows_is_told_of_each_end(daemon, path, monkeypatch):
    assert len(CLIENTS) == 3
    changes = [pb.Change(kind=pb.CHANGE_KIND_READY), pb.Change(kind=pb.CHANGE_KIND_FROZEN, trace=daemon.traces[0])]
    printed = []
    namespace = {"print": lambda *words: printed.append(words)}
    monkeypatch.setattr("traceloop_proto.traceloop_pb2_grpc.RecorderStub", lambda _channel: Following(changes))
    exec(CLIENTS[2], namespace)
    assert printed == [("node1_default_mypod", "has ended")]


class Following:
    def __init__(self, changes):
        self.Watch = lambda _request: iter(changes)
