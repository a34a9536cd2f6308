# SPDX-License-Identifier: Apache-2.0
"""The head of a page of `export --format html`: what ran, and what `why` says of its end."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

from archives import INFO, failed_snapshot
from areawriter import AreaWriter
from madeevents import NUMBERS
from pages import EVIL, killed_while_it_read
from ringwriter import RingWriter, item

from traceloop_cli.display.why_lines import lines
from traceloop_cli.exports.formats import FORMATS
from traceloop_cli.sources.recorded import Recorded
from traceloop_decode import layout
from traceloop_decode.archive_file import TraceInfo
from traceloop_decode.causes.explain import explain
from traceloop_decode.causes.objects import Clock
from traceloop_decode.snapshot import Snapshot

SENTENCE = "server could not open /etc/app.conf: it does not exist."
SECOND = 10**9


def page(snapshot: Snapshot, info: TraceInfo = INFO) -> str:
    return b"".join(FORMATS["html"].export([Recorded(info, snapshot)])).decode()


def section(page: str) -> str:
    """Returns what stands between the page's head and its picture."""
    (found,) = re.findall(r'<section class="why" aria-label="Why it ended">(.*?)</section>', page, re.DOTALL)
    return str(found)


def facts(page: str) -> dict[str, str]:
    return {
        name: unescape(re.sub("<.*?>", "", said)) for name, said in re.findall("<dt>(.*?)</dt><dd>(.*?)</dd>", page)
    }


def test_a_cause_has_its_evidence_and_how_sure_it_is() -> None:
    snapshot = Snapshot.decode(failed_snapshot())
    shown = section(page(snapshot))
    assert f'<p>{SENTENCE} <span class="sure certain">certain</span></p>' in shown
    assert shown.count("<details open>") == 1
    assert "<summary>1 line of the trace</summary>" in shown
    (at, text) = re.findall(r"<li><span>(.*?)</span><code>(.*?)</code></li>", shown)[0]
    assert re.fullmatch(r"00:00\.\d{9} tid 7", at)
    assert unescape(text).startswith('openat(AT_FDCWD, "/etc/app.conf", O_RDONLY) = -1 ENOENT')


def test_the_page_has_each_statement_of_the_screen() -> None:
    snapshot, info = killed_while_it_read("/bin/server", "--port", "80"), replace(INFO, status=9)
    text = unescape(re.sub("<[^>]*>", " ", section(page(snapshot, info))))
    text = re.sub(" +", " ", text)
    report, clock = explain(snapshot, info), Clock(snapshot.started_ns, snapshot.boot_offset_ns)
    screen = list(lines(report, info, clock, "x", whole=True))
    said = [line for line in screen if line.startswith(("why", "also", "blocked", "stderr", "          "))]
    assert any(line.startswith("blocked") for line in said)
    for line in said:
        wanted = re.sub(r" \[(certain|likely|possible)\]$", r" \1", line.partition(" ")[2]).strip()
        assert re.sub(" +", " ", wanted) in text, line


def test_what_ran_and_the_image_are_above() -> None:
    found = facts(page(killed_while_it_read("/bin/server", "--name", "a b"), replace(INFO, image="shop:1")))
    assert found["Ran"] == "/bin/server --name a b"
    assert found["Image"] == "shop:1"
    assert found["Ran for"]
    assert facts(page(Snapshot.decode(failed_snapshot())))["Ran"].startswith("not known, a process named server")


def test_the_last_words_keep_their_lines_and_stay_text() -> None:
    ring = RingWriter(1 << 20, 1 << 14)
    text = f"first <b>\n{EVIL}\n".encode()
    ring.enter(0, 7, NUMBERS["write"], 2, 4096, len(text), items=item(1, layout.KIND_BUFFER, text))
    ring.exit(0, 7, NUMBERS["write"], len(text))
    ring.enter(0, 7, NUMBERS["exit_group"], 1)
    ring.task_exit(0, 7, 1 << 8)
    made = page(ring.snapshot())
    (said,) = re.findall(r"<dt>stderr</dt><dd><pre>(.*?)</pre></dd>", section(made), re.DOTALL)
    assert [line.strip() for line in unescape(said).splitlines()] == ["first <b>", EVIL]
    assert "<b>" not in said
    assert made.count("</script") == 2
    assert "Not known: no failed call stands out" in section(made)


def test_a_page_of_a_good_end_explains_nothing() -> None:
    ring = RingWriter(1 << 20, 1 << 14)
    ring.enter(0, 7, NUMBERS["exit_group"], 0)
    ring.task_exit(0, 7, 0)
    assert section(page(ring.snapshot(), replace(INFO, status=0))) == ""


def test_an_exit_code_has_its_meaning() -> None:
    ring = RingWriter(1 << 20, 1 << 14)
    ring.enter(0, 7, NUMBERS["exit_group"], 127)
    ring.task_exit(0, 7, 127 << 8)
    info = replace(INFO, status=127 << 8)
    meaning = explain(ring.snapshot(), info).ended.meaning
    assert meaning
    assert f'<p class="verdict bad">Exited with 127 <small>({meaning})</small></p>' in page(ring.snapshot(), info)


def test_firsts_are_not_shown_as_time_that_is_covered() -> None:
    ring = RingWriter(ring_size=1 << 13, chunk_size=1 << 12)
    ring.now_ns = 24 * SECOND
    for _ in range(500):
        ring.enter(0, 7, NUMBERS["getppid"])
        ring.returns(0, 1)
    ring.enter(0, 7, NUMBERS["exit_group"], 1)
    ring.task_exit(0, 7, 1 << 8)
    area = AreaWriter()
    for at_ns in (SECOND, SECOND + 10_000):
        area.call(at_ns, 7, NUMBERS["open"], 64, 0, 0, result=3, items=item(0, layout.KIND_STRING, b"/etc/app.conf"))
    info = replace(INFO, started_ns=SECOND, ended_ns=25 * SECOND, status=1 << 8, overwritten=350, dropped=0)
    shown = facts(page(area.beside(ring.snapshot(), {}), info))["Shown"]
    found = re.fullmatch(
        r"the last (0\.\d+) ms of 24\.0 s, and 2 first times from before: \d+ lines; 350 events lost", shown
    )
    assert found, shown
