# SPDX-License-Identifier: Apache-2.0
"""Answers requests at a listening socket, one after the other, each in a process of its own.

Theory of operation: a trace's bytes come from programs that nobody trusts. The child that reads them is bounded in time
and memory, answers, and ends; so no trace has an influence on another one's reason. The parent touches no trace. If
the child does not answer, the parent does.
"""

from __future__ import annotations

import logging
import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from traceloop_decode.model import DecodeError
from traceloop_decode.reason import REQUEST, failure_answer, reason_answer

DEADLINE_S: Final = 30.0
MEMORY_MAX_BYTES: Final = 1 << 30
_REQUEST_S: Final = 5.0
_log = logging.getLogger(__name__)


def serve(
    listener: socket.socket,
    find: Callable[[int], str],
    *,
    idle_s: float,
    deadline_s: float = DEADLINE_S,
    memory_max_bytes: int = MEMORY_MAX_BYTES,
) -> None:
    """Answers until no request has come for `idle_s`. find: returns the reason of the archive file of a descriptor.

    deadline_s, memory_max_bytes: of one request: address space, beyond which `find` raises MemoryError.
    """
    while select.select([listener], [], [], idle_s)[0]:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(_REQUEST_S)
            try:
                _answer(connection, find, deadline_s, memory_max_bytes)
            except OSError as error:  # the client has gone, or says nothing
                _log.warning("a request was not answered: %s", error)


def _answer(connection: socket.socket, find: Callable[[int], str], deadline_s: float, memory_max_bytes: int) -> None:
    request, fds, _, _ = socket.recv_fds(connection, len(REQUEST) + 1, 1)
    try:
        if request != REQUEST or len(fds) != 1:
            _log.warning("a request that this version does not know was refused")
            connection.send(failure_answer("this version does not know the request"))
            return
        child = os.fork()
        if child == 0:
            _find(connection, find, fds[0], memory_max_bytes)
    finally:
        for fd in fds:
            os.close(fd)
    failed = _wait(child, deadline_s)
    if failed:
        _log.warning("a trace has no reason: the process that read it %s", failed)
        connection.send(failure_answer(f"the process that read it {failed}"))


def _find(connection: socket.socket, find: Callable[[int], str], fd: int, memory_max_bytes: int) -> None:
    # In the child, which ends here.
    status = 1
    try:
        resource.setrlimit(resource.RLIMIT_AS, (memory_max_bytes, memory_max_bytes))
        try:
            answer = reason_answer(find(fd))
        except (DecodeError, OSError) as error:
            answer = failure_answer(str(error))
        except MemoryError:
            answer = failure_answer(f"it takes more than {memory_max_bytes >> 20} MiB")
        connection.send(answer)
        status = 0
    except BaseException:  # noqa: BLE001 - the parent answers; nothing of this process may run on
        with suppress(Exception):
            sys.excepthook(*sys.exc_info())
            sys.stderr.flush()
    finally:
        os._exit(status)


def _wait(child: int, deadline_s: float) -> str:
    # Returns how the child failed; empty if it answered.
    pidfd = os.pidfd_open(child)
    try:
        late = not select.select([pidfd], [], [], deadline_s)[0]
        if late:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    finally:
        os.close(pidfd)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if late:
        return f"took longer than {deadline_s:g} s"
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"exited with {status}" if status else ""
