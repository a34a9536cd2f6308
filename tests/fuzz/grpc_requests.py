# SPDX-License-Identifier: Apache-2.0
"""Sends broken and odd gRPC requests to a real daemon's sockets; see `make fuzz-grpc_requests` and README.md.

    PYTHONPATH=tests:tests/support .venv/bin/python tests/fuzz/grpc_requests.py SECONDS [SEED]

The daemon must answer every request with a status that it or gRPC chose, keep running, write one log line at a time,
and leave nothing behind.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import sys
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from random import Random
from typing import Any

import grpc
from lab import Daemon
from recorded_cgroups import Cgroup

from traceloop_proto import traceloop_pb2 as pb

SERVICE = "/traceloop.v1.Recorder/"
STREAMS = ("Snapshot", "Dump")
METHODS = ("List", "Get", *STREAMS, "Close", "Add")
CHOSEN = {
    *(grpc.StatusCode.OK, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION),
    *(grpc.StatusCode.ALREADY_EXISTS, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.PERMISSION_DENIED),
}
BY_GRPC = {
    grpc.StatusCode.UNIMPLEMENTED: "Method not found!",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "Received message larger than max",
}
OURS = {grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED}
WORDS = ("", " ", "x", "..", "/", "//", "\0", "a\0b", "\n", "\x1b[2J", "\N{SNOWMAN}", "x" * 5000, "%s", "-", "..." * 90)
PATHS = ("/..", "/../..", "/.", "/proc", "/etc/passwd", "/sys", "/a" * 3000, "/" + "a" * 300, "\udcff")
GROWTH_MAX_KIB = 50_000
ANSWER_S = 30.0


class Fuzzer:
    """Random requests to one daemon."""

    def __init__(self, daemon: Daemon, cgroups: list[Cgroup], chance: Random) -> None:
        self._daemon, self._cgroups, self._chance = daemon, cgroups, chance
        self.answers: Counter[str] = Counter()
        self._channels = [self._channel(name) for name in ("traceloop.sock", "control.sock")]
        self._ids: list[str] = []

    def _channel(self, name: str) -> grpc.Channel:
        # Gives each channel its own connection: otherwise gRPC shares one per process and address.
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]
        return grpc.insecure_channel(f"unix:{self._daemon.runtime_dir / name}", options=options)

    def once(self) -> None:
        """Makes one request; raises AssertionError."""
        kind = self._chance.random()
        if kind < 0.02:
            self._speak_no_grpc()
        elif kind < 0.03:
            self._channels = [
                channel.close() or self._channel(name)
                for channel, name in zip(self._channels, ("traceloop.sock", "control.sock"), strict=True)
            ]
        elif kind < 0.06:
            self._add_some()
        else:
            method = (
                self._chance.choice(METHODS) if kind < 0.98 else self._odd_word().encode("ascii", "replace").decode()
            )
            self._ask(self._chance.choice(self._channels), method, self._request(method))

    def _ask(self, channel: grpc.Channel, method: str, request: bytes) -> None:
        streams = method in STREAMS
        call = (channel.unary_stream if streams else channel.unary_unary)(SERVICE + method)
        hurry = self._chance.random() < 0.05
        timeout_s = self._chance.uniform(0.0001, 0.01) if hurry else ANSWER_S
        try:
            if streams:
                answer = call(request, timeout=timeout_s)
                for number, _ in enumerate(answer):
                    if number == 0 and self._chance.random() < 0.3:
                        answer.cancel()
            else:
                call(request, timeout=timeout_s)
            status, details = grpc.StatusCode.OK, ""
        except grpc.RpcError as error:
            status, details = error.code(), error.details() or ""
        self.answers[f"{method if method in METHODS else 'unknown'} {status.name}"] += 1
        by_grpc = status in BY_GRPC and details.startswith(BY_GRPC[status])
        ours = status in OURS and (hurry or streams)
        if not (status in CHOSEN or by_grpc or ours) or "Traceback" in details:
            raise AssertionError(f"{method}({request[:200]!r}): {status.name}: {details[:500]!r}")

    def _request(self, method: str) -> bytes:
        if method == "Add":
            message: Any = pb.AddRequest(cgroup=self._path(), name=self._odd_word())
        elif method == "List":
            message = pb.ListRequest()
        else:
            message = pb.TraceRequest(id=self._id())
        request = message.SerializeToString()
        kind = self._chance.random()
        if kind < 0.5:
            return request
        if kind < 0.55:
            return request + self._chance.randbytes(self._chance.choice((1, 100, 5 << 20)))
        if kind < 0.7:
            return self._chance.randbytes(self._chance.randrange(40))
        if kind < 0.8:  # a missing length, a group without an end, a string that is not UTF-8
            return request + self._chance.choice(
                (b"\x0a\xff\xff\xff\xff\x0f", b"\x0b" * 200, b"\x0a\x02\xff\xfe", b"\x08" + b"\xff" * 12)
            )
        changed = bytearray(request or b"\x0a\x00")
        for _ in range(self._chance.randrange(1, 4)):
            changed[self._chance.randrange(len(changed))] = self._chance.randrange(256)
        return bytes(changed)

    def _id(self) -> str:
        if self._ids and self._chance.random() < 0.6:
            whole = self._chance.choice(self._ids)
            return whole if self._chance.random() < 0.7 else whole[: self._chance.randrange(len(whole))]
        return self._odd_word()

    def _path(self) -> str:
        kind = self._chance.random()
        if kind < 0.3:
            return str(self._chance.choice(self._cgroups).path) + self._chance.choice(("", "/", "/..", "/.", "/x"))
        return self._chance.choice(WORDS + PATHS).encode("utf-8", "replace").decode()

    def _odd_word(self) -> str:
        if self._chance.random() < 0.5:
            return self._chance.choice(WORDS)
        return "".join(
            chr(self._chance.choice((self._chance.randrange(128), self._chance.randrange(0xD800))))
            for _ in range(self._chance.randrange(1, 30))
        )

    def _add_some(self) -> None:
        # Makes live and ended traces that requests can ask for.
        cgroup = self._chance.choice(self._cgroups)
        call = self._channels[1].unary_unary(SERVICE + "Add", pb.AddRequest.SerializeToString, pb.Trace.FromString)
        with suppress(grpc.RpcError):
            self._ids = [*self._ids[-20:], call(pb.AddRequest(cgroup=str(cgroup.path), name=self._odd_word())).id]
        if self._chance.random() < 0.5:
            cgroup.run("true")

    def _speak_no_grpc(self) -> None:
        with socket.socket(socket.AF_UNIX) as connection, suppress(ConnectionError):
            connection.connect(str(self._daemon.runtime_dir / self._chance.choice(("traceloop.sock", "control.sock"))))
            begin = self._chance.choice((b"", b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
            connection.sendall(begin + self._chance.randbytes(self._chance.randrange(2000)))
            self.answers["no gRPC"] += 1

    def close(self) -> None:
        """Ends the connections and all traces."""
        call = self._channels[1].unary_unary
        listed = call(SERVICE + "List", pb.ListRequest.SerializeToString, pb.ListReply.FromString)(pb.ListRequest())
        for trace in listed.traces:
            call(SERVICE + "Close", pb.TraceRequest.SerializeToString, pb.Trace.FromString)(
                pb.TraceRequest(id=trace.id)
            )
        for channel in self._channels:
            channel.close()


def _kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS:")))


def _fds(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208


def main() -> int:
    """Runs the command; returns its exit status."""
    seconds = float(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1_000_000)
    print(f"seed {seed}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with ExitStack() as stack:
        daemon = stack.enter_context(Daemon(config='node = "node1"\n'))
        cgroups = [stack.enter_context(Cgroup()) for _ in range(4)]
        pid = daemon.process.pid
        fuzzer = Fuzzer(daemon, cgroups, Random(seed))
        begins = time.monotonic()
        while time.monotonic() < begins + min(5, seconds / 4):  # warm-up, until the daemon has reached its working size
            fuzzer.once()
        fuzzer.close()
        before_kib, before_fds, ours_before = _kib(pid), _fds(pid), _fds(os.getpid())
        fuzzer = Fuzzer(daemon, cgroups, Random(seed + 1))
        while time.monotonic() < begins + seconds:
            fuzzer.once()
            assert daemon.process.poll() is None, f"the daemon ended:\n{daemon.log[-5000:]}"
        fuzzer.close()
        end = time.monotonic() + ANSWER_S
        while _fds(pid) > before_fds and time.monotonic() < end:
            time.sleep(0.1)
        print(
            f"{fuzzer.answers.total()} requests; {before_kib} KiB, then {_kib(pid)}; {before_fds} descriptors, then {_fds(pid)}"
        )
        for answer, count in sorted(fuzzer.answers.items()):
            print(f"{count:8} {answer}")
        still_open = max(0, _fds(os.getpid()) - ours_before)  # gRPC's client closes some of its connections late
        assert _fds(pid) <= before_fds + still_open, "descriptors are left"
        assert _kib(pid) < before_kib + GROWTH_MAX_KIB, "memory grows"
        # libprotobuf's C++ writes such a line for each string that is not UTF-8; Python has no switch for it.
        ours = ("traceloopd: ", "[libprotobuf ERROR ")
        strange = [line for line in daemon.log.splitlines() if not line.startswith(ours)]
        assert not strange, "in the log:\n" + "\n".join(strange[:40])
    return 0


if __name__ == "__main__":
    sys.exit(main())
