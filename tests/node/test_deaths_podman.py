# SPDX-License-Identifier: Apache-2.0
"""Deaths that an engine brings about: `why` names the engine, and what it did in the container before."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from lab import Daemon
from lab.bundle import HOOK
from lab.podman import IMAGE, Podman
from test_podman import install

pytestmark = [pytest.mark.kernel, pytest.mark.engine("podman")]


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with Daemon(config='node = "n"\n') as daemon:
        yield daemon


@pytest.fixture(scope="module", params=["runc", pytest.param("crun", marks=pytest.mark.engine("crun"))])
def podman(request: pytest.FixtureRequest, daemon: Daemon) -> Iterator[Podman]:
    with Podman(request.param) as podman:
        podman.runtime = request.param  # type: ignore[attr-defined]
        install(podman, hook=HOOK, socket=daemon.hook_socket)
        yield podman


def causes(daemon: Daemon, trace: str) -> list[dict[str, Any]]:
    daemon.wait_for_log(lambda line: f"frozen {trace} " in line)
    return json.loads(daemon.ctl("why", trace, "-o", "json").stdout)["causes"]


def test_a_stop_that_process_1_ignores(podman: Podman, daemon: Daemon) -> None:
    name = f"stubborn-{podman.runtime}"  # type: ignore[attr-defined]
    podman("run", "--detach", "--name", name, IMAGE, "sh", "-c", "while :; do sleep 1; done")
    podman("exec", name, "cat", "/tmp/healthy", check=False)
    podman("stop", "--time", "1", name)
    found = causes(daemon, f"n_{name}")
    assert re.fullmatch(
        r"SIGTERM from \S+ \(pid \d+\) was ignored by process 1, sh: it has no handler; killed \d+\.\d s later by SIGKILL\.",
        found[0]["sentence"],
    )
    said = [cause["sentence"] for cause in found]
    probe = "cat could not open /tmp/healthy: it does not exist. This was a command that the engine executed"
    assert any(sentence.startswith(probe) for sentence in said), said


def test_a_program_that_is_not_there(podman: Podman, daemon: Daemon) -> None:
    name = f"absent-{podman.runtime}"  # type: ignore[attr-defined]
    podman("run", "--name", name, IMAGE, "/bin/nosuch", check=False)
    found = causes(daemon, f"n_{name}")
    assert found[0]["sentence"] == "The program /bin/nosuch does not exist."
    assert found[0]["sure"] == "certain"


def test_a_file_that_is_not_there(podman: Podman, daemon: Daemon) -> None:
    name = f"missing-{podman.runtime}"  # type: ignore[attr-defined]
    podman("run", "--name", name, IMAGE, "cat", "/etc/shop/app.conf", check=False)
    (found,) = causes(daemon, f"n_{name}")
    assert found["sentence"] == "cat could not open /etc/shop/app.conf: it does not exist."
    assert found["sure"] == "certain"
