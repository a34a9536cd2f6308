# SPDX-License-Identifier: Apache-2.0
"""A small web service: each request is a transaction in SQLite, and touches three files of random names.

python3 service.py DIRECTORY PORT
"""

from __future__ import annotations

import configparser
import json
import secrets
import sqlite3
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    directory: Path
    base: sqlite3.Connection

    def do_GET(self) -> None:
        for _ in range(3):
            name = self.directory / f"upload-{secrets.token_hex(8)}"
            name.write_text(self.path)
            name.unlink()
        with self.base:
            self.base.execute("insert into requests (path) values (?)", (self.path,))
        body = json.dumps({"path": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Logs nothing."""


def main() -> None:
    directory, port = Path(sys.argv[1]), int(sys.argv[2])
    settings = configparser.ConfigParser()
    settings.read([directory / "missing.ini", directory / "service.ini"])
    Handler.directory = directory / settings["service"]["uploads"]
    Handler.base = sqlite3.connect(directory / "requests.sqlite")
    Handler.base.execute("pragma journal_mode = memory")
    Handler.base.execute("pragma synchronous = off")
    Handler.base.execute("create table if not exists requests (path text)")
    HTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
