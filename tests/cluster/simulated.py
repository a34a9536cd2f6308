# SPDX-License-Identifier: Apache-2.0
"""Makes nodes at the API server that no machine is behind, each with a relay's pod: `simulated.py STATE COUNT | STATE 0`.

With COUNT they are made, with 0 those that were made are deleted. While they exist, the controller manager must be stopped:
it would find that the nodes do not report. A program in kubectl's place answers for their relays.
"""

from __future__ import annotations

import http.client
import json
import ssl
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

SERVER = ("10.77.0.1", 6443)
PREFIX = "simulated-"
PODS = "/api/v1/namespaces/traceloop/pods"
LABELS = {"app.kubernetes.io/name": "traceloop", "app.kubernetes.io/component": "relay"}
READY = {"conditions": [{"type": "Ready", "status": "True"}]}
AT_ONCE = 8
TIMEOUT_S = 60


def name_of(number: int) -> str:
    return f"{PREFIX}{number:04}"


class Server:
    def __init__(self, pki: Path) -> None:
        self._context = ssl.create_default_context(cafile=pki / "ca.crt")
        self._context.load_cert_chain(pki / "admin.crt", pki / "admin.key")

    def each(self, numbers: Iterable[int], ask: Callable[[http.client.HTTPSConnection, int], None]) -> None:
        """Asks for each number, over a few connections at once."""
        left = iter(numbers)

        def work(_: int) -> None:
            connection = http.client.HTTPSConnection(*SERVER, context=self._context, timeout=TIMEOUT_S)
            for number in left:  # next() of an iterator is atomic here
                ask(connection, number)
            connection.close()

        with ThreadPoolExecutor(AT_ONCE) as threads:
            list(threads.map(work, range(AT_ONCE)))


def asked(
    connection: http.client.HTTPSConnection, method: str, path: str, body: Any = None, kind: str = "json"
) -> None:
    connection.request(method, path, body and json.dumps(body), {"Content-Type": f"application/{kind}"})
    answer = connection.getresponse()
    said = answer.read()
    if answer.status >= 300:
        raise RuntimeError(f"{method} {path}: {answer.status} {said[:300]!r}")


def made(connection: http.client.HTTPSConnection, number: int) -> None:
    name = name_of(number)
    asked(connection, "POST", "/api/v1/nodes", {"metadata": {"name": name}, "status": READY})
    pod = {
        "metadata": {"name": name, "labels": LABELS},
        "spec": {
            "nodeName": name,
            "automountServiceAccountToken": False,
            "containers": [{"name": "relay", "image": "none"}],
            "tolerations": [{"operator": "Exists"}],
        },
    }
    asked(connection, "POST", PODS, pod)
    status = {"status": {"phase": "Running"} | READY}
    asked(connection, "PATCH", f"{PODS}/{name}/status", status, "strategic-merge-patch+json")


def deleted(connection: http.client.HTTPSConnection, number: int) -> None:
    name = name_of(number)
    asked(connection, "DELETE", f"{PODS}/{name}", {"gracePeriodSeconds": 0})
    asked(connection, "DELETE", f"/api/v1/nodes/{name}")


def main() -> None:
    state, count = Path(sys.argv[1]), int(sys.argv[2])
    noted = state / "simulated"
    if count:
        noted.write_text(str(count))
    Server(state / "pki").each(range(int(noted.read_text())), made if count else deleted)


if __name__ == "__main__":
    main()
