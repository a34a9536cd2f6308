# SPDX-License-Identifier: Apache-2.0
"""Records a process of its own, as a container is recorded, and looks for what it did.

The process waits in a cgroup of its own until the hook has registered it, writes a file whose name nothing else has,
and ends. The file's name is kept under every capture policy. Afterwards trace, cgroup and file are removed.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from traceloop_cli.checks.kernel import cgroup_mount
from traceloop_cli.checks.model import Machine
from traceloop_cli.errors import CliError, Failed
from traceloop_cli.findings import Finding, Level
from traceloop_cli.sources.archive_files import snapshot
from traceloop_cli.sources.client import control_address, recorder
from traceloop_decode.events import events
from traceloop_decode.text import short
from traceloop_proto.recorder_pb2 import AddRequest, ListRequest, TraceRequest

AREA: Final = "self-test"
_WHY: Final = "this is how containers are recorded"
_DEADLINE_S: Final = 10
_SCRIPT: Final = 'read -r _ && echo recorded >"$0"'


def findings(machine: Machine) -> Iterator[Finding]:
    """Of that recording."""
    if not machine.is_root:
        yield Finding(AREA, Level.UNKNOWN, "whether a process is recorded: that takes root")
        return
    mount = cgroup_mount(machine)
    if mount is None:
        yield Finding(AREA, Level.UNKNOWN, "not tried: there is no cgroup of version 2 to record")
        return
    name = f"traceloop-doctor-{secrets.token_hex(6)}"
    try:
        with _cgroup(mount / name) as cgroup, tempfile.TemporaryDirectory(prefix="traceloop-") as scratch:
            yield _recorded(machine, cgroup, Path(scratch) / name)
    except OSError as error:
        remedy = "journalctl -u traceloopd -n 20"
        yield Finding(AREA, Level.ERROR, f"it could not be done: {error}", _WHY, remedy)


@contextmanager
def _cgroup(path: Path) -> Iterator[Path]:
    path.mkdir()
    try:
        yield path
    finally:
        path.rmdir()


def _recorded(machine: Machine, cgroup: Path, marker: Path) -> Finding:
    process = subprocess.Popen(
        ["/bin/sh", "-c", _SCRIPT, marker], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    trace_id = ""
    try:
        (cgroup / "cgroup.procs").write_text(str(process.pid))
        trace_id, way = _register(machine, cgroup, process.pid)
        process.communicate(b"\n", timeout=_DEADLINE_S)
        line = _line(machine.address, trace_id, marker.name)
    except (CliError, subprocess.SubprocessError) as error:
        remedy = "journalctl -u traceloopd -n 20; mend what is said above first"
        return Finding(AREA, Level.ERROR, str(error), _WHY, remedy)
    finally:
        process.kill()
        process.wait()
        left = _close(machine.address, trace_id)
    if left:
        return Finding(
            AREA, Level.WARNING, f"recorded, but {left}", "its trace is left", f"traceloopctl close {trace_id}"
        )
    return Finding(AREA, Level.OK, f"a process was registered by {way}, and its trace has the line: {line}")


def _register(machine: Machine, cgroup: Path, pid: int) -> tuple[str, str]:
    # The trace's id, and how.
    hook = machine.host.path(machine.host.hook)
    if not os.access(hook, os.X_OK):
        with recorder(control_address(machine.address)) as daemon:
            added = daemon.Add(AddRequest(cgroup=str(cgroup), name=cgroup.name), timeout=_DEADLINE_S)
        return str(added.id), "traceloopctl add"
    annotations = {"io.traceloop.record": "true"}
    state = {"ociVersion": "1.0.2", "id": cgroup.name, "status": "created", "pid": pid, "annotations": annotations}
    ended = subprocess.run(
        [hook, "start", "--socket", machine.hook_socket, "--deadline", str(_DEADLINE_S)],
        input=json.dumps(state),
        capture_output=True,
        text=True,
        timeout=2 * _DEADLINE_S,
        check=False,
    )
    if ended.returncode or ended.stderr:
        raise Failed(f"the hook did not register it: {' '.join(ended.stderr.split()) or ended.returncode}")
    with recorder(machine.address) as daemon:
        traces = daemon.List(ListRequest(), timeout=_DEADLINE_S).traces
    found = next((trace.id for trace in traces if trace.container_id == cgroup.name), None)
    if found is None:
        raise Failed("the hook was answered, and nothing is recorded: do [record]'s settings leave it out?")
    return str(found), "the hook"


def _line(address: str, trace_id: str, marker: str) -> str:
    with recorder(address) as daemon:
        chunks = daemon.Snapshot(TraceRequest(id=trace_id), timeout=_DEADLINE_S)
        encoded = b"".join(chunk.data for chunk in chunks)
    taken = snapshot(encoded, f"trace {trace_id}")
    line = next((line for line in short.lines(events(taken), taken) if marker in line), None)
    if line is None:
        raise Failed("it was registered, and its trace does not have what it did")
    return line


def _close(address: str, trace_id: str) -> str:
    # What went wrong.
    if trace_id:
        try:
            with recorder(control_address(address)) as daemon:
                daemon.Close(TraceRequest(id=trace_id), timeout=_DEADLINE_S)
        except CliError as error:
            return str(error)
    return ""
