# SPDX-License-Identifier: Apache-2.0
"""Real containers die in known ways, and `why` names the cause of each in its first sentences."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from deaths import DEATHS, PYTHON, said
from lab import Daemon, Runc
from lab.deathbed import Deathbed
from lab.memory import MemoryCgroup
from recorded_cgroups import Workloads, cgroup2_mount

HOOKED = ("missing-configuration", "no-program", "ignored-sigterm", "seccomp-kill", "capability-bind", "healthy")
pytestmark = [pytest.mark.kernel, pytest.mark.runtime]


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deathbed]:
    directory = tmp_path_factory.mktemp("why")
    with Daemon(config='node = "n"\n', births=True) as daemon, Runc(directory / "runc") as runc:
        yield Deathbed(directory, daemon, runc)


@pytest.fixture(scope="module")
def hooked_bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deathbed]:
    directory = tmp_path_factory.mktemp("why")
    with Daemon(config='node = "n"\n') as daemon, Runc(directory / "runc") as runc:
        yield Deathbed(directory, daemon, runc, hooked=True)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory, workload: Workloads) -> dict[str, Path]:
    """Programs of DEATHS: one needs a library that its container does not have."""
    directory = tmp_path_factory.mktemp("programs")
    library, program = directory / "libshopcore.so.3", directory / "needs_library"
    (directory / "library.c").write_text("int shop(void) { return 1; }\n")
    (directory / "main.c").write_text("int shop(void); int main(void) { return shop(); }\n")
    soname = f"-Wl,-soname,{library.name}"
    subprocess.run(["gcc", "-shared", "-fPIC", soname, "-o", library, directory / "library.c"], check=True)
    subprocess.run(["gcc", "-o", program, directory / "main.c", library], check=True)
    deep = Path(workload("deep_fault", "-O0", "-Wl,--build-id"))
    return {"needs_library": program, "faults": Path(workload("faults")), "deep_fault": deep}


@pytest.mark.parametrize("name", DEATHS)
def test_the_cause_is_named(name: str, bed: Deathbed, programs: dict[str, Path], tmp_path: Path) -> None:
    check_cause(name, bed, programs, tmp_path)


@pytest.mark.parametrize("name", HOOKED)
def test_it_is_named_by_the_hook(name: str, hooked_bed: Deathbed, programs: dict[str, Path], tmp_path: Path) -> None:
    check_cause(name, hooked_bed, programs, tmp_path)


def check_cause(name: str, bed: Deathbed, programs: dict[str, Path], tmp_path: Path) -> None:
    """Runs a container to its death, and checks what `why` says of it."""
    death = DEATHS[name]
    binds = {programs[death.program]: f"/tmp/{death.program}"} if death.program else {}
    for path, data, mode in death.files:
        place = tmp_path / Path(path).name
        if path.endswith("/"):
            place.mkdir()
        else:
            place.write_bytes(data)
        place.chmod(mode)
        binds[place] = path.rstrip("/")
    if death.during is not None:
        with bed.started(name, *death.args, binds=binds, change=death.change) as process:
            death.during(bed, name, process)
    else:
        bed.run(name, *death.args, binds=binds, change=death.change)
    screen = bed.daemon.ctl("why", f"n_{name}").stdout
    causes = json.loads(bed.daemon.ctl("why", f"n_{name}", "-o", "json").stdout)["causes"]
    sentences = [cause["sentence"] for cause in causes]
    assert len(screen.splitlines()) <= 30
    if not death.says:
        assert not sentences, screen
        return
    assert any(re.search(death.says, sentence) for sentence in sentences[:2]), screen
    if death.then:
        wanted = (death.says, *death.then)
        assert len(sentences) >= len(wanted), screen
        assert all(re.search(says, found) for says, found in zip(wanted, sentences, strict=False)), screen
    assert sentences[0] in screen
    whole = bed.daemon.ctl("why", f"n_{name}", "--verbose").stdout
    assert all(sentence in whole for sentence in sentences)
    assert re.search(death.shows, " ".join(whole.split())), whole
    evidence = [one for cause in causes for one in cause["evidence"]]
    assert evidence
    assert all(one["at"] in whole for one in evidence)


def test_a_container_that_runs(bed: Deathbed) -> None:
    code = "import os; print('ready', flush=True); os.read(os.pipe()[0], 1)"
    with bed.started("alive", PYTHON, "-c", code) as process:
        said(process, "ready")
        screen = bed.daemon.ctl("why", "n_alive").stdout
        bed.runc("kill", "alive", "KILL")
    assert "ended     it is still running" in screen
    assert not re.search("^(why|also|note) ", screen, re.MULTILINE)
    assert "stdout    | ready" in screen


def test_a_container_that_was_out_of_memory_is_told_from_others(bed: Deathbed) -> None:
    """The list, the facts and the log say it, with the limit; SIGKILL from a process is another end."""
    death, limit = DEATHS["out-of-memory"], 30 << 20
    bed.run("short", *death.args, change=death.change)
    with bed.started("ended", "/bin/sh", "-c", "echo ready; cat", change=death.change) as process:
        said(process, "ready")
        bed.runc("kill", "ended", "KILL")
    traces = {one["id"]: one for one in json.loads(bed.daemon.ctl("list", "-o", "json").stdout)}
    short, other = traces["n_short"], traces["n_ended"]
    assert (short["signal"], short["out_of_memory"], short["oom_kills"], short["memory_limit_bytes"]) == (
        9,
        True,
        1,
        limit,
    )
    assert short["oom_by_limit"] == 1
    assert (short["memory_peak_bytes"] or limit) <= limit  # the runtime may have removed the cgroup before it was read
    assert (other["signal"], other["out_of_memory"], other["oom_kills"]) == (9, False, 0)
    table = bed.daemon.ctl("list").stdout.splitlines()
    assert [line for line in table if "n_short" in line and "(out of memory: its limit is 30 MiB)" in line], table
    assert not [line for line in table if "n_ended" in line and "out of memory" in line], table
    info = bed.daemon.ctl("info", "n_short").stdout
    assert f"memory_limit_bytes: {limit}\n" in info
    assert info.startswith("why: The kernel killed python3: out of memory: the container's limit is 30 MiB")


def test_the_memory_of_a_cgroup_that_is_still_there(bed: Deathbed) -> None:
    """A child is out of memory. The limit is set after recording began, and the cgroup outlives its last process."""
    limit, mount = 24 << 20, cgroup2_mount()
    assert mount is not None
    fills = "import os\nif os.fork() == 0:\n x = []\n while True: x.append(b'x' * (1 << 20))\nos.wait()\nos._exit(137)"
    with MemoryCgroup() as memory:
        own = mount / memory.path.name
        own.mkdir(exist_ok=True)
        bed.daemon.ctl("add", "--cgroup", f"/{own.name}", "--name", "fills")
        memory.limit(limit)
        entered = f'echo $$ > {own}/cgroup.procs && exec "$@"'
        ended = subprocess.run(
            [*memory.wrapper, "sh", "-c", entered, "sh", PYTHON, "-S", "-c", fills], check=False, timeout=60
        )
        assert ended.returncode == 137
        bed.daemon.wait_for_log(lambda line: "frozen n_fills" in line)
        assert memory.kills() == 1
    (found,) = (one for one in json.loads(bed.daemon.ctl("list", "-o", "json").stdout) if one["id"] == "n_fills")
    assert (found["memory_limit_bytes"], found["oom_kills"], found["oom_by_limit"]) == (limit, 1, 1)
    assert limit - (2 << 20) < found["memory_peak_bytes"] <= limit
