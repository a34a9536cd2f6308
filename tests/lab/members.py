# SPDX-License-Identifier: Apache-2.0
"""Members of the daemon's group, who may only query, and how they can load it: real processes of another user."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from lab.daemon import Daemon

UID: Final = 65534
_BECOME: Final = """
import os, sys
import grpc, socket, threading, time
from concurrent.futures import ThreadPoolExecutor
uid, path, *words = sys.argv[1:]
os.setgroups([65534])
os.setresgid(65534, 65534, 65534)
os.setresuid(*[int(uid)] * 3)
def channel():
    return grpc.insecure_channel("unix:" + path, options=[("grpc.use_local_subchannel_pool", 1)])
def call(stream, method):
    return stream(f"/traceloop.v1.Recorder/{method}")
def ready():
    print("ready", flush=True)
"""

IDLE: Final = """
import resource, select
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
held = []
for _ in range(int(words[0])):
    one = socket.socket(socket.AF_UNIX)
    one.setblocking(False)
    while True:
        try:
            one.connect(path)
            break
        except BlockingIOError:  # the backlog is full
            time.sleep(0.001)
    held.append(one)
ready()
sys.stdin.read()
"""
"""Connects the given number of times, sends nothing, and holds the connections until stdin ends."""

LOOPING: Final = """
def loop():
    with channel() as mine:
        while True:
            try:
                for _ in call(mine.unary_stream, words[1])(bytes.fromhex(words[2])):
                    pass
            except grpc.RpcError as error:
                pass
for _ in range(int(words[0])):
    threading.Thread(target=loop, daemon=True).start()
ready()
sys.stdin.read()
os._exit(0)
"""
"""Runs the given number of threads that repeat one request: the method, and the request in hexadecimal digits."""

STOPPED: Final = """
streams = []
for _ in range(int(words[0])):
    mine = channel()
    stream = call(mine.unary_stream, words[1])(bytes.fromhex(words[2]))
    streams.append((mine, stream))
    try:
        next(stream)
    except grpc.RpcError as error:
        print(error.code().name, error.details(), flush=True)
ready()
sys.stdin.readline()
for _, stream in streams:
    try:
        for _ in stream:
            pass
        print("ended", flush=True)
    except grpc.RpcError as error:
        print(error.code().name, error.details(), flush=True)
os._exit(0)
"""
"""Runs the given number of readers that read the first message of a stream and no more until a line comes on stdin."""


def admit(daemon: Daemon) -> None:
    """Makes UID's group the daemon's, as far as the socket's permissions go."""
    daemon.directory.chmod(0o755)
    path = daemon.runtime_dir / "traceloop.sock"
    os.chown(path, -1, UID)
    path.chmod(0o660)


@contextmanager
def members(
    daemon: Daemon, script: str, *words: str, count: int = 1, uids: Sequence[int] = (UID,)
) -> Iterator[list[subprocess.Popen[str]]]:
    """Runs `count` processes of these users in turn, each with a script from above; yields them once ready.

    They end with the block.
    """
    path = str(daemon.runtime_dir / "traceloop.sock")
    with ExitStack() as stack:
        started = []
        for number in range(count):
            command = [sys.executable, "-c", _BECOME + script, str(uids[number % len(uids)]), path, *words]
            one = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            stack.enter_context(one)
            stack.callback(one.kill)
            started.append(one)
        yield started


def said_before_ready(process: subprocess.Popen[str]) -> list[str]:
    """Waits until a process is ready; returns the lines that it wrote before."""
    lines: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        if line == "ready\n":
            return lines
        lines.append(line.rstrip("\n"))
    raise AssertionError(f"it ended: {lines}")
