# SPDX-License-Identifier: Apache-2.0
"""Asks a running dockerd for its runtimes, which may differ from daemon.json (Docker Engine API, GET /info).

`http.client` suffices for the one request: the docker package would add requests as a dependency.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from traceloop_cli.engines.host import Host
from traceloop_cli.errors import Failed

_SOCKET: Final = "/run/docker.sock"  # where daemon.json names no other
_ANSWER_S: Final = 10


@dataclass(frozen=True, slots=True)
class Running:
    """Runtimes of a dockerd, by name, as in daemon.json. default: the name of the default runtime."""

    runtimes: Mapping[str, Any]
    default: str


def ask(host: Host, hosts: object) -> Running | None:
    """Returns a dockerd's runtimes, None if no dockerd listens. hosts: the value in daemon.json.

    Raises PermissionError, and Failed if the answer is malformed.
    """
    named = [str(one) for one in hosts] if isinstance(hosts, list) else []
    paths = [one.removeprefix("unix://") for one in named if one.startswith("unix://")]
    connection = _Connection(host.path(paths[0] if paths else _SOCKET))
    try:
        connection.request("GET", "/info")
        answer = json.loads(connection.getresponse().read())
        return Running(answer["Runtimes"], answer["DefaultRuntime"])
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except PermissionError:
        raise
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        raise Failed(f"dockerd does not tell which runtimes it has ({error!r})") from error
    finally:
        connection.close()


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_ANSWER_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
