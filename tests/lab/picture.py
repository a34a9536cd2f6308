# SPDX-License-Identifier: Apache-2.0
"""Makes docs/picture.png: a container fails because its database was stopped, as `export --format html` shows it.

`make picture` records a real container with the real daemon, exports its page, and photographs it in Chromium.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from chromium import Chromium

from lab import Daemon, Runc, hooks, make_bundle, pod_annotations

TARGET: Final = Path(__file__).parents[2] / "docs/picture.png"
USR: Final = Path("/usr")
WIDTH: Final = 1120
SCALE: Final = 1.5
MARGIN: Final = 14

# Three workers ask a database for stock, until another process stops the database.
PROGRAM: Final = """
import os, signal, socket, sys, threading, time
def name(text):
    open(f"/proc/self/task/{threading.get_native_id()}/comm", "w").write(text)
name("checkout")
server = socket.create_server(("127.0.0.1", 5432))
database = os.fork()
if not database:
    name("database")
    while True:
        client = server.accept()[0]
        key = client.recv(64)
        time.sleep(0.018)
        client.sendall(open("/usr/share/dict/" + key.decode(), "rb").read() if key == b"words" else b"7 left")
        client.close()
server.close()
operator = os.fork()
if not operator:
    name("operator")
    time.sleep(0.7)
    os.kill(database, signal.SIGTERM)
    os._exit(0)
failed = threading.Event()
def work(number):
    name(f"worker-{number}")
    try:
        for order in range(40):
            with socket.create_connection(("127.0.0.1", 5432)) as connection:
                connection.sendall(b"stock")
                stock = connection.recv(64)
            with open("/tmp/orders", "a") as orders:
                orders.write(f"{number} {order} {stock}\\n")
            time.sleep(0.03 * number)
    except OSError as error:
        print(f"worker {number}: {error}", file=sys.stderr, flush=True)
        failed.set()
for number in (1, 2, 3):
    threading.Thread(target=work, args=(number,), daemon=True).start()
failed.wait()
time.sleep(0.12)
os._exit(1)
"""


def main() -> None:
    with TemporaryDirectory(prefix="traceloop-picture-") as name:
        page = Path(name, "page.html")
        record(Path(name), page)
        photograph(page)
    print(f"{TARGET}: {TARGET.stat().st_size} bytes")


def record(directory: Path, page: Path) -> None:
    with Daemon() as daemon, Runc(directory / "runc") as runc:
        bundle = make_bundle(
            directory / "checkout",
            python_root(directory / "root"),
            ["/usr/bin/python3", "-ISc", PROGRAM],
            hooks=hooks(daemon.hook_socket),
            annotations=pod_annotations("checkout", namespace="shop"),
            binds={USR: str(USR)},
        )
        ended = runc.run(bundle, "checkout")
        if ended.returncode != 1 or "refused" not in ended.stderr:
            sys.exit(f"picture: the container did not fail as it should: {ended}")
        (trace,) = json.loads(daemon.ctl("list", "-o", "json").stdout)
        daemon.ctl("export", trace["id"], "--format", "html", "-f", str(page))


def python_root(path: Path) -> Path:
    """Makes a root file system that has this machine's /usr, for its Python."""
    for name in ("usr", "proc", "dev", "sys", "tmp", "etc"):
        (path / name).mkdir(parents=True)
    for name in ("bin", "lib", "lib64"):
        (path / name).symlink_to(f"usr/{name}")
    return path


def photograph(page: Path) -> None:
    with Chromium() as browser:
        browser.open(page, width=WIDTH, height=900, scale=SCALE)
        bottom = browser.run("document.querySelector('.legend').getBoundingClientRect().bottom")
        browser.screenshot(TARGET, x=0, y=MARGIN, width=WIDTH, height=bottom)


if __name__ == "__main__":
    main()
