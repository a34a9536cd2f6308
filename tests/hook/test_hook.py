# SPDX-License-Identifier: Apache-2.0
"""The hook against daemons of every kind: it always exits with 0, in time, and passes on the runtime's exact bytes.

Each test runs twice: with the installed hook, and with one built with the compiler's sanitizers.
"""

from __future__ import annotations

import os
import queue
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.installed

HOOK = Path(sys.executable).with_name("traceloop-hook")  # compiled by `make setup`
DEADLINE_S = 0.5
START_UP_S = 2.0  # for starting an interpreter on a busy machine
MIB = 1 << 20
STATE = b'{"ociVersion": "1.0.2",\n "id": "c\\u0000", "pid": 1}\n\n\0\xff not even text'
LONG_STATE = b"x" * 10 * MIB

SOURCE = Path(__file__).parents[2] / "hook/traceloop_hook/traceloop-hook.c"
SANITIZERS = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")

Behaviour = Callable[[socket.socket], None]


class Outcome(NamedTuple):
    status: int
    stderr: str
    elapsed_s: float
    drained: bool


@pytest.fixture(scope="module", params=["installed", "sanitized"], autouse=True)
def _hook(request, tmp_path_factory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "sanitized":
            sanitized = tmp_path_factory.mktemp("hook") / "traceloop-hook"
            subprocess.run(["gcc", *SANITIZERS, "-o", sanitized, SOURCE], check=True)
            patch.setattr(request.module, "HOOK", sanitized)
        yield


def run_hook(*words: str, state: bytes = STATE, stdin: int = subprocess.PIPE) -> Outcome:
    begin_s = time.monotonic()
    with subprocess.Popen([HOOK, *words], stdin=stdin, stderr=subprocess.PIPE) as process:
        drained = True
        if process.stdin:
            try:
                process.stdin.write(state)
                process.stdin.close()
            except BrokenPipeError:
                drained = False
        stderr = process.stderr.read().decode()
        status = process.wait()
    return Outcome(status, stderr, time.monotonic() - begin_s, drained)


def assert_harmless(outcome: Outcome, *, says: str) -> None:
    assert outcome.status == 0
    assert outcome.drained
    assert outcome.elapsed_s < DEADLINE_S + START_UP_S
    assert says in outcome.stderr
    assert outcome.stderr.startswith("traceloop-hook: ")
    assert outcome.stderr.count("\n") == 1


class Server:
    """A daemon that accepts one connection after another, each handled by the next of the given behaviours."""

    def __init__(self, path: Path, behave: tuple[Behaviour, ...]) -> None:
        self.path = str(path)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        self._listener.listen()
        self._behave = behave
        self._thread = threading.Thread(target=self._serve, daemon=True)  # a hook may never connect
        self._thread.start()

    def _serve(self) -> None:
        for behave in self._behave:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # close() was called
                return
            with connection:
                behave(connection)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=30)
        self._listener.close()
        assert not self._thread.is_alive()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """A function that starts a Server and returns its socket's path."""
    servers: list[Server] = []

    def start(*behave: Behaviour) -> str:
        servers.append(Server(tmp_path / f"{len(servers)}.sock", behave))
        return servers[-1].path

    yield start
    for server in servers:
        server.close()


class Listening:
    """A behaviour: reads to the end, then answers."""

    def __init__(self, answer: bytes = b"ok\n") -> None:
        self.seen: list[bytes] = []
        self._answer = answer

    def __call__(self, connection: socket.socket) -> None:
        self.seen.append(b"".join(iter(lambda: connection.recv(1 << 16), b"")))
        connection.sendall(self._answer)


@pytest.mark.parametrize("stage", ["start", "stop"])
@pytest.mark.parametrize("state", [STATE, b"", b"\n", b"x" * MIB], ids=["odd", "empty", "newline", "largest"])
def test_what_the_runtime_wrote_arrives_exactly(serve, stage: str, state: bytes) -> None:
    daemon = Listening()
    outcome = run_hook(stage, "--socket", serve(daemon), state=state)
    assert outcome[:2] == (0, "")
    assert daemon.seen == [stage.encode() + b"\n" + state]


def test_of_too_large_a_state_one_byte_more_than_the_limit_arrives(serve) -> None:
    daemon = Listening(b"error: the state is too large\n")
    outcome = run_hook("start", "--socket", serve(daemon), state=LONG_STATE)
    assert_harmless(outcome, says="traceloopd refused this start: the state is too large")
    assert daemon.seen == [b"start\n" + LONG_STATE[: MIB + 1]]


def test_the_reason_of_a_daemon_that_refuses_before_it_has_read_all(serve) -> None:
    def daemon(connection: socket.socket) -> None:
        connection.recv(10)
        connection.sendall(b"error: no\n\x1b[31mthank you\n")

    outcome = run_hook("start", "--socket", serve(daemon), state=LONG_STATE)
    assert_harmless(outcome, says="traceloopd refused this start: no  [31mthank you")


@pytest.mark.parametrize(
    "answer",
    [b"ok", b"HTTP/1.0 400 Bad Request\r\n\r\n", b"\xff\0" * 2048],
    ids=["unfinished", "http", "noise"],
)
def test_an_answer_that_is_not_the_daemons(serve, answer: bytes) -> None:
    outcome = run_hook("start", "--socket", serve(Listening(answer)))
    assert_harmless(outcome, says=f"gave an answer that is not traceloopd's: {answer[:64]!r}")


@pytest.mark.parametrize("state", [STATE, LONG_STATE], ids=["small", "10 MB"])
def test_a_daemon_that_ends_before_it_has_answered_is_followed_by_another(serve, state: bytes) -> None:
    def dies(connection: socket.socket) -> None:
        connection.recv(10)

    daemon = Listening(b"ok\n")
    outcome = run_hook("start", "--socket", serve(dies, daemon), state=state)
    assert outcome[:2] == (0, "")
    assert daemon.seen == [b"start\n" + state[: MIB + 1]]


@pytest.mark.parametrize("stage", ["start", "stop"])
def test_where_births_are_recorded_the_runtime_does_not_wait(serve, tmp_path: Path, stage: str) -> None:
    """The hook ends, and leaves nobody with the runtime's pipes, while the daemon still has the state to read."""
    has_ended, daemon = threading.Event(), Listening()
    answered = threading.Event()

    def slow(connection: socket.socket) -> None:
        assert has_ended.wait(timeout=30)
        daemon(connection)
        answered.set()

    (tmp_path / "births").touch()
    outcome = run_hook(stage, "--socket", serve(slow))
    has_ended.set()
    assert outcome == Outcome(0, "", outcome.elapsed_s, drained=True)
    assert answered.wait(timeout=30)
    assert daemon.seen == [stage.encode() + b"\n" + STATE]


def test_where_births_are_recorded_the_child_holds_nothing_of_the_runtime_s(serve, tmp_path: Path) -> None:
    """Descriptors that the runtime was given for the container (podman --preserve-fds) end when all others close them."""
    has_ended = threading.Event()

    def slow(connection: socket.socket) -> None:
        assert has_ended.wait(timeout=30)
        Listening()(connection)

    (tmp_path / "births").touch()
    reader, writer = os.pipe()
    with subprocess.Popen(
        [HOOK, "start", "--socket", serve(slow)], stdin=subprocess.PIPE, pass_fds=[writer], cwd=tmp_path
    ) as hook:
        os.close(writer)
        hook.communicate(STATE)
    begin_s = time.monotonic()
    assert os.read(reader, 1) == b""
    assert time.monotonic() - begin_s < DEADLINE_S / 2  # while the child lives, not when it has given up
    has_ended.set()
    os.close(reader)


def test_where_births_are_recorded_the_hook_waits_if_it_is_told_to(serve, tmp_path: Path) -> None:
    (tmp_path / "births").touch()
    outcome = run_hook("start", "--socket", serve(Listening(b"error: no\n")), "--wait")
    assert_harmless(outcome, says="traceloopd refused this start: no")


def test_where_births_are_recorded_the_child_gives_up_at_the_deadline(serve, tmp_path: Path) -> None:
    gone: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def silent(connection: socket.socket) -> None:
        while connection.recv(1 << 16):
            pass
        peer = select.poll()
        peer.register(connection, 0)  # POLLHUP, once the child's end is closed as well
        gone.put(bool(peer.poll(30_000)))

    (tmp_path / "births").touch()
    path = serve(silent)
    outcome = run_hook("start", "--socket", path, "--deadline", str(DEADLINE_S))
    assert (outcome.status, outcome.stderr) == (0, "")
    assert gone.get(timeout=40)


def test_a_daemon_that_closes_again_and_again(serve) -> None:
    path = serve(*[lambda _: None] * 1000)
    outcome = run_hook("start", "--socket", path, "--deadline", str(DEADLINE_S))
    assert_harmless(outcome, says=f"gave up after {DEADLINE_S:g} s while ")
    assert path in outcome.stderr


@pytest.mark.parametrize("state", [STATE, LONG_STATE], ids=["small", "10 MB"])
def test_a_daemon_that_neither_reads_nor_answers(serve, state: bytes) -> None:
    ended = threading.Event()
    path = serve(lambda _: ended.wait(timeout=30))
    outcome = run_hook("start", "--socket", path, "--deadline", str(DEADLINE_S), state=state)
    ended.set()
    assert_harmless(outcome, says=f"gave up after {DEADLINE_S:g} s while ")
    assert outcome.elapsed_s >= DEADLINE_S
    assert path in outcome.stderr


def test_a_daemon_that_answers_slowly_without_end(serve) -> None:
    def daemon(connection: socket.socket) -> None:
        try:
            while True:
                connection.sendall(b"o")
                time.sleep(0.05)
        except (BrokenPipeError, ConnectionResetError):
            return

    outcome = run_hook("start", "--socket", serve(daemon), "--deadline", str(DEADLINE_S))
    assert_harmless(outcome, says=f"gave up after {DEADLINE_S:g} s while waiting for the answer")


def test_a_daemon_whose_queue_is_full(tmp_path: Path) -> None:
    path = str(tmp_path / "full.sock")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as other:
        listener.bind(path)
        listener.listen(0)
        other.connect(path)
        outcome = run_hook("start", "--socket", path, "--deadline", str(DEADLINE_S))
    assert_harmless(outcome, says=f"gave up after {DEADLINE_S:g} s while connecting to {path}")


def test_no_daemon(tmp_path: Path) -> None:
    outcome = run_hook("start", "--socket", str(tmp_path / "absent.sock"), state=LONG_STATE)
    assert_harmless(outcome, says="absent.sock: No such file or directory; is traceloopd running there?")


def test_a_daemon_that_died(tmp_path: Path) -> None:
    path = str(tmp_path / "dead.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
    assert_harmless(run_hook("stop", "--socket", path), says="dead.sock: Connection refused; is traceloopd running")


def test_a_socket_path_that_cannot_be(tmp_path: Path) -> None:
    outcome = run_hook("start", "--socket", f"{tmp_path}/{'x' * 200}")
    assert_harmless(outcome, says="AF_UNIX path too long")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["begin"],
        ["start", "stop"],
        ["start", "--socket"],
        ["start", "--socket", ""],
        ["--socket", "start"],
        ["start", "--deadline", "nan"],
        ["start", "--deadline", "0"],
        ["start", "--deadline", "1e9"],
        ["start", "--deadline", "soon"],
        ["start", "\udcff\n"],
    ],
    ids=ascii,
)
def test_wrong_arguments(words: list[str]) -> None:
    assert_harmless(run_hook(*words, state=LONG_STATE), says="usage: traceloop-hook start|stop")


@pytest.mark.parametrize("blocking", [True, False])
def test_a_runtime_that_never_closes_stdin(blocking: bool) -> None:  # noqa: FBT001
    reader, writer = os.pipe()
    os.set_blocking(reader, blocking)
    try:
        os.write(writer, STATE)
        outcome = run_hook("start", "--deadline", str(DEADLINE_S), stdin=reader)
    finally:
        os.close(reader)
        os.close(writer)
    assert_harmless(outcome, says="while reading the state from stdin, which the runtime keeps open")
    assert outcome.elapsed_s >= DEADLINE_S


def test_a_runtime_that_writes_slowly(serve) -> None:
    daemon = Listening()
    words = [HOOK, "start", "--socket", serve(daemon)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, bufsize=0) as process:
        for byte in STATE[:10]:
            process.stdin.write(bytes([byte]))
            time.sleep(0.02)  # the test is about slow writes
        process.stdin.close()
        assert process.wait() == 0
    assert daemon.seen == [b"start\n" + STATE[:10]]


@pytest.mark.parametrize(("closed", "lines"), [("0<&-", 1), ("2>&-", 0), ("0<&- 1>&- 2>&-", 0)])
def test_closed_streams(tmp_path: Path, closed: str, lines: int) -> None:
    script = f'"$0" start --socket "{tmp_path}/absent.sock" {closed}; echo "status $?"'
    ended = subprocess.run(["/bin/sh", "-c", script, HOOK], input=b"", capture_output=True, timeout=30, check=True)
    assert ended.stdout == b"status 0\n"
    assert ended.stderr.count(b"\n") == lines


def test_without_stderr_nothing_but_the_state_reaches_the_daemon(serve) -> None:
    daemon = Listening(b"error: no\n")
    script = f'exec "$0" start --socket "{serve(daemon)}" 2>&-'
    subprocess.run(["/bin/sh", "-c", script, HOOK], input=STATE, timeout=30, check=True)
    assert daemon.seen == [b"start\n" + STATE]


def test_a_stderr_that_is_full_hung_or_broken(tmp_path: Path) -> None:
    words = [HOOK, "start", "--socket", str(tmp_path / "absent.sock"), "--deadline", str(DEADLINE_S)]

    def run(stderr: int) -> float:
        begin_s = time.monotonic()
        subprocess.run(words, input=STATE, stderr=stderr, timeout=30, check=True)
        return time.monotonic() - begin_s

    with Path("/dev/full").open("w") as full:
        assert run(full.fileno()) < START_UP_S

    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    while True:
        try:
            os.write(writer, b"x" * 4096)
        except BlockingIOError:
            break
    os.set_blocking(writer, True)
    assert DEADLINE_S <= run(writer) < DEADLINE_S + START_UP_S
    os.close(reader)
    assert run(writer) < START_UP_S
    os.close(writer)


@pytest.mark.kernel
def test_the_systems_log_hears_what_the_daemons_cannot_have(serve, tmp_path: Path) -> None:
    # A /dev of the test's own, in which the test holds the log
    enter = 'mount -t tmpfs tmpfs /dev; ln -s "$0" /dev/log; exec "$@"'
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(tmp_path / "log"))
        log.settimeout(0)

        def run(path: str) -> bytes:
            words = ["unshare", "-m", "--propagation", "private", "sh", "-euc", enter, tmp_path / "log"]
            words += [HOOK, "start", "--socket", path]
            return subprocess.run(words, input=STATE, stderr=subprocess.PIPE, timeout=30, check=True).stderr

        said = run(str(tmp_path / "absent.sock"))
        assert b"cannot connect" in said
        assert log.recv(4096) == b"<28>" + said.rstrip(b"\n")
        assert b"refused" in run(serve(Listening(b"error: no\n")))
        with pytest.raises(BlockingIOError):
            log.recv(4096)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler:
            filler.settimeout(0)
            with suppress(BlockingIOError):
                while True:
                    filler.sendto(b"x", str(tmp_path / "log"))
        assert b"cannot connect" in run(str(tmp_path / "absent.sock"))  # a full log delays nothing


def test_an_alarm_that_the_runtime_blocked_and_ignored() -> None:
    reader, writer = os.pipe()
    before = signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    try:
        outcome = run_hook("start", "--deadline", str(DEADLINE_S), stdin=reader)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
        signal.signal(signal.SIGALRM, before)
        os.close(reader)
        os.close(writer)
    assert_harmless(outcome, says="while reading the state from stdin")


HARMLESS = {"SIGCHLD", "SIGCONT", "SIGURG", "SIGWINCH", "SIGPIPE", "SIGXFSZ", "SIGTSTP", "SIGTTIN", "SIGTTOU"}
FATAL = sorted(number for number in signal.valid_signals() if number not in {signal.SIGKILL, signal.SIGSTOP})


@pytest.mark.parametrize("number", FATAL, ids=str)
def test_a_signal_neither_fails_nor_stops_it(serve, number: int) -> None:
    daemon = Listening()
    command = [HOOK, "start", "--socket", serve(daemon)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as process:
        process.stdin.write(b"x" * 128 * 1024)  # more than a pipe holds, so the hook is reading now
        process.send_signal(number)
        if getattr(number, "name", "") in HARMLESS:
            assert process.communicate(timeout=START_UP_S)[1] == b""
            assert daemon.seen == [b"start\n" + b"x" * 128 * 1024]
        else:
            says = b"gave up after 2 s" if number == signal.SIGALRM else b"ended by signal %02d" % number
            line = b"traceloop-hook: %s while reading the state from stdin, which the runtime keeps open\n"
            assert process.communicate(timeout=2 + START_UP_S)[1] == line % says
        assert process.wait() == 0


def test_a_limit_on_files_sizes(tmp_path: Path) -> None:
    """The hook does not die of SIGXFSZ when a file size limit keeps it from writing its line."""
    with (tmp_path / "stderr").open("w") as stderr:
        ended = subprocess.run(
            [HOOK, "start", "--socket", tmp_path / "absent.sock"],
            input=STATE,
            stderr=stderr,
            timeout=30,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
        )
    assert ended.returncode == 0


def test_words_as_long_as_the_kernel_takes(serve) -> None:
    words = ["x" * (128 * 1024 - 1)] * 12
    assert_harmless(run_hook(*words), says="unexpected argument 'xxx")
    assert_harmless(run_hook("start", "--socket", words[0]), says="AF_UNIX path too long")
    assert_harmless(run_hook("start", "--deadline", "9" * 100_000), says="wrong arguments")


def test_a_directory_that_is_gone_and_a_hostile_environment(serve, tmp_path: Path) -> None:
    daemon = Listening()
    (tmp_path / "gone").mkdir()
    hostile = {"LD_LIBRARY_PATH": "/nonexistent:" * 1000, "GLIBC_TUNABLES": "glibc.malloc.check=9", "LC_ALL": "de_DE"}
    command = ["sh", "-c", 'rmdir "$PWD"; exec "$@"', "sh", HOOK, "start", "--socket", serve(daemon)]
    ended = subprocess.run(
        command, input=STATE, capture_output=True, timeout=30, check=True, cwd=tmp_path / "gone", env=hostile
    )
    assert (ended.stdout, ended.stderr) == (b"", b"")
    assert daemon.seen == [b"start\n" + STATE]


def test_a_helper_is_run_within_its_time(tmp_path: Path) -> None:
    ended = run_hook("within", "5", "/bin/sh", "-c", "echo seen >&2; exit 3")
    assert (ended.status, ended.stderr) == (0, "seen\n")
    begin_s = time.monotonic()
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    outcome = run_hook("within", "0.5", "/bin/cat", str(fifo))
    assert (outcome.status, outcome.stderr) == (0, "traceloop-hook: gave up after 0.5 s while running /bin/cat\n")
    assert DEADLINE_S <= time.monotonic() - begin_s < DEADLINE_S + START_UP_S


def test_a_helper_that_is_killed_is_not_forgotten() -> None:
    outcome = run_hook("within", "5", "/bin/sh", "-c", "kill -9 $$")
    assert outcome.stderr == "traceloop-hook: the helper was ended by signal 09 while running /bin/sh\n"
    assert outcome.status == 0


@pytest.mark.parametrize("content", [None, b"", b"\x7fELF\2\1\1", b"echo run by a shell >&2\n"], ids=repr)
def test_a_helper_that_is_no_program(tmp_path: Path, content: bytes | None) -> None:
    helper = tmp_path / "helper"
    if content is not None:
        helper.write_bytes(content)
        helper.chmod(0o755)
    why = "No such file or directory" if content is None else "Exec format error"
    ended = run_hook("within", "5", str(helper))
    assert (ended.status, ended.stderr) == (0, f"traceloop-hook: cannot run {helper}: {why}\n")
    for words in (["within"], ["within", "0", "/bin/true"], ["within", "5"]):
        assert "usage: traceloop-hook within SECONDS" in run_hook(*words).stderr
