# SPDX-License-Identifier: Apache-2.0
"""The user's own kubectl: reads from the API server, and the way to a daemon's socket through a relay's pod.

All authentication is kubectl's. A relay is a pod of the node that sees the daemon's socket (docs/fleet.md); the far end
is ``traceloopctl bridge`` in it.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from traceloop_cli.errors import CliError, Denied, Failed, Unreachable
from traceloop_cli.remote.way import way

_OWN: Final[dict[int, type[CliError]]] = {3: Unreachable, 4: Denied}
_PREFIX: Final = "traceloopctl: "
_FORBIDDEN: Final = "(Forbidden)"
_PROLOGUES: Final = ("error: ", "Error from server ")
_Item = TypeVar("_Item")


class Place(Protocol):
    """A cluster. namespace: of the relays. path: the daemon's socket on a node. flags: of kubectl."""

    @property
    def namespace(self) -> str: ...

    @property
    def path(self) -> str: ...

    @property
    def flags(self) -> Sequence[str]: ...


def program() -> str:
    """Returns the kubectl to run: the one that runs the plugin, if it says so (since 1.33)."""
    return os.environ.get("KUBECTL_PATH") or "kubectl"


class Thing(NamedTuple):
    """A pod or node. node: the pod's; empty if it has none yet. is_ending: it is being deleted."""

    namespace: str
    name: str
    node: str
    is_ready: bool
    is_ending: bool


def read(flags: Sequence[str], path: str) -> list[Thing]:
    """Returns the pods or nodes of a list at the API server, from its cache. flags: of kubectl. Raises CliError."""
    return items(flags, path, _thing)


def items(flags: Sequence[str], path: str, made: Callable[[Any], _Item]) -> list[_Item]:
    """Returns what is made of each item of a list, as `read` does. made: raises TypeError for what is no such item."""
    words = [program(), *flags, "get", "--raw", f"{path}{'&' if '?' in path else '?'}resourceVersion=0"]
    try:
        ended = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError as error:
        raise Failed(f"cannot run {words[0]}: {error.strerror}; install kubectl, or set KUBECTL_PATH") from error
    if ended.returncode:
        lines = ended.stderr.decode("utf-8", "replace").strip().splitlines()
        raise _refused(lines[-1] if lines else f"kubectl ended with status {ended.returncode}")
    try:
        return [made(item) for item in json.loads(ended.stdout)["items"] or ()]  # null: Go's empty list
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        kind = path.partition("?")[0].rpartition("/")[2]
        raise Failed(f"kubectl get --raw {path}: the answer is not a list of {kind}") from error


def _thing(item: Any) -> Thing:
    about = item["metadata"]
    namespace, name, node = about.get("namespace", ""), about["name"], item.get("spec", {}).get("nodeName", "")
    if not all(isinstance(one, str) for one in (namespace, name, node)):
        raise TypeError
    conditions = item.get("status", {}).get("conditions") or ()
    is_ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return Thing(namespace, name, node, is_ready, "deletionTimestamp" in about)


@contextmanager
def pod_way(where: Place, pod: str, node: str, wait_s: float) -> Iterator[str]:
    """Yields the path of a local socket that leads to the daemon's socket on a node. Raises CliError."""
    words = (*where.flags, f"--namespace={where.namespace}", "exec", "--stdin", pod, "--container=relay", "--")
    command = [program(), *words, "traceloopctl", "--address", f"unix:{where.path}", "bridge"]
    with way(command, partial(explained, node, wait_s), wait_s) as local:
        yield local


def explained(node: str, wait_s: float, status: int | None, line: str) -> CliError:
    """Returns the error of a kubectl that ended before the far end greeted. status: None if it did not end in time."""
    if status is None:
        return Unreachable(f"{node}: no answer in {wait_s:g} s")
    if line.startswith(_PREFIX):
        return _OWN.get(status, Failed)(f"{node}: {line.removeprefix(_PREFIX)}")
    return _refused(f"{node}: {_stripped(line) or f'kubectl ended with status {status}'}")


def _stripped(line: str) -> str:
    for prologue in _PROLOGUES:
        line = line.removeprefix(prologue)
    return line


def _refused(line: str) -> CliError:
    what = _stripped(line)
    if _FORBIDDEN not in line:
        return Unreachable(what)
    return Denied(f"{what.replace(f'{_FORBIDDEN}: ', '')}; docs/fleet.md names the roles that permit it")
