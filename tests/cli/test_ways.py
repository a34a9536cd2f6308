# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F401, F811 - fixtures
"""Ways to daemons: sockets of any name, and hosts whose ssh, daemon or answer is none. TRACELOOP_SSH runs the far end here."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from threading import Event

import grpc
import pytest
from fake_daemon import BIN, BUSYBOX, TIMEOUT_S, FakeDaemon, ctl, daemon, path, serving

from traceloop_cli.errors import NoMatch, Unreachable
from traceloop_cli.sources import fleet_watch, watching
from traceloop_cli.sources.client import connected
from traceloop_cli.sources.ending import ended
from traceloop_cli.sources.fleet import FleetStub
from traceloop_cli.sources.fleet_watch import watched
from traceloop_proto import traceloop_pb2 as pb

pytestmark = pytest.mark.installed


@pytest.fixture
def ssh(tmp_path):
    """The environment in which ssh is a program that runs the far end's command on this machine."""
    program = tmp_path / "ssh"
    program.write_text(f'#!/bin/sh\nfor there; do :; done\nPATH={BIN.parent}:$PATH\nexec sh -c "$there"\n')
    program.chmod(0o755)
    return {"TRACELOOP_SSH": str(program)}


@pytest.mark.parametrize("name", ["a b", "a%62", "a#b", "a?b=1", "50%", "\N{SNOWMAN}"])
def test_a_sockets_path_is_taken_as_it_is(daemon, ctl, path, name):
    path.with_name(name).symlink_to(path)
    assert ctl("list", "--address", f"unix:{path.with_name(name)}") == ctl("list")


def test_a_path_that_no_socket_can_have_is_one_line(ctl):
    long = f"unix:/{'x' * 107}"
    assert ctl("list", "--address", long, status=3).endswith(
        "its path is longer than the 107 bytes of a socket's; name its socket with --address unix:PATH"
    )
    message = ctl("list", "--address", "unix:/a,b", status=3)
    assert message.startswith("no daemon at /a,b: gRPC takes a comma for the end of a path; ")


def test_a_temporary_directory_of_a_long_name_is_one_line(daemon, ctl, path, ssh, tmp_path):
    long = tmp_path / ("x" * 100)
    long.mkdir()
    env = ssh | {"TMPDIR": str(long)}
    words = ("--address", f"unix:{path}", "-H", "alpha")
    assert "node1_default_mypod" in ctl(*words, "list", env=ssh)
    said = f"cannot make a socket in {long}: AF_UNIX path too long; set TMPDIR to another directory"
    assert ctl(*words, "list", status=1, env=env) == said
    assert ctl(*words, "-H", "beta", "list", status=1, env=env).startswith("2 of 2 hosts did not answer: ")


def test_a_host_that_complains_without_end_takes_little_memory_and_ends_in_its_last_line(ctl, tmp_path):
    program = tmp_path / "ssh"
    program.write_text("#!/bin/sh\nhead -c 300M /dev/zero | tr '\\0' x >&2\necho >&2\necho no >&2\nexit 255\n")
    program.chmod(0o755)
    words = ("-H", "alpha", "list")
    limited = ("prlimit", f"--as={500 << 20}")
    assert ctl(*words, status=3, prefix=limited, env={"TRACELOOP_SSH": str(program)}) == "alpha: no; try `ssh alpha`"


# --- several hosts ----------------------------------------------------------------------------------------------------


class Busy(FakeDaemon):
    """A daemon that refuses to tell of any trace."""

    def Get(self, _request, context):  # noqa: N802 - gRPC's name
        context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "uid 0 has 8 readers of traces: wait")


@pytest.fixture
def fleet(path, ssh):
    """The environment that names the hosts alpha and beta, at two sockets of this machine."""
    return ssh | {"TRACELOOP_ADDRESS": f"ssh:alpha{path},ssh:beta{path.with_name('second.sock')}"}


def test_without_an_id_the_newest_trace_of_all_hosts_is_meant(daemon, ctl, path, fleet):
    second = FakeDaemon()
    newer = pb.Trace(id="node2_default_web", started_ns=BUSYBOX.started_ns + 1, state=pb.STATE_ARCHIVED)
    with serving(second, path.with_name("second.sock")):
        second.traces = [newer]
        told = "no ID: node2_default_web, the newest of 3 traces\n"
        assert ctl("info", env=fleet, told=told).startswith("id: node2_default_web\n")
        second.traces = []
        assert "id: node1_default_" in ctl("info", env=fleet, told=".*\n")
        daemon.traces = []
        message = "no trace on any of 2 hosts: `traceloopctl list` shows all traces"
        assert ctl("info", env=fleet, status=1) == message


def test_a_daemon_that_hangs_is_given_up_before_it_watches(daemon, path, monkeypatch):
    monkeypatch.setattr(watching, "DEADLINE_S", 0.5)
    never = Event()
    daemon.changes = lambda: Watching(never).Watch(None)
    with (
        pytest.raises(Unreachable, match="the daemon did not answer within 0"),
        connected(f"unix:{path}") as stub,
    ):
        ended(stub, BUSYBOX.id)
    never.set()  # the server's thread ends
    with connected(f"unix:{path}") as stub:
        assert ended(stub, BUSYBOX.id).id == BUSYBOX.id


class One:
    """A host's stub with one trace, of a pod called web."""

    def __init__(self, trace):
        self._trace = trace

    def Get(self, request, timeout):  # noqa: ARG002, N802
        if request.id in (self._trace.pod, self._trace.id):
            return self._trace
        raise NoMatch(f"no trace {request.id}")

    def List(self, request, timeout):  # noqa: ARG002, N802
        return pb.ListReply(traces=[self._trace])


def test_a_limit_holds_for_every_request_of_a_trace():
    traces = [
        pb.Trace(id=f"node{n}_{name}_web", namespace=name, pod="web", started_ns=n) for n, name in ((1, "a"), (2, "b"))
    ]
    hosts = [(trace.id[:5], partial(nullcontext, One(trace))) for trace in traces]

    def found(word, namespace, among=hosts):
        return FleetStub(among, lambda trace: trace.namespace == namespace).Get(pb.TraceRequest(id=word), 1).namespace

    assert found("web", "a") == "a"
    assert found("web", "b") == "b"
    assert found("", "a") == "a"  # although the other is newer
    with pytest.raises(NoMatch, match="web means node2_b_web, which -n or -l leaves out: name NAMESPACE/POD"):
        found("web", "a", hosts[1:])
    with pytest.raises(NoMatch, match="no trace on any of 1 hosts"):
        found("", "a", hosts[1:])


class Watching:
    """A host's stub that is ready once the event is set."""

    def __init__(self, ready, *changes):
        self._ready, self._changes = ready, changes

    def Watch(self, _request):  # noqa: N802 - gRPC's name
        self._ready.wait(TIMEOUT_S)
        yield pb.Change(kind=pb.CHANGE_KIND_READY)
        yield from self._changes


def test_a_host_that_hangs_does_not_hold_up_the_changes_of_others(monkeypatch):
    monkeypatch.setattr(fleet_watch, "_READY_S", 0.5)
    at_once, later = Event(), Event()
    at_once.set()
    change = pb.Change(kind=pb.CHANGE_KIND_STARTED, trace=pb.Trace(id="a"))
    stubs = {"alpha": Watching(at_once, change), "beta": Watching(later, change)}
    heard = watched([(host, partial(nullcontext, stub)) for host, stub in stubs.items()])
    first = [next(heard) for _ in range(4)]
    assert [host for host, _ in first] == ["alpha", "alpha", "beta", ""]
    assert "beta: not watched after 0.5 s, so changes may be missing" in str(first[2][1])
    later.set()
    assert [host for host, _ in heard] == ["beta", "beta"]  # the change, and the end


def test_a_host_that_refuses_to_answer_fails_no_other(daemon, ctl, path, fleet):
    with serving(Busy(), path.with_name("second.sock")):
        warning = "(traceloopctl: 1 of 2 hosts did not answer: beta: uid 0 has 8 readers of traces: wait\n)+"
        assert "\nid: node1_default_mypod\n" in ctl("info", "node1_default_mypod", env=fleet, told=warning)
        assert "fits 2 traces" in ctl("info", "node1_default", env=fleet, status=1)
        assert "no trace nosuch where there was an answer" in ctl("info", "nosuch", env=fleet, status=3)
