# SPDX-License-Identifier: Apache-2.0
"""Records a test process as a container would be recorded, and looks for its calls in the trace.

The process waits in a new cgroup until the hook has registered it, writes a file with a unique name, and exits. Every
capture policy keeps file names. Afterwards the trace, the cgroup and the file are removed.
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
from traceloop_cli.sources.addresses import control_address
from traceloop_cli.sources.archive_files import snapshot
from traceloop_cli.sources.client import connected
from traceloop_decode.events import events
from traceloop_decode.text import short
from traceloop_proto.traceloop_pb2 import AddRequest, ListRequest, TraceRequest

AREA: Final = "self-test"
_WHY: Final = "containers are recorded in the same way"
_DEADLINE_S: Final = 10
_SCRIPT: Final = 'read -r _ && echo recorded >"$0"'


def findings(machine: Machine) -> Iterator[Finding]:
    """Runs the self-test, and reports its outcome."""
    if not machine.is_root:
        yield Finding(AREA, Level.UNKNOWN, "only root can test whether a process is recorded")
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
        yield Finding(AREA, Level.ERROR, f"it could not run: {error}", _WHY, remedy)


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
        remedy = "journalctl -u traceloopd -n 20; fix the findings above first"
        return Finding(AREA, Level.ERROR, str(error), _WHY, remedy)
    finally:
        process.kill()
        process.wait()
        left = _close(machine.address, trace_id)
    if left:
        return Finding(
            AREA, Level.WARNING, f"recorded, but {left}", "its trace remains", f"traceloopctl close {trace_id}"
        )
    return Finding(AREA, Level.OK, f"a process was registered by {way}, and its trace contains the line: {line}")


def _register(machine: Machine, cgroup: Path, pid: int) -> tuple[str, str]:
    # Returns the trace's id, and by what the process was registered.
    hook = machine.host.path(machine.host.hook)
    if not os.access(hook, os.X_OK):
        with connected(control_address(machine.address)) as daemon:
            added = daemon.Add(AddRequest(cgroup=str(cgroup), name=cgroup.name), timeout=_DEADLINE_S)
        return str(added.id), "traceloopctl add"
    annotations = {"io.traceloop.record": "true"}
    state = {"ociVersion": "1.0.2", "id": cgroup.name, "status": "created", "pid": pid, "annotations": annotations}
    ended = subprocess.run(
        [hook, "start", "--socket", machine.hook_socket, "--deadline", str(_DEADLINE_S), "--wait"],
        input=json.dumps(state),
        capture_output=True,
        text=True,
        timeout=2 * _DEADLINE_S,
        check=False,
    )
    if ended.returncode or ended.stderr:
        raise Failed(f"the hook did not register it: {' '.join(ended.stderr.split()) or ended.returncode}")
    with connected(machine.address) as daemon:
        traces = daemon.List(ListRequest(), timeout=_DEADLINE_S).traces
    found = next((trace.id for trace in traces if trace.container_id == cgroup.name), None)
    if found is None:
        raise Failed("the daemon answered the hook but records nothing: do the settings in [record] exclude it?")
    return str(found), "the hook"


def _line(address: str, trace_id: str, marker: str) -> str:
    with connected(address) as daemon:
        chunks = daemon.Snapshot(TraceRequest(id=trace_id), timeout=_DEADLINE_S)
        encoded = b"".join(chunk.data for chunk in chunks)
    taken = snapshot(encoded, f"trace {trace_id}")
    line = next((line for line in short.lines(events(taken), taken) if marker in line), None)
    if line is None:
        raise Failed("the process was registered, but its trace lacks the calls that it made")
    return line


def _close(address: str, trace_id: str) -> str:
    # Returns why the trace could not be closed, or an empty text.
    if trace_id:
        try:
            with connected(control_address(address)) as daemon:
                daemon.Close(TraceRequest(id=trace_id), timeout=_DEADLINE_S)
        except CliError as error:
            return str(error)
    return ""
