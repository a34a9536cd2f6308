# SPDX-License-Identifier: Apache-2.0
"""``kubectl traceloop``: traceloopctl for the nodes of a cluster.

The plugin only makes its options the address of a cluster; all verbs, and their options, are traceloopctl's.
"""

from __future__ import annotations

import getopt
import os
import sys
from collections.abc import Sequence
from typing import Final

from traceloop_cli.sources.addresses import Cluster

_SHORT: Final = "hn:Al:"
_KUBECTL: Final = ("context", "kubeconfig", "cluster", "user", "as", "as-group", "server", "token", "request-timeout")
_LONG: Final = (
    "help",
    "node=",
    "namespace=",
    "all-namespaces",
    "selector=",
    "agent-namespace=",
    "archive=",
    *(f"{name}=" for name in _KUBECTL),
)
_WITH_ARCHIVE: Final = ("--archive", "-A", "--all-namespaces")
_HELP: Final = """\
Usage: kubectl traceloop [OPTIONS] COMMAND [ARGS]...

  traceloopctl for the nodes of a cluster. `list` shows all nodes; other
  commands find the node that has the trace. COMMAND and ARGS are
  traceloopctl's: `traceloopctl --help`.

Options:
  --node NAME             Ask this node alone.
  -n, --namespace NAME    Only traces of this namespace.
  -A, --all-namespaces    Traces of all namespaces. This is the default.
  -l, --selector LABELS   Only traces of the pods with these labels.
  --agent-namespace NAME  The namespace of the relays.  [default: traceloop]
  --archive REMOTE:PREFIX Read what was shipped to a store, by rclone.
  --context NAME, --kubeconfig FILE, --cluster, --user, --as, --as-group,
  --server, --token, --request-timeout
                          As in kubectl.
"""


def main() -> None:
    """Runs the command line of this process, and exits."""
    try:
        words = translated(sys.argv[1:])
    except getopt.GetoptError as error:
        sys.exit(f"kubectl traceloop: {error}. See `kubectl traceloop --help`.")
    if words is None:
        print(_HELP, end="")
        return
    sys.argv[1:] = words
    os.environ.pop("TRACELOOP_ADDRESS", None)
    from traceloop_cli.__main__ import main as run  # noqa: PLC0415 - not for --help

    run()


def translated(words: Sequence[str]) -> list[str] | None:
    """Returns traceloopctl's command line for the plugin's; None if it asks for help. Raises GetoptError."""
    options, rest = getopt.getopt(list(words), _SHORT, list(_LONG))
    values = dict(options)
    if "-h" in values or "--help" in values:
        return None
    if "--archive" in values:
        if others := [name for name in values if name not in _WITH_ARCHIVE]:
            raise getopt.GetoptError(f"--archive cannot be combined with {others[0]}")
        return ["--archive", values["--archive"], *rest]
    flags = [f"{name}={value}" for name, value in options if name.removeprefix("--") in _KUBECTL]
    namespace = "" if values.keys() & {"-A", "--all-namespaces"} else values.get("-n", values.get("--namespace", ""))
    where = Cluster(
        namespace=values.get("--agent-namespace", "traceloop"),
        node=values.get("--node", ""),
        flags=tuple(flags),
        pods_in=namespace,
        pods_with=values.get("-l", values.get("--selector", "")),
    )
    return ["--address", str(where), *rest]
