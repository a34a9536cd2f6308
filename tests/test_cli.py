# SPDX-License-Identifier: Apache-2.0
"""traceloopctl as a process, against a real gRPC server that answers from made-up traces and written rings."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from archives import INFO
from ringwriter import RingWriter, item

from traceloop_cli.traces import age, rfc3339, size
from traceloop_decode import layout
from traceloop_decode.archive_file import NONE, pack
from traceloop_proto import recorder_pb2 as pb
from traceloop_proto import recorder_pb2_grpc as pb_grpc

BIN = Path(sys.executable).parent / "traceloopctl"
TIMEOUT_S = 60
CHUNK_BYTES = 1000
WRITE, EXIT_GROUP = 1, 231

BUSYBOX = pb.Trace(
    id="node1_default_mypod",
    node="node1",
    namespace="default",
    pod="mypod",
    pod_uid="d9a3",
    container="mypod",
    container_id="0123456789abcdef",
    image="busybox",
    restart_count=2,
    labels={"tier": "front", "app": "shop"},
    state=pb.STATE_FROZEN,
    started_ns=1_700_000_000_000_000_042,
    ended_ns=1_700_000_001_000_000_000,
    exit_code=1,
    events=1234,
    lost=34,
    size_bytes=1 << 20,
    cgroup="/mypod",
    capture=pb.CAPTURE_NO_PAYLOAD,
    ring_size_bytes=4 << 20,
)
KILLED = pb.Trace(
    id="node1_default_other",
    node="node1",
    state=pb.STATE_RECORDING,
    started_ns=1_700_000_000_000_000_000,
    signal=9,
    size_bytes=512,
)


def written_ring(calls=1):
    ring = RingWriter(1 << 20, 1 << 14)
    ring.name(7, 7, "b\x1bc")
    for _ in range(calls):
        text = item(1, layout.KIND_BUFFER, b"42\n")
        ring.enter(1, 7, WRITE, 1, 7415808, 3, items=text)
        ring.exit(1, 7, WRITE, 3)
    ring.enter(1, 7, EXIT_GROUP, 1)
    ring.task_exit(1, 7, 1 << 8)
    return ring.snapshot().encode()


FILE = pack(INFO, written_ring())


class Recorder(pb_grpc.RecorderServicer):
    """A daemon of values."""

    def __init__(self):
        self.traces = [BUSYBOX, KILLED]
        self.snapshot = written_ring()
        self.file = FILE

    def find(self, word, context):
        found = [trace for trace in self.traces if trace.id.startswith(word) or trace.container_id.startswith(word)]
        if len(found) > 1:
            names = ", ".join(trace.id for trace in found)
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"{word} fits {len(found)} traces: {names}")
        if not found:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no trace {word}: `traceloopctl list` shows those there are")
        return found[0]

    def List(self, _request, _context):  # noqa: N802
        return pb.ListReply(node="node1", traces=self.traces)

    def Get(self, request, context):  # noqa: N802
        return self.find(request.id, context)

    def Snapshot(self, request, context):  # noqa: N802
        self.find(request.id, context)
        for at in range(0, len(self.snapshot), CHUNK_BYTES):
            yield pb.SnapshotChunk(data=self.snapshot[at : at + CHUNK_BYTES])

    def Dump(self, request, context):  # noqa: N802
        self.find(request.id, context)
        for at in range(0, len(self.file), CHUNK_BYTES):
            yield pb.DumpChunk(data=self.file[at : at + CHUNK_BYTES])

    def Close(self, request, context):  # noqa: N802
        trace = self.find(request.id, context)
        self.traces.remove(trace)
        return trace

    def Add(self, request, context):  # noqa: N802
        if request.cgroup == "/private":
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "only root may add a cgroup\x1b[2J")
        if request.cgroup == "/twice":
            context.abort(grpc.StatusCode.ALREADY_EXISTS, f"{request.cgroup} is recorded as x")
        return pb.Trace(id=f"node1_{request.name}")


@pytest.fixture
def path():
    # Not in a test's own directory: the path of a unix socket has at most 107 bytes (unix(7)).
    with tempfile.TemporaryDirectory(prefix="tl-cli-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory, "traceloop.sock")


@pytest.fixture
def daemon(path):
    daemon = Recorder()
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool)
        pb_grpc.add_RecorderServicer_to_server(daemon, server)
        for socket_path in (path, path.with_name("control.sock")):
            server.add_insecure_port(f"unix:{socket_path}")
        server.start()
        yield daemon
        server.stop(None).wait()


@pytest.fixture
def ctl(path):
    def run(*words, status=0, prefix=(), **settings):
        command = [*prefix, str(BIN), *words]
        env = {**os.environ, "TRACELOOP_ADDRESS": f"unix:{path}"} | settings.pop("env", {})
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env=env, **settings
        )
        assert ended.returncode == status, ended
        if status:
            assert re.fullmatch(r"traceloopctl: [ -~]+\n", ended.stderr)
            return ended.stderr.removeprefix("traceloopctl: ").rstrip("\n")
        assert ended.stderr == ""
        return ended.stdout

    return run


# --- list -----------------------------------------------------------------------------------------------------------


def test_list_is_a_table_and_what_no_verb_does(daemon, ctl):
    lines = ctl("list").splitlines()
    assert lines[0].split() == ["NODE", "TRACE", "STATE", "EXIT", "AGE", "EVENTS", "LOST", "SIZE"]
    rows = [line.split() for line in lines[1:]]
    assert all(re.fullmatch(r"\d+d", row.pop(4)) for row in rows)
    assert rows == [
        ["node1", "node1_default_mypod", "frozen", "1", "1234", "34", "1.0M"],
        ["node1", "node1_default_other", "recording", "SIGKILL", "0", "0", "512B"],
    ]
    assert len({line.index(word) for line, word in zip(lines, ("TRACE", "node1_d", "node1_d"), strict=True)}) == 1
    assert ctl().splitlines() == lines
    for words in (("--no-legend",), ("list", "--no-legend")):
        assert [line.split() for line in ctl(*words).splitlines()] == [line.split() for line in lines[1:]]


def test_a_node_without_traces_is_a_line_of_its_own(daemon, ctl):
    daemon.traces = []
    lines = ctl("list").splitlines()
    assert [line.split() for line in lines[1:]] == [["node1"]]
    assert json.loads(ctl("list", "-o", "json")) == []


def test_list_as_json(daemon, ctl):
    first, second = json.loads(ctl("-o", "json"))
    assert first == {
        "id": "node1_default_mypod",
        "node": "node1",
        "namespace": "default",
        "pod": "mypod",
        "pod_uid": "d9a3",
        "container": "mypod",
        "container_id": "0123456789abcdef",
        "image": "busybox",
        "restart_count": 2,
        "labels": {"app": "shop", "tier": "front"},
        "labels_left_out": 0,
        "state": "frozen",
        "started": "2023-11-14T22:13:20.000000042Z",
        "ended": "2023-11-14T22:13:21.000000000Z",
        "exit_code": 1,
        "signal": None,
        "events": 1234,
        "lost": 34,
        "size_bytes": 1 << 20,
        "cgroup": "/mypod",
        "capture": "no-payload",
        "ring_size_bytes": 4 << 20,
    }
    assert (second["ended"], second["exit_code"], second["signal"]) == (None, None, 9)
    assert (second["capture"], second["ring_size_bytes"]) == (None, None)  # of an older version


def test_what_others_chose_cannot_reach_the_terminal(daemon, ctl):
    daemon.traces = [pb.Trace(id="a\x1b[2J\x9b\nb", node="n\x7f", image="\x1b]0;x\x07\x7f", started_ns=1)]
    daemon.traces[0].labels["a\x1b[2J\n"] = "\x9b\x7f\N{SNOWMAN}"
    for words in (("list",), ("list", "-o", "json"), ("info", "a")):
        output = ctl(*words)
        assert output.isascii()
        assert output.replace("\n", "").isprintable()
    assert json.loads(ctl("-o", "json"))[0]["image"] == "\x1b]0;x\x07\x7f"


@pytest.mark.parametrize(("seconds", "text"), [(-5, "0s"), (119, "119s"), (120, "2m"), (7200, "2h"), (172800, "2d")])
def test_ages(seconds, text):
    assert age(seconds * 10**9) == text


@pytest.mark.parametrize(("size_bytes", "text"), [(0, "0B"), (1023, "1023B"), (1024, "1.0K"), (3 << 29, "1.5G")])
def test_sizes(size_bytes, text):
    assert size(size_bytes) == text


def test_times():
    assert rfc3339(0) is None
    assert rfc3339(1) == "1970-01-01T00:00:00.000000001Z"


# --- show, info, close, add -----------------------------------------------------------------------------------------

CALL = r"00:00.000001000 cpu#1 pid 7 [b\33c] "


def test_show_in_every_format(daemon, ctl):
    assert ctl("show", "node1_default_mypod", "-o", "classic").splitlines()[0] == (
        CALL + r'write(fd=1, buf=7415808 "42\n", count=3) = 3'
    )
    assert ctl("show", "node1_default_mypod").splitlines() == [
        CALL + r'write(fd=1, buf="42\n", count=3) = 3',
        r"00:00.000003000 cpu#1 pid 7 [b\33c] exit_group(error_code=1) = ?",
        r"00:00.000004000 cpu#1 pid 7 [b\33c] +++ exited with 1 +++",
    ]
    assert ctl("show", "node1_default_mypod", "-o", "strace", "-e", "trace=!write").splitlines() == [
        "7     exit_group(1)                     = ?",
        "7     +++ exited with 1 +++",
    ]
    several = ("-o", "strace", "-P", "/none", "-P", "/etc/none")
    assert ctl("show", *several, "--", "node1_default_mypod") == "7     +++ exited with 1 +++\n"
    made = [json.loads(line) for line in ctl("show", "0123", "-o", "jsonl").splitlines()]
    assert [(one["event"], one["syscall"], one["ret"]) for one in made] == [
        ("syscall", "write", 3),
        ("syscall", "exit_group", None),
        ("exit", None, None),
    ]
    assert made[0]["args"][1]["data"] == "42\n"


def test_a_damaged_snapshot_is_an_error(daemon, ctl):
    daemon.snapshot = b"not a snapshot" * 100
    assert "node1_default_mypod: not a traceloop snapshot" in ctl("show", "node1_default_mypod", status=1)


def test_info_is_lines_of_keys_and_values(daemon, ctl):
    lines = ctl("info", "node1_default_o").splitlines()
    values = dict(line.split(": ", 1) for line in lines)
    assert values["id"] == "node1_default_other"
    assert values["state"] == "recording"
    assert (values["ended"], values["exit_code"], values["signal"], values["pod"]) == ("-", "-", "9", "-")
    assert (values["labels"], values["capture"], values["ring_size_bytes"]) == ("-", "-", "-")
    lines = ctl("info", "node1_default_m").splitlines()
    assert {'labels: {"app":"shop","tier":"front"}', "capture: no-payload", "ring_size_bytes: 4194304"} <= {*lines}


def test_close_says_so_for_each_and_show_of_a_closed_one_fails(daemon, ctl):
    assert ctl("close", "node1_default_mypod") == "closed\n"
    assert "no trace node1_default_mypod" in ctl("show", "node1_default_mypod", status=1)
    daemon.traces = [BUSYBOX, KILLED]
    assert ctl("close", "node1_default_mypod", "node1_default_other") == "closed\nclosed\n"
    assert "no trace x" in ctl("close", "x", status=1)


def test_add_prints_the_new_id(daemon, ctl):
    assert ctl("add", "--cgroup", "/system.slice", "--name", "web") == "node1_web\n"
    assert "is recorded as x" in ctl("add", "--cgroup", "/twice", "--name", "web", status=1)
    assert ctl("add", "--unit", "cron", "--name", "web") == ctl("add", "--container", "0f1e", "--name", "web")


@pytest.mark.parametrize("words", [(), ("--name", "x"), ("--cgroup", "/a", "--unit", "b"), ("--unit", "")])
def test_add_takes_one_target(ctl, words):
    assert ctl("add", *words, status=2).startswith("Exactly one of --container, --unit and --cgroup is needed.")


# --- archive files --------------------------------------------------------------------------------------------------

NO_DAEMON = ("--address", "unix:/nonexistent/socket")


def test_dump_writes_the_file_and_never_over_another(daemon, ctl, tmp_path):
    path = tmp_path / "f"
    assert ctl("dump", "node1_default_mypod", "--file", str(path)) == ""
    assert path.read_bytes() == daemon.file
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("mine, and longer" * 10_000)
    refused = f"{path} is there already: give --force to write over it"
    assert ctl("dump", "node1_default_mypod", "--file", str(path), status=1) == refused
    assert ctl("dump", "node1_default_mypod", "--file", str(path), status=1, env={"TRACELOOP_ADDRESS": "unix:/x"})
    assert path.read_text().startswith("mine")
    ctl("dump", "node1_default_mypod", "--file", str(path), "--force")
    assert path.read_bytes() == daemon.file
    (tmp_path / "dangling").symlink_to(tmp_path / "elsewhere")
    assert "is there already" in ctl("dump", "node1_default_mypod", "--file", str(tmp_path / "dangling"), status=1)


def test_dump_to_stdout(daemon, ctl, path):
    with started(path, "dump", "node1_default_mypod", "--file", "-", stdout=subprocess.PIPE) as process:
        assert process.stdout.read() == daemon.file
        assert process.wait(TIMEOUT_S) == 0
    ours, terminal = os.openpty()
    with started(path, "dump", "node1_default_mypod", "--file", "-", stdout=terminal, text=True) as process:
        assert process.stderr.read().startswith("traceloopctl: An archive file is not for a terminal: ")
        assert process.wait(TIMEOUT_S) == 2
    os.close(terminal)
    os.close(ours)


def test_what_the_daemon_did_not_pack_is_packed(daemon, ctl, tmp_path):
    daemon.file = pack(INFO, daemon.snapshot, NONE)
    ctl("dump", "node1_default_mypod", "--file", str(tmp_path / "f"))
    assert (tmp_path / "f").read_bytes() == pack(INFO, daemon.snapshot)


def test_a_damaged_trace_is_not_dumped(daemon, ctl, tmp_path):
    daemon.file = daemon.file[:-1]
    message = ctl("dump", "node1_default_mypod", "--file", str(tmp_path / "f"), status=1)
    assert message.startswith("trace node1_default_mypod: truncated archive: ")
    assert not (tmp_path / "f").exists()


def test_half_a_dump_does_not_stay(daemon, ctl, tmp_path):
    full = Path("/dev/full")
    message = ctl("dump", "node1_default_mypod", "--file", str(full), "--force", status=1)
    assert message == "cannot write /dev/full: No space left on device"
    assert full.is_char_device()
    limited = ("prlimit", "--fsize=100")
    message = ctl("dump", "node1_default_mypod", "--file", str(tmp_path / "f"), status=1, prefix=limited)
    assert message == f"cannot write {tmp_path}/f: File too large"
    assert not (tmp_path / "f").exists()
    assert "No such file" in ctl("dump", "node1_default_mypod", "--file", str(tmp_path / "x" / "f"), status=1)


def test_a_file_is_shown_without_a_daemon(daemon, ctl, tmp_path):
    path = tmp_path / "f"
    path.write_bytes(daemon.file)
    for form in ("short", "strace", "classic", "json", "jsonl"):
        shown = ctl("show", "node1_default_mypod", "-o", form)
        assert ctl("show", "--file", str(path), "-o", form, *NO_DAEMON) == shown
    with path.open() as stdin:
        assert ctl("show", "--file", "-", *NO_DAEMON, stdin=stdin) == ctl("show", "node1_default_mypod")
    values = dict(line.split(": ", 1) for line in ctl("info", "--file", str(path), *NO_DAEMON).splitlines())
    assert values["id"] == "node1_default_mypod"
    assert (values["state"], values["exit_code"], values["signal"]) == ("archived", "42", "-")
    assert (values["events"], values["lost"], values["size_bytes"]) == ("1234", "34", str(len(daemon.file)))
    assert values["ended"] == "2023-11-14T22:13:21.000000000Z"
    assert (values["capture"], values["ring_size_bytes"]) == ("no-payload", "32768")
    assert (values["arch"], values["kernel"], values["version"]) == ("x86_64", "6.1.0-18-amd64", "0.1.0")


@pytest.mark.parametrize(
    ("content", "reason", "state"),
    [
        (FILE[:-1], "truncated archive: ", "truncated"),
        (FILE[:50], "truncated archive: ", None),
        (FILE + b"x", "damaged archive: ", "error"),
        (FILE[:-1] + b"x", "damaged archive: the sum over it is wrong", "error"),
        (b"", "truncated archive: cut off within its head, after 0 bytes", None),
        (b"x" * 100, "not a traceloop archive: it does not begin with TLTRACE", None),
        (FILE[:8] + b"\3" + FILE[9:], "archive version 3 is not known here, only 1: use the", None),
        (pack(INFO, b"no snapshot"), "not a traceloop snapshot", "archived"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(ctl, tmp_path, content, reason, state):
    path = tmp_path / "f"
    path.write_bytes(content)
    assert ctl("show", "--file", str(path), *NO_DAEMON, status=1).startswith(f"{path}: {reason}")
    if state is None:
        assert ctl("info", "--file", str(path), *NO_DAEMON, status=1).startswith(f"{path}: {reason}")
    else:
        assert f"state: {state}\n" in ctl("info", "--file", str(path), *NO_DAEMON)


@pytest.mark.parametrize("verb", ["show", "info"])
def test_a_file_that_cannot_be_read(ctl, tmp_path, verb):
    assert ctl(verb, "--file", "/nonexistent/f", status=1) == "cannot read /nonexistent/f: No such file or directory"
    assert ctl(verb, "--file", str(tmp_path), status=1) == f"cannot read {tmp_path}: Is a directory"
    assert "ID and --file exclude each other." in ctl(verb, "x", "--file", "f", status=2)
    assert "Missing argument 'ID'." in ctl(verb, status=2)


# --- what goes wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["show", "info", "close"])
def test_an_unknown_id_and_an_ambiguous_prefix(daemon, ctl, verb):
    assert ctl(verb, "nosuch", status=1) == "no trace nosuch: `traceloopctl list` shows those there are"
    message = ctl(verb, "node1_default", status=1)
    assert message == "node1_default fits 2 traces: node1_default_mypod, node1_default_other"
    assert daemon.traces == [BUSYBOX, KILLED]


def test_a_daemon_that_denies(daemon, ctl):
    assert ctl("add", "--cgroup", "/private", "--name", "x", status=4) == r"only root may add a cgroup\33[2J"


def test_no_socket(ctl, path):
    message = ctl("list", status=3)
    assert message.startswith(f"no daemon at {path}: No such file or directory; start it")


def test_a_socket_that_nobody_listens_on(ctl, path):
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    assert ctl("list", status=3).startswith(f"no daemon at {path}: Connection refused; start it")


def test_something_else_behind_the_socket(ctl, path):
    with socket.socket(socket.AF_UNIX) as other, ThreadPoolExecutor(1) as pool:
        other.bind(str(path))
        other.listen()

        def slam():
            while True:
                try:
                    connection, _ = other.accept()
                except OSError:
                    return
                connection.close()

        pool.submit(slam)
        message = ctl("list", status=3)
        other.shutdown(socket.SHUT_RDWR)
    assert message.startswith(f"the daemon at {path} broke off: ")


def test_no_permission(daemon, ctl, path):
    # Root without the right to override permissions, and a socket that is another's.
    prefix = ()
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
        prefix = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
    path.chmod(0o600 if prefix else 0)
    message = ctl("list", status=4, prefix=prefix)
    assert message.startswith(f"cannot use {path}: Permission denied; run this as root")


def test_what_changes_goes_to_the_control_socket_beside(daemon, ctl, path):
    path.unlink()
    assert ctl("--address", f"unix://{path}", "close", BUSYBOX.id) == "closed\n"
    assert ctl("add", "--cgroup", "/a", "--name", "a") == "node1_a\n"
    control = path.with_name("control.sock")
    prefix = ()
    if os.geteuid() == 0:
        os.chown(control, 65534, 65534)
        prefix = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
    control.chmod(0o600 if prefix else 0)
    for words in (("close", KILLED.id), ("add", "--cgroup", "/a", "--name", "a")):
        message = ctl(*words, status=4, prefix=prefix)
        assert message == f"cannot use {control}: Permission denied; run this as root"


def test_the_address_from_everywhere_and_the_last_word_wins(daemon, ctl, path):
    elsewhere = {"env": {"TRACELOOP_ADDRESS": "unix:/nonexistent/socket"}}
    assert "no daemon at /nonexistent/socket" in ctl("list", status=3, **elsewhere)
    listed = ctl("list")
    for words in (
        ("--address", f"unix:{path}"),
        (f"--address=unix://{path}", "list"),
        ("list", "--address", f"unix:{path}"),
        ("--address", "unix:/nonexistent/other", "list", "--address", f"unix:{path}"),
    ):
        assert ctl(*words, **elsewhere) == listed
    assert len(ctl("--address", f"unix:{path}", "--no-legend", **elsewhere).splitlines()) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["shwo", "x"], "No such command 'shwo'."),
        (["show"], "Missing argument 'ID'. See `traceloopctl show --help`."),
        (["show", "x", "-o", "xml"], "Invalid value for '-o' / '--output': 'xml' is not one of"),
        (["show", "x", "-e", "nosuch"], "-e: invalid system call 'nosuch'. See `traceloopctl show --help`."),
        (["close"], "Missing argument 'ID...'. See `traceloopctl close --help`."),
        (["--address", "tcp:1"], "'tcp:1' is not of the form unix:PATH."),
        (["list", "--address", "unix:"], "'unix:' is not of the form unix:PATH."),
        (["info", "a\udcff"], r"Invalid value for 'ID': 'a\udcff' is not UTF-8."),
        (["--nope"], "--nope"),
    ],
)
def test_usage_errors(ctl, words, message):
    said = ctl(*words, status=2)
    assert message in said
    assert re.search(r"See `traceloopctl .*--help`\.$", said)
    assert said.count("\n") <= 1


def test_help_needs_no_daemon(ctl):
    text = ctl("--help")
    assert all(
        re.search(rf"^  {verb} ", text, re.MULTILINE)
        for verb in ("list", "show", "info", "dump", "close", "add", "stats")
    )
    assert "traceloopctl show [OPTIONS] ID" in ctl("show", "-h")
    assert (
        "Usage: traceloopctl"
        in subprocess.run(
            [sys.executable, "-m", "traceloop_cli", "-h"], capture_output=True, text=True, check=True, timeout=TIMEOUT_S
        ).stdout
    )


# --- where the output goes ------------------------------------------------------------------------------------------


def started(path, *words, **settings):
    return subprocess.Popen([str(BIN), "--address", f"unix:{path}", *words], stderr=subprocess.PIPE, **settings)


def test_a_reader_that_has_seen_enough_ends_it_quietly(daemon, path):
    daemon.snapshot = written_ring(5000)  # far more than a pipe holds
    with started(path, "show", "node1_default_mypod", stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().startswith(CALL)
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(TIMEOUT_S) == -signal.SIGPIPE


def test_a_closed_stdout_is_no_error(daemon, path):
    # By a shell: gRPC, which serves in this process, writes to a child's stderr in its own handlers of fork(2).
    command = ["sh", "-c", 'exec "$@" >&-', "sh", str(BIN), "--address", f"unix:{path}", "list"]
    ended = subprocess.run(command, stderr=subprocess.PIPE, timeout=TIMEOUT_S, check=True)
    assert ended.stderr == b""


def test_a_full_disk_is_an_error(daemon, path):
    with Path("/dev/full").open("w") as full, started(path, "list", stdout=full, text=True) as process:
        assert process.stderr.read() == "traceloopctl: cannot write the output: No space left on device\n"
        assert process.wait(TIMEOUT_S) == 1
