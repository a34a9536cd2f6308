# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F401, F811 - fixtures
"""traceloopctl export: each format of a real trace, read back; and what a container's text can do to a page."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
from collections import Counter
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import perfetto_schema
import pytest
from archives import INFO, failed_snapshot, info
from fake_daemon import FILE, TIMEOUT_S, ctl, daemon, path, started
from golden.record import read
from pages import EVIL, evil_file, page_data, rows
from ringwriter import RingWriter, item

from traceloop_cli.exports.formats import FORMATS
from traceloop_cli.sources.recorded import Recorded
from traceloop_decode.archive_file import pack
from traceloop_decode.events import events
from traceloop_decode.model import Call, Signal, TaskExit
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.totals import Total, Totals
from traceloop_decode.whole_calls import whole

pytestmark = pytest.mark.installed
REAL = ("process_children", "network_sockets", "signals_delivery", "files_open")


def exported(name: str, snapshot_name: str) -> bytes:
    return b"".join(FORMATS[name].export([Recorded(INFO, read(snapshot_name))]))


@pytest.fixture
def file(tmp_path):
    target = tmp_path / "a.trace"
    target.write_bytes(pack(INFO, read("process_children").encode()))
    return f"file:{target}"


# --- the verb ---------------------------------------------------------------------------------------------------------


def test_a_trace_of_the_daemon_or_of_a_file_is_written_for_its_owner_alone(daemon, ctl, tmp_path, file):
    target = tmp_path / "out"
    assert ctl("export", "node1_default_mypod", "--format", "jsonl", "-f", str(target)) == ""
    assert [json.loads(line)["syscall"] for line in target.read_text().splitlines()] == ["write", "exit_group", None]
    assert target.stat().st_mode & 0o777 == 0o600
    assert "already exists: give --force" in ctl("export", file, "--format", "jsonl", "-f", str(target), status=1)
    ctl("export", file, "--format", "jsonl", "-f", str(target), "--force", env={"TRACELOOP_ADDRESS": "unix:/none"})
    assert target.read_text() == ctl("export", file, "--format", "jsonl")


def test_a_format_of_one_trace_refuses_two(daemon, ctl, file):
    message = ctl("export", file, file, "--format", "html", status=2)
    assert message.startswith("--format html takes one ID, not 2: export each to a file of its own.")


def test_missing_traces_and_files_are_one_line(daemon, ctl, tmp_path):
    assert ctl("export", "nothing", "--format", "html", status=1).startswith("no trace nothing: ")
    assert "cannot read /nonexistent/x" in ctl("export", "file:/nonexistent/x", "--format", "html", status=1)
    (tmp_path / "f").write_text("text")
    assert "not a traceloop archive" in ctl("export", f"file:{tmp_path}/f", "--format", "html", status=1)
    words = ("export", "node1_default_m", "--format", "jsonl", "-f", f"{tmp_path}/none/x")
    assert "create its directory first" in ctl(*words, status=1)


def test_a_seccomp_profile_of_two_traces(capsys):
    traces = [  # one called read, the other socket
        Recorded(INFO, replace(RingWriter().snapshot(), totals=Totals({nr: Total(3, 0)}, {}, 0, 0))) for nr in (0, 41)
    ]
    profile = json.loads(b"".join(FORMATS["seccomp"].export(traces)))
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    assert {"read", "socket"} <= {name for rule in profile["syscalls"] for name in rule["names"]}
    assert "allows what 2 traces called" in capsys.readouterr().err


def test_the_capabilities_of_two_traces(capsys):
    rings = RingWriter(), RingWriter()
    for capability, ring in zip((0, 10), rings, strict=True):
        ring.notes_capabilities = True
        ring.ask(0, 7, 92, capability, granted=True)
    text = b"".join(FORMATS["capabilities"].export([Recorded(INFO, ring.snapshot()) for ring in rings])).decode()
    assert text.startswith("--cap-drop=ALL --cap-add=CHOWN --cap-add=NET_BIND_SERVICE\n")
    assert "what 2 traces used" in capsys.readouterr().err


def test_a_trace_that_does_not_know_its_capabilities(daemon, ctl, file):
    assert "record the container on Linux 6.14" in ctl("export", file, "--format", "capabilities", status=1)


def test_a_trace_without_counts_makes_no_profile(daemon, ctl, file):
    assert "recorded by a version that did not count" in ctl("export", file, "--format", "seccomp", status=1)


def test_what_cannot_be_exported_leaves_no_file_and_spoils_none(daemon, ctl, tmp_path, file):
    target = tmp_path / "profile"
    words = ("export", file, "--format", "seccomp", "-f", str(target))
    assert "recorded by a version that did not count" in ctl(*words, status=1)
    assert not target.exists()
    target.write_text("the last good one")
    assert "recorded by a version that did not count" in ctl(*words, "--force", status=1)
    assert target.read_text() == "the last good one"


def test_binary_is_not_for_a_terminal(path, daemon):
    ours, terminal = os.openpty()
    words = ("export", "node1_default_mypod", "--format", "perfetto")
    with started(path, *words, stdout=terminal, text=True) as process:
        assert "is binary and not for a terminal" in process.stderr.read()
        assert process.wait(TIMEOUT_S) == 2
    os.close(terminal)
    os.close(ours)


# --- text -------------------------------------------------------------------------------------------------------------


def test_strace_and_jsonl_are_as_show_prints_them(ctl, file):
    archive = file.removeprefix("file:")
    as_strace = ctl("show", "--file", archive, "-o", "strace", "-ttt", "-T", "-yy", "-s", "1024")
    assert ctl("export", file, "--format", "strace") == as_strace
    assert ctl("export", file, "--format", "jsonl") == ctl("show", "--file", archive, "-o", "jsonl", "-yy")


# --- html -------------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """The elements of a page, and what stands in its scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[tuple[str, str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append((self.elements[-1][0] if self.elements else "", data))


@pytest.mark.parametrize("name", REAL)
def test_a_page_needs_nothing_else_and_permits_nothing_else(name):
    text = exported("html", name).decode()
    page = Page(text)
    for tag, attributes in page.elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "form", "a", "video", "audio", "source")
        assert not attributes.keys() & {"src", "href", "srcset", "style"}, tag
        assert not [key for key in attributes if key.startswith("on")], tag
    assert not re.search(r"https?://|url\(|@import|fetch\(|XMLHttpRequest|WebSocket|eval\(|innerHTML|import\(", text)
    (policy,) = (a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    for rule, content in (("style-src", style), ("script-src", script)):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"


@pytest.mark.parametrize("name", REAL)
def test_a_page_has_every_event(name):
    data = page_data(exported("html", name).decode())
    found = Counter(row["name"] if row["what"] != "exit" else "exit" for row in rows(data))
    snapshot = read(name)
    wanted: Counter[str] = Counter()
    for event in whole(events(snapshot)):
        if isinstance(event, Call):
            wanted[event.title] += 1
        elif isinstance(event, TaskExit):
            wanted["exit"] += 1
        elif isinstance(event, Signal):
            wanted[f"SIG{event.number}"] += 1
    signals = sum(count for key, count in wanted.items() if re.fullmatch(r"SIG\d+", key))
    assert sum(1 for row in rows(data) if row["what"] == "signal") == signals
    assert {key: count for key, count in wanted.items() if not re.fullmatch(r"SIG\d+", key)}.items() <= found.items()
    times = [row["at"] for row in rows(data)]
    assert times == sorted(times)
    assert data["end"] >= times[-1]


def test_a_page_tells_how_it_ended_and_what_is_missing():
    ring = RingWriter(1 << 14, 1 << 12)
    for _ in range(1000):
        ring.enter(0, 7, 39)
        ring.exit(0, 7, 39, 7)
    ring.io_urings = 2
    page = b"".join(FORMATS["html"].export([Recorded(INFO, ring.snapshot())])).decode()
    assert '<p class="verdict bad">Exited with 42</p>' in page
    assert "<dd>busybox:1 \\342\\230\\203</dd>" in page  # as every other output escapes it
    assert "this container used io_uring (2 rings)" in page
    (lost,) = (row for row in rows(page_data(page)) if row["what"] == "lost")
    assert lost["lane"] is None
    assert "earlier events of cpu#0 were overwritten" in lost["text"]
    assert "34 events lost" in page


@pytest.mark.parametrize(
    ("status", "ended_ns", "verdict"),
    [
        *(
            (0, 1, 'good">Exited with 0'),
            (9, 1, 'bad">Killed by SIGKILL'),
            (0x8B, 1, "Killed by SIGSEGV (core dumped)"),
        ),
        *((None, 0, "Running when this was written"), (None, 1, "Ended; how is not known")),
    ],
)
def test_how_it_ended(status, ended_ns, verdict):
    from dataclasses import replace

    trace = Recorded(replace(info("x"), status=status, ended_ns=ended_ns), read("files_open"))
    assert verdict in b"".join(FORMATS["html"].export([trace])).decode()


def test_a_page_begins_with_sentences_not_with_calls():
    trace = Recorded(INFO, Snapshot.decode(failed_snapshot()))
    page = b"".join(FORMATS["html"].export([trace])).decode()
    assert re.findall("<li><p>(.*?) <span", page) == ["server could not open /etc/app.conf: it does not exist."]
    ring = RingWriter(1 << 14, 1 << 12)
    ring.enter(0, 7, 39)
    ring.exit(0, 7, 39, 7)
    ring.signal_sent(0, 7, 9, 0, sender=77, comm="engine")
    ring.task_exit(0, 7, 9)
    killed = Recorded(replace(INFO, status=9), ring.snapshot())
    lines = re.findall("<li><p>(.*?) <span", b"".join(FORMATS["html"].export([killed])).decode())
    assert any("ended by SIGKILL from engine (pid 77" in line for line in lines), lines
    assert not [line for line in lines if "si_signo" in line], lines


def test_text_of_a_container_stays_text(ctl, tmp_path):
    (tmp_path / "evil").write_bytes(evil_file())
    page = ctl("export", f"file:{tmp_path}/evil", "--format", "html")
    assert page.count("</script") == 2  # of the data and of the program
    assert page.count("<script") == 2
    assert "<img" not in page
    assert "<!--" not in page
    parsed = Page(page)
    assert Counter(tag for tag, _ in parsed.elements)["script"] == 2
    (title,) = re.findall(r"<title>(.*)</title>", page)
    assert unescape(title) == EVIL
    data = page_data(page)
    assert any(EVIL in row["text"] for row in rows(data))
    assert data["lanes"][0][3].startswith("</script>")


# --- perfetto ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REAL)
def test_perfettos_own_schema_reads_a_trace(name):
    trace = perfetto_schema.read(exported("perfetto", name))
    assert perfetto_schema.unknown_fields(trace) == []
    first = trace.packet[0]
    assert first.sequence_flags == 1
    assert first.trace_packet_defaults.timestamp_clock_id == 6
    snapshot = read(name)
    clocks = {clock.clock_id: clock.timestamp for clock in first.clock_snapshot.clocks}
    assert clocks[1] - clocks[6] == snapshot.boot_offset_ns
    assert {packet.trusted_packet_sequence_id for packet in trace.packet} == {1}


@pytest.mark.parametrize("name", REAL)
def test_slices_of_perfetto_are_the_calls(name):
    trace = perfetto_schema.read(exported("perfetto", name))
    tracks = {p.track_descriptor.uuid: p.track_descriptor for p in trace.packet if p.HasField("track_descriptor")}
    names: dict[str, dict[int, str]] = {"event_names": {}, "event_categories": {}, "debug_annotation_names": {}}
    found: Counter[tuple[str, str, int]] = Counter()
    depth: Counter[int] = Counter()
    for packet in trace.packet:
        if not packet.HasField("track_event"):
            continue
        for kind, known in names.items():
            known.update((one.iid, one.name) for one in getattr(packet.interned_data, kind))
        event = packet.track_event
        thread = tracks[event.track_uuid].thread
        assert tracks[event.track_uuid].parent_uuid in tracks
        if event.type == event.TYPE_SLICE_END:
            depth[event.track_uuid] -= 1
            assert depth[event.track_uuid] == 0
            continue
        category = names["event_categories"][event.category_iids[0]]
        annotations = {
            names["debug_annotation_names"][one.name_iid]: one.string_value for one in event.debug_annotations
        }
        assert annotations["line"]
        depth[event.track_uuid] += event.type == event.TYPE_SLICE_BEGIN
        assert (event.type == event.TYPE_INSTANT) == (category in ("signal", "exit"))
        found[
            names["event_names"][event.name_iid] if category not in ("signal", "exit") else category, "", thread.tid
        ] += 1
    wanted: Counter[tuple[str, str, int]] = Counter()
    for one in whole(events(read(name))):
        kind = one.title if isinstance(one, Call) else "signal" if isinstance(one, Signal) else "exit"
        wanted[kind, "", one.tid] += 1
    assert found == wanted
    assert not any(depth.values())


def test_losses_and_requests_have_tracks_of_their_own():
    ring = RingWriter(1 << 14, 1 << 12)
    for _ in range(1000):
        ring.enter(0, 7, 39)
        ring.exit(0, 7, 39, 7)
    for serial in (1, 2):
        ring.submit(0, 7, 18, -100, 0, 0, 0, request=serial, items=item(1, 1, b"/x"))
    for serial in (1, 2):
        ring.complete(0, 7, 18, 3, request=serial)
    trace = perfetto_schema.read(b"".join(FORMATS["perfetto"].export([Recorded(INFO, ring.snapshot())])))
    tracks = [packet.track_descriptor for packet in trace.packet if packet.HasField("track_descriptor")]
    thread = next(track for track in tracks if track.HasField("thread"))
    assert [(track.name, track.parent_uuid) for track in tracks if track.name] == [
        *[("io_uring", thread.uuid)] * 2,
        ("calls not recorded", 0),
    ]
