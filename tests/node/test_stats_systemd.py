# SPDX-License-Identifier: Apache-2.0
"""Statistics and `add --unit` with the daemon as a sandboxed service: what it may write, and what it may not do."""

import json

import pytest
from lab.installed import add_users, install
from lab.service import SERVICE, TRACE_FROZEN, Service
from lab.systemd import Systemd
from prometheus import parsed

pytestmark = [pytest.mark.kernel, pytest.mark.systemd]

COLLECTOR = "/var/lib/node-exporter"
DROP_IN = f"[Service]\nReadWritePaths={COLLECTOR}\n"


@pytest.fixture(scope="module")
def lab():
    with Systemd() as lab:
        install(lab)
        lab.run("install", "-d", "-o", "traceloop", COLLECTOR)
        lab.write("/etc/traceloop/traceloop.toml", f'[metrics]\ntextfile = "{COLLECTOR}/traceloop.prom"\n')
        lab.run("systemctl", "enable", "--now", "--quiet", SERVICE)
        yield lab


@pytest.fixture
def service(lab):
    return Service(lab)


def test_a_unit_is_added_by_its_name_and_ends_with_it(service):
    lab = service.lab
    lab.run("systemd-run", "--quiet", "--unit=waiter", "sh", "-c", "while :; do sleep 0.05; done")
    trace = service.ctl("add", "--unit", "waiter").stdout.strip()
    assert trace.endswith("_waiter")
    again = service.ctl("add", "--unit", "waiter.service", check=False)
    assert (again.returncode, again.stderr.split()[-1]) == (1, trace)
    missing = service.ctl("add", "--unit", "no-such", check=False)
    assert missing.returncode == 1
    assert "no cgroup below /sys/fs/cgroup is that of unit no-such.service" in missing.stderr
    lab.run("systemctl", "stop", "waiter")
    lab.wait_for_journal(f"TRACELOOP_ID={trace}", f"MESSAGE_ID={TRACE_FROZEN}")
    assert "execve" in service.ctl("show", trace, "-o", "strace").stdout


def test_the_sandbox_lets_metrics_out_where_it_is_told_to(service):
    lab = service.lab
    lab.wait_for_journal("SYSLOG_IDENTIFIER=traceloopd", "PRIORITY=3")
    (told,) = lab.journal("SYSLOG_IDENTIFIER=traceloopd", "PRIORITY=3")
    assert f"metrics cannot be written to {COLLECTOR}/traceloop.prom: Read-only file system" in told["MESSAGE"]
    with service.drop_in(DROP_IN):
        lab.run("systemctl", "restart", SERVICE)
        wait = f"until [ -s {COLLECTOR}/traceloop.prom ]; do sleep 0.05; done; cat {COLLECTOR}/traceloop.prom"
        families = parsed(lab.run("sh", "-c", wait).stdout)
        assert families["traceloop_recordings_total"].value("daemon") == 0
        modes = lab.run("stat", "--format=%a %U", f"{COLLECTOR}/traceloop.prom").stdout
        assert modes == "644 traceloop\n"


def test_an_adopted_recording_counts_from_then_on(service):
    with service.container("long") as process:
        process.stdin.write("before\n")
        process.stdin.flush()
        assert process.stdout.readline() == "before\n"
        service.lab.run("systemctl", "restart", SERVICE)
        after = json.loads(service.ctl("stats", "-o", "json").stdout)
        (trace,) = [each for each in service.traces() if each["container_id"] == "long"]
        assert (after["adopted"], after["started_by_hook"], after["traces"]["recording"]) == (1, 0, 1)
        assert after["events"] == 0 < trace["events"]
        process.stdin.write("after\n")
        process.stdin.flush()
        assert process.stdout.readline() == "after\n"
        grown = json.loads(service.ctl("stats", "-o", "json").stdout)
        (later,) = [each for each in service.traces() if each["container_id"] == "long"]
        assert 0 < grown["events"] <= later["events"] - trace["events"]


def test_programs_are_not_timed_in_the_sandbox_and_the_remedy_is_named(service):
    refused = service.ctl("stats", "--programs", check=False)
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "`sysctl kernel.bpf_stats_enabled=1`" in refused.stderr
    # Members of the group may query statistics, but not this.
    add_users(service.lab)
    assert service.ctl("stats", user="member").stdout
    assert service.ctl("stats", "--programs", user="member", check=False).returncode == 4
