# SPDX-License-Identifier: Apache-2.0
"""What a running dockerd knows of runtimes, whatever daemon.json says by now (Docker Engine API, GET /info)."""

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
    """runtimes: as in daemon.json, by their names. default: the name of the one that containers get unasked."""

    runtimes: Mapping[str, Any]
    default: str


def ask(host: Host, hosts: object) -> Running | None:
    """None where no dockerd listens. hosts: of daemon.json. Raises PermissionError, and Failed for a strange answer."""
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
        raise Failed(f"dockerd does not say which runtimes it has ({error!r})") from error
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
