# SPDX-License-Identifier: Apache-2.0
"""A profile made from a container's trace: the same container runs under it, and what it never called is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import Daemon, Runc, hooks, make_bundle, make_root, pod_annotations

from traceloop_cli.sources.archive_files import opened, read
from traceloop_decode.seccomp_profile import Profile, seccomp_profile
from traceloop_decode.snapshot import Snapshot

pytestmark = [pytest.mark.kernel, pytest.mark.runtime]

SCRIPT = (
    "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo $i >/dev/null; done; echo 3*7*2 | bc; cat /etc/passwd | wc -c"
)
"""Makes several times the calls that the ring holds."""
OTHER = "mkdir /tmp/new || echo refused; sleep 0; uname"
RUNS = 5


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Runc, Path, str, Profile]]:
    """runc, a root, what the container printed, and the profile of its trace."""
    directory = tmp_path_factory.mktemp("profile")
    root = make_root(directory / "root")
    with (
        Daemon(config='node = "node1"\n[ring]\nsize = "128K"\n') as daemon,
        Runc(directory / "runc") as runc,
    ):
        bundle = make_bundle(
            directory / "first",
            root,
            ["sh", "-c", SCRIPT],
            hooks=hooks(daemon.hook_socket),
            annotations=pod_annotations("first"),
        )
        ended = runc.run(bundle, "c-profile-first")
        assert ended.returncode == 0, ended.stderr
        daemon.wait_for_log(lambda line: "frozen node1_default_first " in line)
        (trace,) = json.loads(daemon.ctl("list", "-o", "json").stdout)
        assert trace["lost"] > 0
        file = directory / "trace"
        daemon.ctl("dump", trace["id"], "--file", str(file))
        snapshot = Snapshot.decode(opened(read(str(file)), str(file))[1])
        yield runc, root, ended.stdout, seccomp_profile([(trace["id"], snapshot)])


def confined(directory: Path, root: Path, script: str, profile: dict[str, Any]) -> Path:
    bundle = make_bundle(directory, root, ["sh", "-c", script])
    config = json.loads((bundle / "config.json").read_text())
    config["linux"]["seccomp"] = profile
    (bundle / "config.json").write_text(json.dumps(config))
    return bundle


def test_the_same_container_runs_under_its_profile(recorded: tuple[Runc, Path, str, Profile], tmp_path: Path) -> None:
    runc, root, printed, profile = recorded
    bundle = confined(tmp_path / "same", root, SCRIPT, json.loads(profile.text))
    for number in range(RUNS):
        ended = runc.run(bundle, f"c-profile-same-{number}")
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, printed, "")


def test_a_call_that_was_never_seen_is_refused(recorded: tuple[Runc, Path, str, Profile], tmp_path: Path) -> None:
    runc, root, _, profile = recorded
    made = json.loads(profile.text)
    assert "mkdir" not in {name for rule in made["syscalls"] for name in rule["names"]}
    ended = runc.run(confined(tmp_path / "other", root, OTHER, made), "c-profile-other")
    assert "refused" in ended.stdout
    assert "Operation not permitted" in ended.stderr
    free = runc.run(make_bundle(tmp_path / "free", root, ["sh", "-c", OTHER]), "c-profile-free")
    assert "refused" not in free.stdout
