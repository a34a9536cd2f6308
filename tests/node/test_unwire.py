# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F401, F811 - fixtures
"""The script that packages run before removal, against other users' processes with misleading names."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from engine_host import Made, host

from traceloop_cli.engines.running import runs, started_before

pytestmark = pytest.mark.kernel  # needs root, to become another user

SCRIPT = Path(__file__).parents[2] / "packaging/unwire-engines.sh"
NOBODY = 65534
WAITS = ["60"]
OURS = '{"binary_name":"/usr/libexec/oci/hooks.d/traceloop-runtime","root":"/run"}'  # as Go writes it
ESCAPES = "\033[31mred\\033[32m\nline"
TIMEOUT_S = 60

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def anywhere() -> Iterator[Path]:
    """A directory that other users may enter."""
    with TemporaryDirectory(prefix="traceloop-unwire-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def start(anywhere) -> Iterator[Start]:
    """A function that starts a waiting process from a program of the given name."""
    with ExitStack() as stack:

        def start(name: str, words=WAITS, *, uid=0, mode=0o755, prefix=(), cwd=anywhere, of="/bin/sleep"):
            program = anywhere / f"bin-{uid}-{mode:o}" / name
            program.parent.mkdir(exist_ok=True)
            if not program.exists():
                shutil.copy(of, program)
            program.chmod(mode)
            command = [*prefix, program, *words]
            process = stack.enter_context(subprocess.Popen(command, cwd=cwd, user=uid, stdin=subprocess.PIPE))
            stack.callback(process.kill)
            return process

        yield start


@pytest.fixture
def bundle(anywhere) -> Path:
    """A container's directory, as containerd's shim has it."""
    directory = anywhere / f"id-{ESCAPES}"
    directory.mkdir()
    (directory / "options.json").write_text(OURS)
    return directory


@pytest.fixture
def unwire(anywhere) -> Callable[[], subprocess.CompletedProcess[str]]:
    script = anywhere / "unwire-engines"
    ctl = Path(sys.executable).with_name("traceloopctl")
    text = SCRIPT.read_text().replace("/usr/bin/traceloopctl", str(ctl))
    script.write_text(text.replace("/run/traceloop-unwired", str(anywhere / "unwired")))
    script.chmod(0o755)

    def run() -> subprocess.CompletedProcess[str]:
        # timeout(1) also ends its children, which may wait for a pipe.
        command = ["timeout", "--kill-after=1", str(TIMEOUT_S), script]
        return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)

    return run


@pytest.mark.parametrize("who", ["another", "another, by a program lent to him", "a container's root"])
@pytest.mark.parametrize("planted", ["text", "pipe", "link to a pipe", "endless"])
def test_nobody_but_root_is_asked(start, bundle, unwire, who, planted) -> None:
    options = bundle / "options.json"
    if planted != "text":
        options.unlink()
        os.mkfifo(bundle / "pipe")
        {
            "pipe": lambda: (bundle / "pipe").rename(options),
            "link to a pipe": lambda: options.symlink_to("pipe"),
            "endless": lambda: options.symlink_to("/dev/zero"),
        }[planted]()
    if who == "a container's root":
        start("containerd-shim", cwd=bundle, prefix=("unshare", "--mount", "--propagation", "private"))
    else:
        start("containerd-shim", cwd=bundle, uid=NOBODY, mode=0o4755 if "lent" in who else 0o755)
    ended = unwire()
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


@pytest.mark.parametrize("uid", [NOBODY, 0])
def test_podmans_keepers_too(start, unwire, uid) -> None:
    words = ["-c", "read _; :", "sh", "--runtime", "/x/traceloop-runtime", "--cid", ESCAPES.replace("\n", " ")]
    start("conmon", words, uid=uid, of="/bin/sh")
    ended = unwire()
    assert ended.returncode == (0 if uid else 1)
    assert (r"?[31mred\033[32m line" in ended.stderr) == (not uid)


def test_roots_keepers_are_found_and_printed_harmlessly(start, bundle, unwire) -> None:
    start("containerd-shim", cwd=bundle)
    ended = unwire()
    assert (ended.returncode, ended.stdout) == (1, "")
    first, second = ended.stderr.splitlines()
    assert first.startswith("traceloop: traceloop-runtime started these containers, and they cannot be stopped")
    assert r"id-?[31mred\033[32m line" in first
    assert second.startswith("traceloop: remove them")


@pytest.mark.parametrize("planted", ["pipe", "another's"])
def test_roots_keepers_files_are_plain_and_roots(start, bundle, unwire, planted) -> None:
    options = bundle / "options.json"
    if planted == "pipe":
        options.unlink()
        os.mkfifo(options)
    else:
        os.chown(options, NOBODY, NOBODY)
    start("containerd-shim", cwd=bundle)
    assert unwire().returncode == 0


def test_a_service_of_anothers_is_none(start, anywhere, tmp_path) -> None:
    (tmp_path / "config").write_text("")
    start("containerd", uid=NOBODY, mode=0o4755)
    start("dockerd", uid=NOBODY)
    changed = tmp_path / "changed"
    changed.write_text("")
    assert not runs("dockerd")
    assert not started_before("containerd", [changed])
    start("dockerd")
    assert runs("dockerd")


def test_nobody_else_can_hold_the_lock(host: Made) -> None:
    host.program("podman")
    engines = host.write("etc/traceloop/engines/other.json.before", "").parent
    with subprocess.Popen(["flock", engines, "sh", "-c", "echo locked; read _"], stdin=-1, stdout=-1) as holder:
        assert holder.stdout.readline() == b"locked\n"
        host("enable", "podman")
        host("disable", "podman")
        assert not (engines / ".lock").exists()
        holder.communicate()


@pytest.mark.parametrize("planted", ["pipe", "endless"])
def test_a_configuration_that_is_no_file(host: Made, planted) -> None:
    host.program("podman")
    path = host.write("etc/containers/containers.conf", "")
    path.unlink()
    os.mkfifo(path) if planted == "pipe" else path.symlink_to("/dev/zero")
    assert "cannot read /etc/containers/containers.conf: it is not a regular file" in host(
        "enable", "podman", fails=True
    )
