# SPDX-License-Identifier: Apache-2.0
"""traceloop-explain's units under a real systemd: the journal tells why a container failed, and the unit may do nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import hooks, make_bundle, make_root, pod_annotations
from lab.installed import HOOK, install
from lab.service import SERVICE, TRACE_FROZEN, running
from lab.systemd import Systemd

from traceloop_daemon.recording.journal import TRACE_EXPLAINED, TRACE_UNEXPLAINED

pytestmark = [pytest.mark.kernel, pytest.mark.systemd, pytest.mark.runtime]
SOCKET, EXPLAIN = "traceloop-explain.socket", "traceloop-explain.service"
EXPOSURE_MAX = 1.0
SENTENCE = "cat could not open /etc/shop/app.ini: it does not exist."


@pytest.fixture(scope="module")
def lab() -> Iterator[Systemd]:
    with Systemd() as lab:
        install(lab)
        lab.run("systemctl", "enable", "--now", "--quiet", SERVICE)
        make_root(lab.shared / "root")
        yield lab


def run(lab: Systemd, name: str, *args: str) -> None:
    """Runs a pod's container with the distribution's hook to its end."""
    bundle = make_bundle(
        lab.shared / name,
        lab.shared / "root",
        args,
        hooks=hooks("/run/traceloop/hook.sock", hook=Path(HOOK)),
        annotations=pod_annotations(name, namespace="shop"),
        cgroup=f"test-{name}",
    )
    lab.run("runc", "--root", "/run/runc", "run", "--bundle", bundle, name, check=False)


def reasons(lab: Systemd) -> list[tuple[str, str]]:
    """Returns the levels and texts of what the doctor finds about the service."""
    said = lab.run("traceloopctl", "doctor", "-o", "json", "--no-self-test", check=False)
    found = json.loads(said.stdout)["findings"]
    return [(one["level"], one["what"]) for one in found if one["area"] == "reasons"]


def test_the_units_are_well_formed_and_tight(lab: Systemd) -> None:
    checked = lab.run("systemd-analyze", "verify", "--man=no", SOCKET, EXPLAIN)
    assert checked.stdout + checked.stderr == ""
    verdict = lab.run("systemd-analyze", "security", "--no-pager", EXPLAIN).stdout
    level = re.search(rf"level for {EXPLAIN}: ([0-9.]+) ", verdict)
    assert level is not None
    assert float(level[1]) <= EXPOSURE_MAX, verdict


def test_the_journal_tells_the_nights_story(lab: Systemd) -> None:
    service = running(lab)
    assert lab.unit(SOCKET)["ActiveState"] == "active"
    assert lab.run("stat", "--format=%a %U", "/run/traceloop/explain.sock").stdout == "600 traceloop\n"
    run(lab, "orders", "cat", "/etc/shop/app.ini")
    entry = lab.wait_for_journal("POD=orders", f"MESSAGE_ID={TRACE_EXPLAINED}")
    shown = {name: entry.get(name) for name in ("PRIORITY", "NAMESPACE", "NAME", "CONTAINER", "EXIT_CODE", "REASON")}
    assert shown == {
        "PRIORITY": "3",
        "NAMESPACE": "shop",
        "NAME": "shop/orders",
        "CONTAINER": "orders",
        "EXIT_CODE": "1",
        "REASON": SENTENCE,
    }
    trace = entry["TRACELOOP_ID"]
    assert entry["MESSAGE"] == f"{trace} exited with 1: {SENTENCE}"
    assert SENTENCE in service.ctl("list", "--no-trunc").stdout
    assert SENTENCE in service.ctl("why", trace).stdout
    explained = lab.run("journalctl", "--no-pager", "-x", f"MESSAGE_ID={TRACE_EXPLAINED}").stdout
    assert f"traceloopctl why {trace}" in explained
    # A container that ends well, or as it was asked to, is no part of that story.
    run(lab, "well", "true")
    lab.wait_for_journal("CONTAINER_ID=well", f"MESSAGE_ID={TRACE_FROZEN}")
    run(lab, "after", "cat", "/nowhere")
    lab.wait_for_journal("CONTAINER_ID=after", f"MESSAGE_ID={TRACE_EXPLAINED}")
    story = lab.journal("--priority=err", "SYSLOG_IDENTIFIER=traceloopd")
    assert [(one["CONTAINER_ID"], one["MESSAGE_ID"]) for one in story] == [
        ("orders", TRACE_EXPLAINED),
        ("after", TRACE_EXPLAINED),
    ]
    (ended,) = lab.journal("POD=orders", f"MESSAGE_ID={TRACE_FROZEN}")
    assert (ended["PRIORITY"], ended["REASON"]) == ("5", "exited with 1")
    assert lab.journal("_SYSTEMD_UNIT=" + EXPLAIN, "_TRANSPORT=stderr") == []


def test_what_reads_traces_may_do_nothing_else(lab: Systemd) -> None:
    running(lab)
    run(lab, "before", "cat", "/nowhere")
    lab.wait_for_journal("CONTAINER_ID=before", f"MESSAGE_ID={TRACE_EXPLAINED}")
    pid = lab.unit(EXPLAIN)["MainPID"]
    assert pid != "0"
    status = dict(line.split(":", 1) for line in lab.run("cat", f"/proc/{pid}/status").stdout.splitlines())
    shown = {name: status[name].strip() for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")}
    assert shown == {
        **dict.fromkeys(("CapEff", "CapPrm", "CapBnd", "CapAmb"), "0" * 16),
        "NoNewPrivs": "1",
        "Seccomp": "2",
    }
    uid, traceloop = int(status["Uid"].split()[0]), int(lab.run("id", "-u", "traceloop").stdout)
    assert uid not in (0, traceloop)
    groups = lab.run("id", "-G", "traceloop").stdout.split()
    assert not {*status["Groups"].split(), status["Gid"].split()[0]} & set(groups)
    inside = ("nsenter", f"--target={pid}", "--mount", "--net")
    assert lab.run(*inside, "ls", "/sys/class/net", check=False).stdout.split() in ([], ["lo"])
    assert lab.run(*inside, "ls", "/var/lib/traceloop", "/run/traceloop", check=False).returncode != 0


def test_it_stops_with_the_daemon_and_comes_back_with_it(lab: Systemd) -> None:
    service = running(lab)
    lab.run("systemctl", "stop", "traceloopd-hook.socket", SERVICE)
    assert lab.unit(SOCKET)["ActiveState"] == lab.unit(EXPLAIN)["ActiveState"] == "inactive"
    lab.run("systemctl", "start", SERVICE)
    run(lab, "again", "cat", "/nowhere")
    lab.wait_for_journal("CONTAINER_ID=again", f"MESSAGE_ID={TRACE_EXPLAINED}")
    lab.run("systemctl", "mask", "--now", "--runtime", SOCKET)
    run(lab, "without", "cat", "/nowhere")
    # systemd forgets of a masked socket that it removes the file, so only asking tells the daemon.
    told = lab.wait_for_journal("CONTAINER_ID=without", "--priority=err")
    assert (told["MESSAGE_ID"], "Connection refused" in told["MESSAGE"]) == (TRACE_UNEXPLAINED, True)
    lab.run("rm", "/run/traceloop/explain.sock")
    run(lab, "nobody", "cat", "/nowhere")
    told = lab.wait_for_journal("CONTAINER_ID=nobody", "--priority=err")
    assert told["MESSAGE_ID"] == TRACE_FROZEN
    (listed,) = (one for one in service.traces() if one["container_id"] == "without")
    assert (listed["exit_code"], listed["reason"]) == (1, None)
    lab.run("systemctl", "unmask", "--runtime", SOCKET)
    lab.run("systemctl", "restart", SERVICE)
    lab.run("systemctl", "is-active", SOCKET)
    # What was not explained is, without an entry: it is no news.
    follow = lab.start("traceloopctl", "list", "--follow", "-o", "json")
    with follow:
        assert follow.stdout is not None
        changes = map(json.loads, follow.stdout)
        reason = next(one["reason"] for one in changes if one["container_id"] == "without" and one["reason"])
        follow.kill()
    assert reason == "cat could not open /nowhere: it does not exist."
    assert not lab.journal("CONTAINER_ID=without", f"MESSAGE_ID={TRACE_EXPLAINED}")
    assert len(lab.journal("CONTAINER_ID=without", "--priority=err")) == 1


def test_a_failure_is_one_error_where_the_service_fails(lab: Systemd) -> None:
    running(lab)
    lab.run("systemctl", "mask", "--now", "--runtime", EXPLAIN)
    run(lab, "failing", "cat", "/nowhere")
    told = lab.wait_for_journal("CONTAINER_ID=failing", "--priority=err")
    assert told["MESSAGE_ID"] == TRACE_UNEXPLAINED
    assert "exited with 1; its reason was not found: /run/traceloop/explain.sock: " in told["MESSAGE"]
    failing = reasons(lab)
    assert [level for level, _ in failing] == ["warning", "warning"], failing
    # systemd gives up a socket whose service cannot be started.
    assert failing[0][1] == "traceloop-explain is not set up: there is no /run/traceloop/explain.sock"
    assert re.match(r"of \d+ traces, \d+ have no reason: traceloop-explain failed", failing[1][1])
    lab.run("systemctl", "unmask", "--runtime", EXPLAIN)
    lab.run("systemctl", "restart", SOCKET)
    assert reasons(lab)[0] == ("ok", "traceloop-explain answers")
    stats = json.loads(lab.run("traceloopctl", "stats", "-o", "json").stdout)
    assert 0 < stats["reasons_failed"] <= stats["reasons_asked"]
    assert len(lab.journal("CONTAINER_ID=failing", "--priority=err")) == 1
