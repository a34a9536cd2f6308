# SPDX-License-Identifier: Apache-2.0
"""Makes the archive of the cluster's images from a static busybox: `images.py BUSYBOX ARCHIVE`.

The image has empty directories for the machine's /usr and /lib, so that a relay can run this project in it.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

BIN = Path(__file__).parents[2] / ".venv/bin"  # where the project is mounted
TAGS = ["docker.io/lab/pause:1", "docker.io/library/busybox:latest", "docker.io/library/traceloop:lab"]


def layer(busybox: Path) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:

        def add(name: str, kind: bytes, *, mode: int = 0o755, data: bytes = b"", link: str = "") -> None:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode, entry.size, entry.linkname = kind, mode, len(data), link
            archive.addfile(entry, io.BytesIO(data))

        for name in ("bin", "etc", "proc", "sys", "dev", "run", "root", "usr", "var"):
            add(name, tarfile.DIRTYPE)
        add("tmp", tarfile.DIRTYPE, mode=0o1777)
        add("bin/busybox", tarfile.REGTYPE, data=busybox.read_bytes())
        add("etc/passwd", tarfile.REGTYPE, mode=0o644, data=b"root:x:0:0:root:/root:/bin/sh\n")
        add("etc/group", tarfile.REGTYPE, mode=0o644, data=b"root:x:0:\n")
        for name, link in (("lib", "usr/lib"), ("lib64", "usr/lib64")):
            add(name, tarfile.SYMTYPE, link=link)
        applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
        for name in applets:
            if name != "busybox":
                add(f"bin/{name}", tarfile.SYMTYPE, link="busybox")
    return held.getvalue()


def main() -> None:
    busybox, target = map(Path, sys.argv[1:])
    contents = layer(busybox)
    digest = hashlib.sha256(contents).hexdigest()
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Env": [f"PATH={BIN}:/bin:/usr/bin"], "Cmd": ["/bin/sleep", "infinity"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        }
    ).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = json.dumps([{"Config": name, "RepoTags": TAGS, "Layers": [f"{digest}/layer.tar"]}]).encode()
    with tarfile.open(target, "w") as archive:
        for path, data in ((name, config), (f"{digest}/layer.tar", contents), ("manifest.json", manifest)):
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


if __name__ == "__main__":
    main()
