# SPDX-License-Identifier: Apache-2.0
"""Fresh roots for packages: an in-memory layer above a Debian that root.sh made, and the files in them."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Self

PROJECT = Path(__file__).parents[2]
ROOT = PROJECT / "build/roots/bookworm"
BARE = PROJECT / "build/roots/bookworm-bare"
DEB = PROJECT / "build/deb/traceloop_0.1.0_amd64.deb"
NEXT_DEB = PROJECT / "build/deb/traceloop_0.1.0+next_amd64.deb"
TIMEOUT_S = 600

# Files that dpkg, systemd and man keep for all packages; the user stays, locked, so that its number is not reused.
OF_THE_SYSTEM = (
    *("/var/lib/dpkg/", "/var/log/", "/var/cache/man/", "/var/lib/systemd/", "/etc/passwd-", "/etc/group-"),
    *("/etc/shadow-", "/etc/gshadow-", "/etc/.pwd.lock"),
)
_ENTER = """
mount -t tmpfs layer "$0"
mkdir "$0/upper" "$0/work" "$0/root"
mount -t overlay -o "lowerdir=$1,upperdir=$0/upper,workdir=$0/work" root "$0/root"
mount -t proc proc "$0/root/proc"
mount -t tmpfs dev "$0/root/dev"
mknod -m 666 "$0/root/dev/null" c 1 3
mknod -m 666 "$0/root/dev/urandom" c 1 9
mkdir -p "$0/root/$2"
mount --bind "$2" "$0/root/$2"
echo
exec cat
"""


class Root:
    """A root without a running systemd, as in an image that is being built, for the duration of a `with` block."""

    def __init__(self, below: Path = ROOT) -> None:
        self._below = below

    def __enter__(self) -> Self:
        self._directory = tempfile.TemporaryDirectory(prefix="traceloop-root-")
        self.path = Path(self._directory.name) / "root"
        self._keeper = subprocess.Popen(
            [
                "unshare",
                "--mount",
                "--propagation=private",
                "sh",
                "-euc",
                _ENTER,
                self._directory.name,
                self._below,
                PROJECT,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._keeper.stdout.readline() == b"\n"
        return self

    def __exit__(self, *_: object) -> None:
        self._keeper.communicate(timeout=TIMEOUT_S)
        self._directory.cleanup()

    def run(
        self, *words: str | Path, check: bool = True, outside: tuple[str | Path, ...] = (), **settings: object
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command in the root; `outside` comes before the chroot, and sees this machine's programs."""
        enter = ["nsenter", f"--mount=/proc/{self._keeper.pid}/ns/mnt", "--"]
        inside = ["chroot", self.path] if words else []
        clean = ["env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"]
        ended = subprocess.run(
            [*enter, *clean, *outside, *inside, *words],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
            **settings,
        )
        assert not check or ended.returncode == 0, f"{words}: {ended.stderr}{ended.stdout}"
        return ended

    def files(self) -> set[str]:
        return files(self)


def files(root) -> set[str]:
    """Returns all paths of a root or a lab, except those that the system keeps for all packages."""
    found = root.run("find", "/", "-xdev", "(", "-path", "/tmp", "-o", "-path", "/run", ")", "-prune", "-o", "-print")
    return {path for path in found.stdout.splitlines() if not path.startswith(OF_THE_SYSTEM)}
