# SPDX-License-Identifier: Apache-2.0
"""A page of `export --format html` in a real browser: what it draws, answers, and never requests."""

from __future__ import annotations

from dataclasses import replace
from statistics import median

import pytest
from archives import INFO
from chromium import Chromium
from golden.record import read
from pages import EVIL, evil_file, killed_while_it_read, large

from traceloop_cli.exports.formats import FORMATS
from traceloop_cli.sources.recorded import Recorded
from traceloop_decode.archive_file import unpack
from traceloop_decode.snapshot import Snapshot

pytestmark = pytest.mark.browser
CALLS = 100_000
FRAME_MS = 100  # a slow machine's limit; a tenth of a second still follows the hand

# Counts the different colours of a canvas, and reads one pixel.
COLOURS = """(id => {
  const canvas = document.getElementById(id), pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const found = {};
  for (let n = 0; n < pixels.length; n += 4) if (pixels[n + 3] === 255) {
    const key = [pixels[n], pixels[n + 1], pixels[n + 2]].join();
    found[key] = (found[key] || 0) + 1;
  }
  return found;
})"""
# The time from a key's event until what it requested is drawn, for each key.
FRAMES = """(async keys => {
  const times = [];
  for (const key of keys) {
    await new Promise(requestAnimationFrame);
    const begun = performance.now();
    document.body.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
    await new Promise(done => requestAnimationFrame(() => { const pen = document.getElementById("chart").getContext("2d"); pen.getImageData(0, 0, 1, 1); done(); }));
    times.push(performance.now() - begun);
  }
  return times;
})"""


@pytest.fixture(scope="module")
def browser():
    with Chromium() as browser:
        yield browser


@pytest.fixture
def opened(browser, tmp_path):
    def open_page(snapshot, info=INFO, **window):
        page = tmp_path / "page.html"
        page.write_bytes(b"".join(FORMATS["html"].export([Recorded(info, snapshot)])))
        browser.media(prefers_color_scheme="light")
        browser.open(page, **window)
        return browser

    yield open_page
    requested = [
        e["params"]["request"]["url"] for e in browser.events if e.get("method") == "Network.requestWillBeSent"
    ]
    assert requested == [f"file://{tmp_path}/page.html"]
    assert not [e for e in browser.events if e.get("method") == "Runtime.exceptionThrown" or is_error(e)]


def is_error(event) -> bool:
    return event.get("method") == "Log.entryAdded" and event["params"]["entry"]["level"] == "error"


def rgb(colour: str) -> str:
    return ",".join(str(int(colour[at : at + 2], 16)) for at in (1, 3, 5))


def chosen(browser) -> str:
    return str(browser.run("document.getElementById('chosen').innerText"))


def test_a_page_shows_lanes_errors_and_words(opened):
    browser = opened(read("process_children"))
    assert browser.run("document.querySelector('.verdict').textContent") == "Exited with 42"
    browser.key("Home")
    colours = browser.run(f"{COLOURS}('chart')")
    names = ("process", "waiting", "error", "files", "memory")
    wanted = {
        name: browser.run(f"getComputedStyle(document.documentElement).getPropertyValue('--{name}')") for name in names
    }
    assert {rgb(colour) for colour in wanted.values()} <= colours.keys()
    assert "exited with 42" in browser.run("document.getElementById('rows').innerText")


def test_dark_mode_changes_page_and_picture(opened):
    browser = opened(read("process_children"))
    light = browser.run("getComputedStyle(document.body).backgroundColor")
    before = browser.run(f"{COLOURS}('chart')")
    browser.media(prefers_color_scheme="dark")
    assert light == "rgb(255, 255, 255)"
    assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 28)"
    assert browser.run(f"{COLOURS}('chart')").keys() != before.keys()


def test_a_click_and_a_search_show_the_line(opened):
    browser = opened(read("files_open"))
    browser.run("document.getElementById('search').focus()")
    for letter in "enoent":
        browser.key(letter)
    browser.key("Enter")
    assert "ENOENT" in chosen(browser)
    assert browser.run("document.getElementById('found').textContent").startswith("1 of ")
    first = chosen(browser)
    browser.key("Enter")
    assert chosen(browser) != first
    assert browser.run("document.querySelectorAll('.row.chosen').length") == 1
    browser.key("Escape")
    x, y, width, height = browser.run(
        "(() => { const b = document.getElementById('chart').getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; })()"
    )
    assert height >= 30
    found = set()
    for step in range(40):
        browser.mouse("mouseMoved", x + 196 + (width - 210) * step / 40, y + 13)
        browser.drawn()
        if not browser.run("document.getElementById('tip').hidden"):
            found.add(browser.run("document.getElementById('tip').innerText"))
            place = step
    assert found
    browser.click(x + 196 + (width - 210) * place / 40, y + 13)
    assert chosen(browser)


def test_keys_and_wheel_move_the_view(opened):
    browser = opened(large(5000))
    span = "document.getElementById('span').textContent"
    whole = browser.run(span)
    assert whole.endswith("(178 ms)")
    browser.key("+")
    zoomed = browser.run(span)
    browser.key("ArrowRight")
    moved = browser.run(span)
    assert len({whole, zoomed, moved}) == 3
    x, y = browser.run(
        "(() => { const b = document.getElementById('chart').getBoundingClientRect(); return [b.x, b.y]; })()"
    )
    browser.mouse("mouseWheel", x + 500, y + 20, deltaX=0, deltaY=-200, modifiers=2)  # Ctrl
    browser.drawn()
    assert browser.run(span) != moved
    browser.key("Home")
    assert browser.run(span).startswith("00:00.003001 to ")
    x, y = browser.run(
        "(() => { const b = document.getElementById('overview').getBoundingClientRect(); return [b.x, b.y]; })()"
    )
    for kind, at in (("mousePressed", 400), ("mouseMoved", 500), ("mouseMoved", 600), ("mouseReleased", 600)):
        browser.mouse(kind, x + at, y + 20, button="left", clickCount=1)
    browser.drawn()
    chosen_ms = [float(part[3:]) for part in browser.run(span).split(" (")[0].split(" to ")]
    assert 0.003 < chosen_ms[0] < chosen_ms[1] < 0.18
    rows = browser.run("[...document.querySelectorAll('.row .at')].map(cell => cell.textContent)")
    assert any(abs(float(row[3:]) - chosen_ms[0]) < 0.001 for row in rows), "the list follows"


def test_text_of_a_container_runs_nowhere(opened):
    info, encoded = unpack(evil_file())
    browser = opened(Snapshot.decode(encoded), info)
    assert browser.run("window.evil") is None
    assert browser.run("document.title") == EVIL
    assert browser.run("document.querySelectorAll('script, img').length") == 2
    browser.run("document.querySelector('.row').click()")
    assert EVIL in chosen(browser)
    assert browser.run("window.evil") is None
    # Even if something were to get in, the page's policy would not run it.
    browser.run(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.evil = 2'}))"
    )
    assert browser.run("window.evil") is None
    browser.events[:] = [e for e in browser.events if not is_error(e)]


def test_a_hundred_thousand_calls_are_drawn_without_stutter(opened):
    snapshot = large(CALLS)
    browser = opened(snapshot, replace(INFO, overwritten=1))
    assert browser.run("document.getElementById('rows').children.length") < 100
    total = browser.run("Number(document.getElementById('rows').style.height.replace('px', '')) / 22")
    assert total >= CALLS
    begins = browser.run("document.getElementById('span').textContent")
    keys = ["Home", "+", "+", "ArrowRight", "ArrowRight", "ArrowLeft", "-", "-", "End", "Home"] * 3
    times = browser.run(f"{FRAMES}({keys})")
    print(f"{CALLS} calls, a frame in ms: median {median(times):.1f}, longest {max(times):.1f}")
    assert browser.run("document.getElementById('span').textContent") != begins
    assert median(times) < FRAME_MS


def test_closed_lines_of_causes_are_open_in_print(opened):
    browser = opened(killed_while_it_read("/bin/server"), replace(INFO, status=9))
    closed = "document.querySelectorAll('details:not([open])').length"
    assert browser.run(closed) == 1
    browser.run("window.dispatchEvent(new Event('beforeprint'))")
    assert browser.run(closed) == 0
    browser.run("window.dispatchEvent(new Event('afterprint'))")
    assert browser.run(closed) == 1


def test_print_is_light_and_in_words(opened, tmp_path):
    browser = opened(read("process_children"))
    browser.media(prefers_color_scheme="dark")
    browser.run("window.dispatchEvent(new Event('beforeprint'))")
    assert browser.run("document.documentElement.dataset.theme") == "light"
    assert "exited with 42" in browser.run("document.getElementById('printed').textContent")
    browser.run("window.dispatchEvent(new Event('afterprint'))")
    assert browser.run("document.documentElement.dataset.theme") == "dark"
    browser.pdf(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")


def test_a_trace_without_events_is_a_page(opened):
    from ringwriter import RingWriter

    browser = opened(RingWriter().snapshot())
    assert browser.run("document.querySelector('.picture').hidden") is True
