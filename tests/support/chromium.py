# SPDX-License-Identifier: Apache-2.0
"""Headless Chromium, driven by the Chrome DevTools Protocol over a pipe: descriptors 3 and 4, messages ended by NUL."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from base64 import b64decode
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

PROGRAMS = ("chromium-headless-shell", "chromium", "google-chrome")
_FREE = 10
# Gives the browser its two ends under the numbers that it wants.
_START = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)


def program() -> str | None:
    """Returns the path of a Chromium on this machine, None if there is none."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


def _moved(fd: int) -> int:
    # A number that the two in the child do not overwrite before it is used.
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FREE)
    os.close(fd)
    return moved


class Chromium:
    """A browser with one page. The directory that it writes into is removed with it."""

    def __init__(self) -> None:
        found = program()
        assert found is not None
        self._home = TemporaryDirectory(prefix="tl-chromium-")
        (theirs_in, self._in), (out, theirs_out) = os.pipe(), os.pipe()
        theirs_in, theirs_out = (_moved(fd) for fd in (theirs_in, theirs_out))
        words = [
            *(sys.executable, "-ISc", _START, str(theirs_in), str(theirs_out)),
            found,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--remote-debugging-pipe",
            "--hide-scrollbars",
        ]
        words += ["--disable-dev-shm-usage", f"--user-data-dir={self._home.name}", "about:blank"]

        self._process = subprocess.Popen(
            words,
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
            env=os.environ | {"HOME": self._home.name, "TMPDIR": self._home.name},
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._out = os.fdopen(out, "rb")
        self._buffer, self._number, self._session = b"", 0, ""
        self.events: list[dict[str, Any]] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._in)
        self._out.close()
        self._home.cleanup()

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Sends a command and returns its result; events that come first are kept in `events`."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._in, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def wait_for(self, method: str) -> dict[str, Any]:
        """Returns the first event of this kind, and forgets it."""
        while True:
            for event in self.events:
                if event.get("method") == method:
                    self.events.remove(event)
                    return event
            self.events.append(self._read())

    def open(self, page: Path, width: int = 1280, height: int = 900, scale: float = 1) -> None:
        """Opens a file in a window of this size, and waits until it is loaded and drawn."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False
        )
        self.events.clear()
        self.send("Page.navigate", url=page.absolute().as_uri())
        self.wait_for("Page.loadEventFired")
        self.drawn()

    def drawn(self) -> None:
        """Waits until the page has drawn twice: what was requested before is then on the screen."""
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")

    def run(self, expression: str) -> Any:
        """Returns the value of an expression in the page, after a promise that it may be."""
        answer = self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def media(self, **features: str) -> None:
        """Sets features of media, such as prefers_color_scheme="dark"."""
        wanted = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.send("Emulation.setEmulatedMedia", features=wanted)
        self.drawn()

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """Moves, presses or releases the mouse: mouseMoved, mousePressed, mouseReleased, mouseWheel."""
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, x: float, y: float) -> None:
        """Clicks at a place of the window."""
        self.mouse("mouseMoved", x, y)
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, x, y, button="left", clickCount=1)
        self.drawn()

    def key(self, key: str) -> None:
        """Presses a key by its name: Enter, End, ArrowLeft."""
        for kind in ("keyDown", "keyUp"):
            more = {"text": key} if len(key) == 1 and kind == "keyDown" else {}
            if key == "Enter" and kind == "keyDown":
                more = {"text": "\r"}
            self.send("Input.dispatchKeyEvent", type=kind, key=key, **more)
        self.drawn()

    def screenshot(self, target: Path, **clip: float) -> None:
        """Writes what the window shows into a PNG. clip: x, y, width and height of a part."""
        more = {"clip": clip | {"scale": 1}} if clip else {}
        target.write_bytes(b64decode(self.send("Page.captureScreenshot", format="png", **more)["data"]))

    def pdf(self, target: Path) -> None:
        """Prints the page into a PDF."""
        target.write_bytes(b64decode(self.send("Page.printToPDF", printBackground=False, landscape=True)["data"]))

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            data = os.read(self._out.fileno(), 1 << 16)
            assert data, "the browser ended"
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer
