# SPDX-License-Identifier: Apache-2.0
"""A real S3 server, SeaweedFS, with two keys: one that may only write, and one that may only read."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

PROGRAM: Final = Path(__file__).parents[2] / "build/engines/seaweedfs/weed"
BUCKET: Final = "traces"
_BOOT_S: Final = 60
_GRPC: Final = 10_000  # a server's port for gRPC is this much above its own
_SERVERS: Final = ("master", "volume", "filer", "s3")


class S3:
    """A server that answers once entered. directory: for its files."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __enter__(self) -> Self:
        data, config = self._directory / "data", self._directory / "keys.json"
        data.mkdir()
        config.write_text(json.dumps({"identities": [
            {"name": "setup", "credentials": [{"accessKey": "setup", "secretKey": "secret"}], "actions": ["Admin"]},
            {"name": "ship", "credentials": [{"accessKey": "ship", "secretKey": "secret"}],
             "actions": [f"Write:{BUCKET}"]},
            {"name": "read", "credentials": [{"accessKey": "read", "secretKey": "secret"}],
             "actions": [f"Read:{BUCKET}", f"List:{BUCKET}"]},
        ]}))  # fmt: skip
        ports = dict(zip(_SERVERS, _free_ports(len(_SERVERS)), strict=True))
        self.port = ports["s3"]
        words = [f"-{name}.port={port}" for name, port in ports.items()]
        words += ["-master.telemetry=false", "-ip=127.0.0.1", "-volume.max=8", "-master.volumeSizeLimitMB=64"]
        log = (self._directory / "log").open("wb")
        with log:
            self.process = subprocess.Popen(
                [PROGRAM, "server", f"-dir={data}", "-filer", "-s3", f"-s3.config={config}", *words],
                stdout=log,
                stderr=log,
                cwd=self._directory,
                env={"PATH": os.environ["PATH"], "HOME": str(self._directory)},
            )
        try:
            self._wait()
            subprocess.run(["rclone", "mkdir", f"setup:{BUCKET}"], env=self.env, check=True, timeout=_BOOT_S)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def env(self) -> dict[str, str]:
        """The environment in which rclone knows the remotes setup, ship and read."""
        env = {**os.environ, "RCLONE_CONFIG": str(self.config)}
        env.pop("AWS_CA_BUNDLE", None)  # rclone 1.60 fails if it is set
        return env

    @property
    def config(self) -> Path:
        """The rclone.conf of these remotes."""
        path = self._directory / "rclone.conf"
        if not path.exists():
            path.write_text("".join(
                f"[{name}]\ntype = s3\nprovider = Other\naccess_key_id = {name}\nsecret_access_key = secret\n"
                f"endpoint = http://127.0.0.1:{self.port}\nforce_path_style = true\n"
                for name in ("setup", "ship", "read")
            ))  # fmt: skip
        return path

    def _wait(self) -> None:
        # The server has no way to say that it is ready: it is asked until it answers as S3 does.
        until_s = time.monotonic() + _BOOT_S
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5)
            except urllib.error.HTTPError:  # refuses who has no key: it is up
                return
            except OSError:
                ended = self.process.poll()
                log = (self._directory / "log").read_text()[-2000:]
                assert ended is None, f"weed ended with {ended}: {log}"
                assert time.monotonic() < until_s, f"weed does not answer: {log}"
                time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    # Ports whose companions for gRPC are free as well.
    found: list[int] = []
    with ExitStack() as stack:
        while len(found) < count:
            one, other = (stack.enter_context(socket.socket()) for _ in range(2))
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            try:
                other.bind(("127.0.0.1", port + _GRPC if port + _GRPC < 1 << 16 else port - _GRPC))
            except OSError:
                continue
            if port + _GRPC < 1 << 16:
                found.append(port)
    return found
