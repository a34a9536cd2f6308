# SPDX-License-Identifier: Apache-2.0
"""Makes root file systems of a static busybox."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

CACHE = Path(__file__).parents[2] / "build/cache"
APPLETS = {"ash", "bc", "grep", "ls", "sh", "wget"}
DIRECTORIES = ("bin", "dev", "etc", "mnt", "proc", "root", "sys", "tmp")


def make_root(path: Path) -> Path:
    """Makes a root file system with all of busybox's applets as hard links in /bin; returns `path`."""
    for name in DIRECTORIES:
        (path / name).mkdir(parents=True)
    (path / "tmp").chmod(0o1777)
    (path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (path / "etc/group").write_text("root:x:0:\n")
    source, busybox = find_busybox(), path / "bin/busybox"
    shutil.copyfile(source, busybox)
    busybox.chmod(0o755)
    for applet in _applets(source) - {"busybox"}:
        os.link(busybox, path / "bin" / applet)
    return path


def find_busybox() -> Path:
    """Returns a static busybox: the machine's own if it is one, else Debian's, unpacked into build/cache."""
    cached = CACHE / "busybox"
    for candidate in (Path("/usr/bin/busybox"), cached):
        if candidate.exists() and _is_static(candidate) and _applets(candidate) >= APPLETS:
            return candidate
    CACHE.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=CACHE) as scratch:
        # Unpacked, not installed: the package conflicts with `busybox`, which the machine may need.
        subprocess.run(
            ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", "busybox-static"], cwd=scratch, check=True
        )
        (package,) = Path(scratch).glob("*.deb")
        subprocess.run(["dpkg-deb", "--extract", package, "."], cwd=scratch, check=True)
        (unpacked,) = (path for path in Path(scratch).glob("**/bin/busybox") if not path.is_symlink())
        unpacked.rename(cached)
    return cached


def _is_static(path: Path) -> bool:
    # A dynamic program names its interpreter right after the program headers (elf(5), PT_INTERP).
    return b"/ld-linux" not in path.read_bytes()[:4096]


def _applets(path: Path) -> set[str]:
    return {*subprocess.run([path, "--list"], capture_output=True, text=True, check=True).stdout.split()}
