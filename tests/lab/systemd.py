# SPDX-License-Identifier: Apache-2.0
"""Boots a real systemd as process 1 of namespaces of its own, and runs commands there.

::

    with Systemd() as lab:
        lab.write("/etc/systemd/system/hello.service", "[Service]\\nType=oneshot\\nExecStart=echo hello\\n")
        lab.run("systemctl", "start", "hello.service")
        (entry,) = lab.journal("_SYSTEMD_UNIT=hello.service", "_TRANSPORT=stdout")
        assert entry["MESSAGE"] == "hello"

The lab sees this machine's root file system, or another one, under a layer in memory, with none of its units enabled.
Mounts, processes, network, host name and IPC are the lab's own; only cgroup2 is mounted. The project is mounted
read-only at its own path, and `lab.shared` is the same directory inside and outside. The kernel, with its BPF programs
and its clock, is shared with the machine.

Needs root. Nothing outlives the `with` block, or this process if it is killed in it: keeper.py ensures that.
"""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Self

from recorded_cgroups import cgroup2_mount

from lab.keeper import JOIN

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
NAMESPACES = ("--mount", "--pid", "--fork", "--uts", "--ipc", "--net", "--cgroup")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Systemd:
    """A systemd that has reached basic.target once constructed."""

    def __init__(self, *, root: Path = Path("/"), boot_s: float = 60) -> None:
        # Not in a test's own directory: the path of a unix socket has at most 107 bytes (unix(7)).
        self.directory = Path(tempfile.mkdtemp(prefix="traceloop-lab-"))
        self.shared = self.directory / "shared"
        self.shared.mkdir()
        self.directory.chmod(0o755)  # other users of the lab read what is shared
        mount = cgroup2_mount()
        assert mount is not None
        self._cgroup = mount / self.directory.name
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(self.shared / "notify"))
            unshare = ["unshare", *NAMESPACES, "--propagation=private", "--kill-child"]
            boot: list[str | Path] = [*unshare, HERE / "boot.sh", self.directory, PROJECT, root]
            keep: list[str | Path] = [sys.executable, HERE / "keeper.py", self._cgroup, self.directory]
            self._keeper = subprocess.Popen(
                [*keep, *boot],
                stdin=subprocess.PIPE,
                start_new_session=True,
            )
            try:
                self._wait_for_boot(notify, time.monotonic() + boot_s)
                self.pid = int((self.directory / "pid").read_text())
                """The pid of its process 1 on this machine."""
                (self._cgroup / "machine/lab").mkdir()
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kills all processes inside, and waits until they are gone."""
        self._keeper.communicate(timeout=60)

    def run(
        self, *words: str | Path, check: bool = True, user: str = "", stdin: str = "", timeout_s: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command inside, as root or as `user`; with `check` it must succeed."""
        ended = subprocess.run(
            self._command(words, user), input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False
        )
        assert not check or ended.returncode == 0, f"{' '.join(map(str, words))}: {ended.stderr}{ended.stdout}"
        return ended

    def start(self, *words: str | Path, user: str = "", stdout: IO[str] | None = None) -> subprocess.Popen[str]:
        """Starts a command as `run` does, with pipes, or with its output in the file `stdout`; the caller waits."""
        pipe = subprocess.PIPE
        return subprocess.Popen(self._command(words, user), stdin=pipe, stdout=stdout or pipe, stderr=pipe, text=True)

    def write(self, path: str, text: str, *, mode: int = 0o644) -> None:
        """Writes a file inside, and makes the directories above it."""
        script = 'mkdir -p "$(dirname "$0")" && cat >"$0" && chmod "$1" "$0"'
        self.run("sh", "-c", script, path, f"{mode:o}", stdin=text)

    def path(self, path: str) -> Path:
        """Returns the path outside the lab of a file in it."""
        return Path(f"/proc/{self.pid}/root") / path.lstrip("/")

    def journal(self, *words: str) -> list[dict[str, Any]]:
        """Returns the entries that journalctl finds by these words, oldest first."""
        self.run("journalctl", "--sync")
        lines = self.run("journalctl", "--no-pager", "--all", "--output=json", *words).stdout.splitlines()
        return [json.loads(line) for line in lines]

    @staticmethod
    def since_now() -> str:
        """Returns the journalctl option that limits a search to entries written from now on."""
        # Not a cursor: combined with other words, it makes journalctl 252 skip the first entry that fits.
        return f"--since=@{time.time():.6f}"

    def wait_for_journal(self, *words: str, timeout_s: float = 30) -> dict[str, Any]:
        """Returns the first entry that fits, as soon as it is written; without `since_now`, from the boot on."""
        command = ["journalctl", "--follow", "--no-tail", "--all", "--output=json", *words]
        with self.start(*command) as follower:
            assert follower.stdout is not None
            try:
                ready, _, _ = select.select([follower.stdout], [], [], timeout_s)
                assert ready, f"journalctl {' '.join(words)} found nothing in {timeout_s:g} s\n{self.log()}"
                entry: dict[str, Any] = json.loads(follower.stdout.readline())
                return entry
            finally:
                follower.kill()

    def outer_pid(self, pid: int) -> int:
        """Returns the pid that a process of the lab has on this machine."""
        for status in Path("/proc").glob("[0-9]*/status"):
            with suppress(OSError):  # it has ended
                line = next(line for line in status.read_text().splitlines() if line.startswith("NSpid:"))
                if line.split()[2:] == [str(pid)] and self._is_inside(status.parent):
                    return int(line.split()[1])
        raise AssertionError(f"no process {pid} in the lab")

    def unit(self, name: str) -> Mapping[str, str]:
        """Returns all properties that `systemctl show` lists for a unit."""
        lines = self.run("systemctl", "show", name).stdout.splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def log(self) -> str:
        """Returns the end of the journal as text, for the messages of failed tests."""
        return self.run("journalctl", "--no-pager", "--lines=100", check=False).stdout

    def _is_inside(self, process: Path) -> bool:
        return (process / "ns/pid").readlink() == Path(f"/proc/{self.pid}/ns/pid").readlink()

    def _command(self, words: tuple[str | Path, ...], user: str) -> list[str | Path]:
        # The command joins a cgroup that ends with the lab, and ends by itself when nobody waits for it any more.
        enter: list[str | Path] = [
            "/bin/sh",
            "-c",
            JOIN,
            self._cgroup / "machine/lab",
            "nsenter",
            f"--target={self.pid}",
            "--all",
        ]
        alone = ["--", "env", "-i", f"PATH={PATH}", "LANG=C.UTF-8", "setpriv", "--pdeathsig=KILL"]
        who = (
            ["sh", "-c", 'exec setpriv --reuid="$0" --regid="$(id -g "$0")" --init-groups -- "$@"', user]
            if user
            else []
        )
        return [*enter, *alone, "--", *who, *words]

    def _wait_for_boot(self, notify: socket.socket, end: float) -> None:
        """Waits until process 1 says READY=1, as sd_notify(3) describes."""
        keeper = os.pidfd_open(self._keeper.pid)
        try:
            waited: list[socket.socket | int] = [notify, keeper]
            while ready := select.select(waited, [], [], max(0.0, end - time.monotonic()))[0]:
                if notify not in ready:
                    break
                if "READY=1" in notify.recv(4096).decode().splitlines():
                    return
        finally:
            os.close(keeper)
        raise AssertionError(f"systemd did not boot; it said:\n{(self.directory / 'console').read_text()}")
