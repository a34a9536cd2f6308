# SPDX-License-Identifier: Apache-2.0
"""The servers, their settings, and their load generators."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

ROOT = Path(__file__).parents[2] / "build/servers/root"
POSTGRES = ROOT / "usr/lib/postgresql/15/bin"
NOBODY = pwd.getpwnam("nobody")
ANSWERS_S = 60.0


class Server(ABC):
    """A server that listens on 127.0.0.1. directory: its own, empty, readable by all."""

    port: ClassVar[int]
    argv: Sequence[str]

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @abstractmethod
    def load(self, seconds: float) -> None:
        """Loads the server for so long. Raises CalledProcessError."""

    def wait_until_it_answers(self) -> None:
        """Waits until the server serves. Raises TimeoutError."""
        until = time.monotonic() + ANSWERS_S
        while not self.answers():
            if time.monotonic() > until:
                raise TimeoutError(f"{self.argv}: nothing serves on port {self.port}")
            time.sleep(0.05)

    def answers(self) -> bool:
        """Returns whether the server serves."""
        with socket.socket() as peer:
            return peer.connect_ex(("127.0.0.1", self.port)) == 0


class Redis(Server):
    port = 6390

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        # Debian's redis-tools has the server, too: it looks at its own name.
        server = directory / "redis-server"
        server.symlink_to("/usr/bin/redis-check-rdb")
        settings = directory / "redis.conf"
        settings.write_text(f"port {self.port}\nbind 127.0.0.1\nsave ''\ndir {directory}\n")
        self.argv = [str(server), str(settings)]

    def load(self, seconds: float) -> None:
        words = ["redis-benchmark", "-p", str(self.port), "-t", "set,get,incr,lpush", "-q", "-l"]
        with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.terminate()
            else:
                raise subprocess.CalledProcessError(process.returncode, words)


class Nginx(Server):
    port = 8390

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        settings = directory / "nginx.conf"
        (directory / "www").mkdir()
        for n in range(20):
            (directory / "www" / f"{n}.html").write_text(f"page {n}\n" * 100)
        settings.write_text(
            f"""user nobody nogroup;
pid {directory}/nginx.pid;
error_log {directory}/error.log crit;
worker_processes 2;
daemon off;
events {{ worker_connections 512; }}
http {{
    access_log {directory}/access.log;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{self.port};
        root {directory}/www;
        location /refused {{ proxy_pass http://127.0.0.1:9; }}
    }}
}}
"""
        )
        self.argv = [str(ROOT / "usr/sbin/nginx"), "-p", str(directory), "-c", str(settings)]

    def load(self, seconds: float) -> None:
        script = self.directory / "paths.lua"
        script.write_text(
            """local n = 0
request = function()
   n = n + 1
   if n % 50 == 0 then return wrk.format("GET", "/refused") end
   if n % 20 == 0 then return wrk.format("GET", "/missing-" .. n) end
   return wrk.format("GET", "/" .. n % 20 .. ".html")
end
"""
        )
        _wrk(self.port, seconds, "--script", str(script))


class Postgres(Server):
    port = 5490

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        data = directory / "data"
        data.mkdir()
        os.chown(data, NOBODY.pw_uid, NOBODY.pw_gid)
        as_nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        # pgbench and pg_isready take the server from these.
        self._environment = {**os.environ, "HOME": str(directory), "PGHOST": "127.0.0.1", "PGPORT": str(self.port)}
        self._run(*as_nobody, str(POSTGRES / "initdb"), "-A", "trust", "-U", "nobody", "-D", str(data))
        settings = data / "postgresql.conf"
        settings.write_text(
            f"port = {self.port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\nfsync = off\n"
            "lc_messages = 'C'\nlog_min_messages = fatal\n"
        )
        self.argv = [*as_nobody, str(POSTGRES / "postgres"), "-D", str(data)]

    def answers(self) -> bool:
        ready = subprocess.run([str(POSTGRES / "pg_isready"), "-q"], check=False, env=self._environment)
        return ready.returncode == 0

    def _run(self, *words: str) -> None:
        subprocess.run(words, check=True, env=self._environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def load(self, seconds: float) -> None:
        bench = [str(POSTGRES / "pgbench"), "-U", "nobody", "postgres"]
        self._run(*bench, "-i", "-q", "-s", "2")
        self._run(*bench, "-c", "4", "-T", str(int(seconds)))


class Service(Server):
    port = 8391

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        (directory / "uploads").mkdir()
        (directory / "service.ini").write_text("[service]\nuploads = uploads\n")
        program = directory / "service.py"
        shutil.copy(Path(__file__).with_name("service.py"), program)
        self.argv = ["/usr/bin/python3", "-B", str(program), str(directory), str(self.port)]

    def load(self, seconds: float) -> None:
        _wrk(self.port, seconds)


ALL: dict[str, type[Server]] = {"redis": Redis, "nginx": Nginx, "postgres": Postgres, "service": Service}


def _wrk(port: int, seconds: float, *more: str) -> None:
    words = ["wrk", "--threads", "1", "--connections", "8", "--duration", f"{seconds:.0f}s", *more]
    subprocess.run([*words, f"http://127.0.0.1:{port}/"], check=True, stdout=subprocess.DEVNULL)
