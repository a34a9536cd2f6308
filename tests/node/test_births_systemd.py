# SPDX-License-Identifier: Apache-2.0
"""An installed traceloop under a real systemd, unwired: containers and services, and a daemon that dies meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from lab import make_bundle, make_root
from lab.installed import install
from lab.service import SERVICE, Service, running
from lab.systemd import Systemd

pytestmark = [pytest.mark.kernel, pytest.mark.systemd, pytest.mark.runtime]

SETTINGS = '[record]\nunits = ["probe.service", "many@*.service"]\n[ring]\nspare = 24\n'
PROBE = "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'cat /no/probe; exit 3'\n"
MANY = "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'cat /no/many-%i; exit 0'\n"
COUNT = 20
# Starts all of them at about the same time, and waits until all have ended.
ALL = 'for n in $(seq "$2"); do runc --root /run/runc run --bundle "$1/c$n" "c$n" & done; wait'


@pytest.fixture(scope="module")
def lab() -> Iterator[Systemd]:
    with Systemd() as lab:
        install(lab)
        lab.write("/etc/traceloop/traceloop.toml.d/test.toml", SETTINGS)
        lab.write("/etc/systemd/system/probe.service", PROBE)
        lab.write("/etc/systemd/system/many@.service", MANY)
        lab.run("systemctl", "daemon-reload")
        lab.run("systemctl", "enable", "--now", "--quiet", SERVICE)
        yield lab


@pytest.fixture
def service(lab: Systemd) -> Service:
    return running(lab)


def traces(service: Service) -> dict[str, dict[str, Any]]:
    return {trace["container"]: trace for trace in service.traces()}


def events(service: Service, trace: dict[str, Any]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in service.ctl("show", trace["id"], "-o", "jsonl").stdout.splitlines()]


def frozen(service: Service, container: str) -> dict[str, Any]:
    """Waits until a container's trace is frozen; it may not have begun when this is called."""
    entry = service.lab.wait_for_journal(f"CONTAINER_ID={container}", "MESSAGE_ID=a9c94cfb8f2f4f35803fcf88a53ae5e9")
    return next(trace for trace in service.traces() if trace["id"] == entry["TRACELOOP_ID"])


def test_systemds_cgroup_driver(service: Service) -> None:
    """systemd makes the cgroup, so the bundle is found by the parent of the first process in it."""
    directory = service.lab.shared / "driver"
    directory.mkdir()
    root = make_root(directory / "root")
    make_bundle(directory / "b", root, ["/bin/sh", "-c", "cat /no/driver; exit 7"], cgroup="system.slice:runc:driver1")
    config = json.loads((directory / "b/config.json").read_text())
    config["linux"]["cgroupsPath"] = "system.slice:runc:driver1"
    (directory / "b/config.json").write_text(json.dumps(config))
    words = ("runc", "--systemd-cgroup", "--root", "/run/runc", "run", "--bundle", directory / "b", "driver1")
    assert service.lab.run(*words, check=False).returncode == 7
    trace = frozen(service, "driver1")
    assert (trace["exit_code"], trace["lost"]) == (7, 0)
    assert any("/no/driver" in str(event) for event in events(service, trace))


def test_services(service: Service) -> None:
    """A service is recorded at each start, from its first call."""
    for _ in range(2):
        service.lab.run("systemctl", "start", "probe.service", check=False)
    service.lab.run("systemctl", "start", "many@1.service", "many@2.service")
    service.lab.wait_for_journal(
        "MESSAGE_ID=a9c94cfb8f2f4f35803fcf88a53ae5e9", f"TRACELOOP_ID={service.traces()[-1]['id']}"
    )
    of_probe = [trace for trace in service.traces() if trace["container"] == "probe"]
    assert [trace["exit_code"] for trace in of_probe] == [3, 3]
    for trace in of_probe:
        assert any("/no/probe" in str(event) for event in events(service, trace))
    for name in ("many@1", "many@2"):
        assert any(f"/no/many-{name[-1]}" in str(event) for event in events(service, traces(service)[name]))


def test_a_daemon_killed_while_containers_start_and_end(service: Service) -> None:
    """The kernel side records all twenty, and they are named afterwards, from events that no daemon had settled."""
    directory = service.lab.shared / "many"
    directory.mkdir()
    root = make_root(directory / "root")
    for n in range(1, COUNT + 1):
        make_bundle(directory / f"c{n}", root, ["/bin/sh", "-c", f"cat /no/c{n}; exit {n}"], cgroup=f"test-many-{n}")
    with service.drop_in("[Service]\nRestartSec=1\n"):
        before = service.property("MainPID")
        with service.lab.start("sh", "-uc", ALL, "sh", directory, str(COUNT)) as process:
            service.lab.run("kill", "-KILL", before)
            process.communicate(timeout=120)
        service.wait_for_property("MainPID", lambda pid: pid not in (before, "0"))
        service.wait_for_property("ActiveState", lambda state: state == "active")
    for n in range(1, COUNT + 1):
        trace = frozen(service, f"c{n}")
        assert (trace["exit_code"], trace["container"]) == (n, f"c{n}")
        text = str(events(service, trace))
        assert f"/no/c{n}'" in text
        assert not [other for other in range(1, COUNT + 1) if other != n and f"/no/c{other}'" in text]
