# SPDX-License-Identifier: Apache-2.0
"""The real daemon's messages to the journal, byte by byte, and its notifications to systemd; both without a systemd."""

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from recorded_cgroups import Cgroup

from traceloop_daemon.recording import journal

pytestmark = pytest.mark.installed

BIN = Path(sys.executable).parent
DAEMON = Path(journal.__file__).parents[1]
CATALOG = Path(__file__).parents[2] / "systemd/traceloop.catalog"
IDS = {name: value for name, value in vars(journal).items() if re.fullmatch(r"[0-9a-f]{32}", str(value))}
# Gives the daemon a /run of its own, in which the test owns the journal's socket
ENTER = (
    'mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal && ln -s "$0" /run/systemd/journal/socket && exec "$@"'
)
EVIL = "p\nPRIORITY=0\nMESSAGE=forged\n\n\x1b[2J\ud800"
ENTER_CGROUP = 'echo $$ >"$0/cgroup.procs"; echo; read x; eval "$1"'


def parse(message):
    """Parses an entry into its fields: systemd.io, "Native Journal Protocol"."""
    fields = []
    while message:
        name, _, rest = message.partition(b"\n")
        if b"=" in name:
            name, _, value = name.partition(b"=")
            message = rest
        else:
            size = int.from_bytes(rest[:8], "little")
            value, message = rest[8 : 8 + size], rest[8 + size :]
            assert message[:1] == b"\n"
            message = message[1:]
        fields.append((name.decode(), value))
    assert len(fields) == len(dict(fields)), fields
    return dict(fields)


class JournalDaemon:
    """A traceloopd whose stderr looks to it like the journal's."""

    def __init__(self, directory):
        self.runtime_dir = directory / "run"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(directory / "journal"))
        self._socket.settimeout(60)
        self.stderr, stream = os.pipe()
        status = os.fstat(stream)
        unshare = ["unshare", "--mount", "--propagation=private", "sh", "-euc", ENTER, directory / "journal"]
        words = [*unshare, BIN / "traceloopd", "--runtime-dir", self.runtime_dir, "--state-dir", directory / "state"]
        env = os.environ | {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        self.process = subprocess.Popen(words, stderr=stream, env=env)
        os.close(stream)

    def entry(self, message_id):
        while True:
            fields = parse(self._socket.recv(1 << 20))
            if fields.get("MESSAGE_ID", b"").decode() == message_id:
                return fields

    def hook(self, stage, state):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.runtime_dir / "hook.sock"))
            client.sendall(stage.encode() + b"\n" + json.dumps(state).encode())
            client.shutdown(socket.SHUT_WR)
            return client.recv(4096).decode()

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0
        self._socket.close()
        said = os.read(self.stderr, 4096)
        os.close(self.stderr)
        assert said == b""


@pytest.fixture(scope="module")
def daemon():
    with tempfile.TemporaryDirectory(prefix="tl-journal-") as directory:
        daemon = JournalDaemon(Path(directory))
        try:
            while not parse(daemon._socket.recv(1 << 20))["MESSAGE"].startswith(b"ready"):
                pass
            yield daemon
            daemon.close()
        finally:
            daemon.process.kill()
            daemon.process.wait()


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("script", "ends", "priority"),
    [
        ("exit 42", {"EXIT_CODE": b"42", "REASON": b"exited with 42"}, b"3"),
        ("kill -KILL $$", {"SIGNAL": b"9", "REASON": b"killed by SIGKILL"}, b"3"),
        ("kill -TERM $$", {"SIGNAL": b"15", "REASON": b"killed by SIGTERM"}, b"5"),
        ("exit 0", {"EXIT_CODE": b"0", "REASON": b"exited with 0"}, b"6"),
    ],
    ids=["exit", "signal", "request", "well"],
)
def test_a_containers_entries(daemon, script, ends, priority):
    annotations = {
        "io.kubernetes.cri.sandbox-name": EVIL,
        "io.kubernetes.cri.sandbox-namespace": "shop",
        "io.kubernetes.cri.container-name": "c",
    }
    name = f"c-{ends['REASON'].decode()}"
    with Cgroup() as cgroup:
        process = subprocess.Popen(
            ["sh", "-c", ENTER_CGROUP, cgroup.path, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        with process:
            process.stdout.readline()
            assert daemon.hook("start", {"id": name, "pid": process.pid, "annotations": annotations}) == "ok\n"
            process.stdin.write(b"go\n")
        started, frozen = daemon.entry(journal.RECORDING_STARTED), daemon.entry(journal.TRACE_FROZEN)
    for entry in (started, frozen):
        assert entry["POD"] == EVIL.encode(errors="backslashreplace")
        assert entry["NAMESPACE"] == b"shop"
        assert entry["CONTAINER_ID"] == name.encode()
        assert entry["CONTAINER"] == b"c"
        assert entry["NAME"] == f"shop/{EVIL}/c".encode(errors="backslashreplace")
        assert re.fullmatch(rb"[ -~]+", entry["MESSAGE"])
        assert entry["TRACELOOP_ID"] in entry["MESSAGE"]
    assert (started["PRIORITY"], frozen["PRIORITY"]) == (b"6", priority)
    assert frozen["MESSAGE"].endswith(b"; " + ends["REASON"])
    assert not started.keys() & {"EVENTS", "LOST", "EXIT_CODE", "SIGNAL", "REASON"}
    assert int(frozen["EVENTS"]) > 0
    assert frozen["LOST"] == b"0"
    assert {field: frozen[field] for field in ("EXIT_CODE", "SIGNAL", "REASON") if field in frozen} == ends


@pytest.mark.kernel
def test_a_refused_hook_is_a_warning(daemon):
    cases = ("start", {"id": "x", "pid": EVIL}, range(1, 4097)), ("stop", {"id": "x", "pid": "y" * 5000}, (4099,))
    for stage, state, length in cases:
        assert daemon.hook(stage, state).startswith("error: ")
        entry = daemon.entry(journal.HOOK_REFUSED)
        assert entry["PRIORITY"] == b"4"
        assert re.fullmatch(rb"[ -~]+", entry["MESSAGE"])
        assert len(entry["MESSAGE"]) in length


def test_every_id_is_explained_and_nothing_else():
    text = CATALOG.read_text()
    entries = dict(re.findall(r"^-- ([0-9a-f]{32})\n((?:.+\n)*\n(?:(?!-- ).*\n?)*)", text, re.MULTILINE))
    assert set(entries) == set(IDS.values())
    assert len(IDS) >= 7
    for body in entries.values():
        head, _, rest = body.partition("\n\n")
        assert [line.partition(":")[0] for line in head.splitlines()] == ["Subject", "Defined-By", "Documentation"]
        assert len(rest.split()) > 10
        assert set(re.findall("@([A-Z_]+)@", body)) <= set(journal.FIELDS)
    sources = [path.read_text() for path in DAEMON.rglob("*.py") if path.name != "journal.py"]
    for name in IDS:  # imported and used, or used through the module
        used = max(len(re.findall(rf"\b{name}\b", text)) + text.count(f"journal.{name}") for text in sources)
        assert used >= 2, f"nothing is logged as {name}"


TELLS = """
import os, subprocess, sys
from traceloop_daemon.system.loop import Loop
from traceloop_daemon.system.systemd import ServiceManager

os.environ["WATCHDOG_PID"] = str(os.getpid())
manager, loop = ServiceManager(), Loop()
subprocess.run([sys.executable, "-c", "import os; print(sorted(os.environ))"], env={**os.environ}, check=True)
statuses = iter(["one", "one", "two", "two"])

def status():
    text = next(statuses, None)
    if text is None:
        loop.stop()
    return text or "two"

manager.starting("this")
manager.ready(loop, status)
loop.run()
manager.stopping()
"""


def test_systemd_is_told_and_children_are_not_its_business():
    pytest.importorskip("systemd", reason="systemd-python comes from the distribution alone")
    with (
        tempfile.TemporaryDirectory(prefix="tl-notify-") as directory,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify,
    ):
        notify.bind(f"{directory}/notify")
        env = os.environ | {"NOTIFY_SOCKET": f"{directory}/notify", "WATCHDOG_USEC": "400000", "LISTEN_PID": "1"}
        ended = subprocess.run(
            [sys.executable, "-c", TELLS], env=env, capture_output=True, text=True, timeout=60, check=True
        )
        assert "PATH" in ended.stdout
        assert not re.search("NOTIFY|WATCHDOG|LISTEN", ended.stdout)
        told = []
        while select.select([notify], [], [], 0)[0]:
            told.append(notify.recv(4096).decode())
    assert told[:2] == ["STATUS=starting: this", "READY=1\nSTATUS=one"]
    later = "\n".join(told[2:-1]).splitlines()
    assert later.count("STATUS=two") == 1
    assert set(later) == {"STATUS=two", "WATCHDOG=1"}
    assert told[-1] == "STOPPING=1\nSTATUS=stopping"
