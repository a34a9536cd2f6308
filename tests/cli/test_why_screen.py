# SPDX-License-Identifier: Apache-2.0
"""The screen of `why` on a terminal of 80 columns: what fits, what is left out, and that it is said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from archives import INFO, failed_snapshot

from traceloop_cli.display.why_lines import lines
from traceloop_decode.causes.explain import explain
from traceloop_decode.causes.objects import Clock
from traceloop_decode.causes.report import (
    Configuration,
    Covered,
    Ended,
    Evidence,
    Finding,
    Ran,
    Report,
    Sure,
    Wait,
    Words,
)
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.wait_status import wait_status

SCREEN_LINES, COLUMNS = 30, 80
CALL = 'openat(AT_FDCWD, "/usr/lib/python3/dist-packages/shop/orders/settings.yaml", O_RDONLY|O_CLOEXEC) = -1 ENOENT'
CAUSE = "python3 was waiting for 31.2 s in recvfrom on orders-db.shop.svc.cluster.local:5432 (10.96.0.17:5432) when"
CLOCK = Clock(0, 0)


def line(n: int) -> Evidence:
    return Evidence(n * 10**9, 7, f"{CALL} /* {n} */")


def crowded() -> Report:
    # Everything that a report can have, most of it longer than a line.
    findings = tuple(
        Finding(
            "hung",
            f"{CAUSE} SIGTERM number {n} asked it to stop.",
            Sure.LIKELY,
            140 - n,
            tuple(map(line, range(n, n + 4))),
        )
        for n in (10, 20, 30, 40)
    )
    waits = tuple(
        Wait("python3", f"for a lock or another thread (futex) of {n}", 10**9, line(n)) for n in range(50, 56)
    )
    said = tuple(f"  File {n} " + "of a long path " * 12 for n in range(6))
    return Report(
        ran=Ran(("/usr/bin/python3", "-c", "import shop; " * 60), "python3", 0, started=True),
        covered=Covered(0, 9 * 10**9, 12_345, 0),
        ended=Ended(wait_status(9), 0, ""),
        findings=findings,
        waits=waits,
        words=(Words(2, said, cut=False, evidence=line(60)), Words(1, said, cut=False, evidence=line(61))),
        configuration=Configuration("/etc/shop/settings.d/production.yaml", line(62)),
    )


def screen(report: Report, **how: object) -> list[str]:
    return list(lines(report, INFO, CLOCK, "mypod", **how))  # type: ignore[arg-type]


def test_the_longest_screen_fits_a_terminal() -> None:
    shown = screen(crowded(), width=COLUMNS)
    assert len(shown) <= SCREEN_LINES, "\n".join(shown)
    assert max(map(len, shown)) <= COLUMNS
    assert f"why       {CAUSE}"[:50] in shown[8]
    assert any(each.endswith("ENOENT /* 10 */") for each in shown)


def test_what_is_left_out_is_counted_and_shown_on_request() -> None:
    shown = screen(crowded(), width=COLUMNS)
    left_out = next(each for each in shown if each.startswith("Left out"))
    assert left_out == "Left out: 1 cause, 9 lines of the trace, 5 waits, 10 lines of output (why -v)"
    whole = screen(crowded(), width=COLUMNS, whole=True)
    assert not [each for each in whole if each.startswith("Left out")]
    text = " ".join(" ".join(whole).split())
    assert all(
        f"= -1 ENOENT /* {n} */" in text for n in (*range(10, 14), *range(20, 24), *range(40, 44), *range(50, 56), 62)
    )
    assert all(text.count(f"| File {n} ") == 2 for n in range(6))
    assert text.count("import shop; ") == 60


@pytest.mark.parametrize("width", [None, COLUMNS])
def test_an_ordinary_failure_is_shown_whole(width: int | None) -> None:
    report = explain(Snapshot.decode(failed_snapshot()), INFO)
    shown = screen(report, width=width)
    assert shown == screen(report, width=width, whole=True) or width == COLUMNS
    assert len(shown) < 20
    assert shown[-1].startswith("More: traceloopctl show mypod --around")
    assert not [each for each in shown if each.startswith("Left out")]


def test_a_wait_that_a_cause_rests_on_is_told_once() -> None:
    report = crowded()
    report = replace(report, findings=report.findings[:1], waits=(Wait("python3", "in recvfrom", 10**9, line(10)),))
    assert not [each for each in screen(report) if each.startswith("blocked")]
    whole = screen(report, whole=True)
    assert "blocked   python3 in recvfrom, 1.000 s" in whole
    assert len([each for each in whole if "/* 10 */" in each]) == 1


def test_pipes_get_unbroken_lines() -> None:
    shown = screen(crowded())
    assert f"why       {CAUSE} SIGTERM number 10 asked it to stop. [likely]" in shown
    assert len(shown) <= SCREEN_LINES


def test_colour_survives_the_folding() -> None:
    shown = screen(crowded(), width=COLUMNS, color=True)
    plain = [each.replace("\33[33m", "").replace("\33[31m", "").replace("\33[0m", "") for each in shown]
    assert plain == screen(crowded(), width=COLUMNS)
    assert shown[8].startswith("why       \33[33mpython3 was waiting")
    assert shown[8].endswith("\33[0m")


@pytest.mark.parametrize("width", [1, 40, 59, 60, 79, 500])
def test_any_width(width: int) -> None:
    shown = screen(crowded(), width=width)
    assert len(shown) <= SCREEN_LINES + 5
    assert max(len(each) for each in shown if not each.startswith("More")) <= max(width, 60)
    assert width >= 60 or shown == screen(crowded(), width=60)
