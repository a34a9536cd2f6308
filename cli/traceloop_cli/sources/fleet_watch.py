# SPDX-License-Identifier: Apache-2.0
"""Watches several daemons at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from queue import Empty, Queue
from typing import Final

from traceloop_cli.errors import CliError, Failed, Unreachable
from traceloop_proto import traceloop_pb2 as pb
from traceloop_proto.traceloop_pb2_grpc import RecorderStub

_HOSTS_MAX: Final = 64  # each takes a process and some threads
_READY_S: Final = 60.0  # longer than the way to a host and an answer may take
_Connect = Callable[[], AbstractContextManager[RecorderStub]]
_Heard = tuple[str, pb.Change | CliError]


def watched(hosts: Sequence[tuple[str, _Connect]]) -> Iterator[_Heard]:
    """Yields changes with their hosts, and once for each host the error with which its changes end.

    When each host watches or has failed, a change of the kind READY comes, of the host "". It waits only so long for a
    host that hangs, which then has an error more. Ends with the last host.
    Raises Failed for too many hosts.
    """
    if len(hosts) > _HOSTS_MAX:
        raise Failed(f"--follow takes at most {_HOSTS_MAX} hosts, not {len(hosts)}: choose some of them")
    heard: Queue[_Heard] = Queue()
    for host, connect in hosts:
        # The threads end with this process: a daemon may have no changes for ever.
        threading.Thread(target=_watch, args=(host, connect, heard), daemon=True).start()
    starting, watching = {host for host, _ in hosts}, len(hosts)
    until_s = time.monotonic() + _READY_S
    while watching:
        try:
            host, item = heard.get(timeout=max(0.0, until_s - time.monotonic()) if starting else None)
        except Empty:
            for host in (one for one, _ in hosts if one in starting):
                yield host, Unreachable(f"{host}: not watched after {_READY_S:g} s, so changes may be missing")
            starting.clear()
            yield "", pb.Change(kind=pb.CHANGE_KIND_READY)
            continue
        if isinstance(item, CliError):
            watching -= 1
            yield host, item
        elif item.kind != pb.CHANGE_KIND_READY:
            yield host, item
        if host in starting:
            starting.remove(host)
            if not starting:
                yield "", pb.Change(kind=pb.CHANGE_KIND_READY)


def _watch(host: str, connect: _Connect, heard: Queue[_Heard]) -> None:
    try:
        with connect() as stub:
            for change in stub.Watch(pb.WatchRequest()):
                heard.put((host, change))
        heard.put((host, Unreachable(f"{host}: the daemon stopped")))
    except CliError as error:
        heard.put((host, error))
