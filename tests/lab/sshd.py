# SPDX-License-Identifier: Apache-2.0
"""A real sshd on a port of this machine, with keys and a configuration of its own; and an ssh that knows its hosts."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

BIN: Final = Path(sys.executable).parent
_PRIVILEGE_SEPARATION: Final = Path("/run/sshd")  # compiled in; made by sshd's unit


class Sshd:
    """An sshd whose sessions find traceloopctl. hosts: names that lead to it.

    directory: for its files. server, client: further lines of the two configurations.
    """

    def __init__(self, directory: Path, hosts: Sequence[str], *, server: str = "", client: str = "") -> None:
        self._directory, self._made = directory, not _PRIVILEGE_SEPARATION.exists()
        _PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / name], check=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._write("sshd_config", f"""\
            Port {port}
            ListenAddress 127.0.0.1
            HostKey {directory}/host
            AuthorizedKeysFile {directory}/user.pub
            PidFile none
            UsePAM no
            StrictModes no
            PermitRootLogin prohibit-password
            MaxStartups 100
            SetEnv PATH={BIN}:/usr/bin:/bin
            {server}""")  # fmt: skip
        known = (directory / "host.pub").read_text()
        self._write("known_hosts", f"[127.0.0.1]:{port} {known}")
        self._write("config", f"""\
            Host {" ".join(hosts)}
            HostName 127.0.0.1
            Port {port}
            User {getpass.getuser()}
            IdentityFile {directory}/user
            IdentitiesOnly yes
            UserKnownHostsFile {directory}/known_hosts
            {client}""")  # fmt: skip
        self.ssh = directory / "ssh"
        self.ssh.write_text(f'#!/bin/sh\nexec ssh -F {directory}/config "$@"\n')
        self.ssh.chmod(0o755)

    def __enter__(self) -> Self:
        # sshd starts itself again for each session, so it must be called by its path.
        program = shutil.which("sshd") or "sshd"
        self.process = subprocess.Popen(
            [program, "-D", "-e", "-f", self._directory / "sshd_config"], stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr is not None
        said = []
        for line in self.process.stderr:
            said.append(line)
            if "listening on" in line:
                break
        else:
            raise AssertionError(f"sshd did not start: {''.join(said)}")
        # What it says of each session must not fill the pipe.
        self._drain = subprocess.Popen(["cat"], stdin=self.process.stderr, stdout=subprocess.DEVNULL)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()
        self._drain.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()
        if self._made:
            _PRIVILEGE_SEPARATION.rmdir()

    @property
    def env(self) -> dict[str, str]:
        """The environment in which traceloopctl uses this ssh."""
        env = {**os.environ, "TRACELOOP_SSH": str(self.ssh)}
        env.pop("PYTHONUNBUFFERED", None)  # it would hide output that is lost
        return env

    def _write(self, name: str, text: str) -> None:
        lines = (line.strip() for line in text.splitlines())
        (self._directory / name).write_text("".join(f"{line}\n" for line in lines))
