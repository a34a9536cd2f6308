# SPDX-License-Identifier: Apache-2.0
"""The choice which containers are recorded, and how much of each."""

import pytest

from traceloop_daemon.naming.names import Names
from traceloop_daemon.privacy.capture_policy import CapturePolicy
from traceloop_daemon.registering.policy import CAPTURE, FIRSTS_SIZE, RECORD, RING_SIZE, SKIP, Choice, choose
from traceloop_daemon.settings.keys import CaptureSettings, RecordMode, RecordSettings, RingSettings
from traceloop_decode import layout
from traceloop_decode.selection.skipped import places

POD = Names("web", "pod", "prod", "u", "docker.io/library/nginx:1.25")
ALL, LESS, LEAST = CapturePolicy


def choice(recording=RecordSettings(), capturing=CaptureSettings(), names=POD, **annotations):  # noqa: B008 - frozen
    named = {f"io.traceloop.{key}": value for key, value in annotations.items()}
    return choose(recording, capturing, RingSettings(), names, named)


def test_all_is_recorded_unless_a_rule_says_no():
    assert choice() == choice(names=Names("c")) == Choice("", ALL, 1 << 20, 64 << 10)
    assert not choice(RecordSettings(namespaces=("dev", "pro?"), images=("*/nginx:*",))).refused


@pytest.mark.parametrize(
    ("record", "names", "annotations", "rule"),
    [
        (RecordSettings(), POD, {"record": "false"}, "annotation io.traceloop.record is 'false'"),
        (RecordSettings(), POD, {"record": "flase"}, "annotation io.traceloop.record is 'flase'"),
        (RecordSettings(), POD, {"record": "\x1b[2J"}, r"is '\x1b[2J'"),
        (RecordSettings(sandboxes=True), Names("p", "p", "n", sandbox=True), {"record": "false"}, "annotation"),
        (RecordSettings(), Names("p", "p", "n", sandbox=True), {"record": "true"}, "record.sandboxes is false"),
        (RecordSettings(namespaces=("dev", "test-*")), POD, {}, "'prod' is not in record.namespaces"),
        (RecordSettings(namespaces=("?*",)), Names("c"), {}, "'' is not in record.namespaces"),
        (RecordSettings(exclude_namespaces=("kube-*", "pro[dx]")), POD, {}, "'prod' is in record.exclude_namespaces"),
        (RecordSettings(images=("registry/*",)), POD, {}, "is not in record.images"),
        (RecordSettings(exclude_images=("*nginx*",)), POD, {"record": "true"}, "is in record.exclude_images"),
        (RecordSettings(mode=RecordMode.OPT_IN), POD, {}, 'record.mode is "opt-in"'),
        (RecordSettings(mode=RecordMode.OPT_IN), POD, {"record": "false"}, "annotation"),
    ],
)
def test_the_rule_that_says_no_is_told(record, names, annotations, rule):
    refused = choice(record, names=names, **annotations).refused
    assert rule in refused
    assert refused.isascii()
    assert refused.isprintable()


def test_opt_in_records_who_asks():
    assert not choice(RecordSettings(mode=RecordMode.OPT_IN), record="true").refused
    assert not choice(RecordSettings(sandboxes=True), names=Names("p", "p", "n", sandbox=True)).refused


@pytest.mark.parametrize(
    ("node", "asked", "allow_raise", "holds", "noted"),
    [
        (ALL, None, False, ALL, False),
        (LESS, None, False, LESS, False),
        (ALL, "no-payload", False, LESS, False),
        (ALL, "paths", False, LEAST, False),
        (LESS, "no-payload", False, LESS, False),
        (LESS, "all", False, LESS, True),
        (LEAST, "no-payload", False, LEAST, True),
        (LESS, "all", True, ALL, False),
        (LESS, "paths", True, LEAST, False),
        (ALL, "nothing", True, LEAST, True),
        (ALL, "", False, LEAST, True),
    ],
)
def test_an_annotation_may_lower_the_capture_policy(node, asked, allow_raise, holds, noted):
    annotations = {} if asked is None else {"capture": asked}
    made = choice(capturing=CaptureSettings(policy=node, allow_raise=allow_raise), **annotations)
    assert made.capture is holds
    assert bool(made.notes) is noted


def test_each_policy_withholds_more_than_the_one_before():
    assert ALL.withheld == 0
    assert LESS.withheld == layout.CLASS_PAYLOAD
    assert LEAST.withheld == layout.CLASS_ANY - layout.CLASS_PATH
    assert (RECORD, CAPTURE) == ("io.traceloop.record", "io.traceloop.capture")


@pytest.mark.parametrize(
    ("asked", "size", "note"),
    [
        (None, 1 << 20, ""),
        ("4M", 4 << 20, ""),
        ("3145728", 3 << 20, ""),
        ("64K", 1 << 20, ""),
        ("0", 1 << 20, ""),
        ("1G", 4 << 20, "asks for '1G', more than ring.max_size: 4M applies"),
        ("much", 1 << 20, """is 'much', not a size such as "4M": 1M applies"""),
        ("-1", 1 << 20, "not a size"),
        ("\x1b[2J", 1 << 20, r"is '\x1b[2J', not a size"),
    ],
)
def test_the_size_of_a_ring(asked, size, note):
    annotations = {RING_SIZE: asked} if asked else {}
    chosen = choose(RecordSettings(), CaptureSettings(), RingSettings(max_size=4 << 20), POD, annotations)
    assert chosen.ring_size == size
    assert note in "".join(chosen.notes)
    assert bool(chosen.notes) == bool(note)


def test_a_ring_is_never_more_than_can_be_joined():
    chosen = choose(RecordSettings(), CaptureSettings(), RingSettings(size=64 << 10), POD, {RING_SIZE: "1M"})
    assert (chosen.ring_size, len(chosen.notes)) == (512 << 10, 1)


def test_a_ring_is_never_less_than_the_nodes_size():
    chosen = choose(RecordSettings(), CaptureSettings(), RingSettings(size=8 << 20), POD, {RING_SIZE: "2M"})
    assert (chosen.ring_size, chosen.notes) == (8 << 20, ())


@pytest.mark.parametrize(
    ("asked", "size", "note"),
    [
        (None, 64 << 10, ""),
        ("16K", 16 << 10, ""),
        ("0", 0, ""),
        ("64K", 64 << 10, ""),
        ("1M", 64 << 10, "asks for '1M', more than allowed: 64K applies"),
        ("off", 0, """is 'off', not a size such as "16K": no calls that are new are kept"""),
    ],
)
def test_an_annotation_may_lower_the_size_of_the_firsts(asked, size, note):
    chosen = choose(
        RecordSettings(), CaptureSettings(), RingSettings(), POD, {} if asked is None else {FIRSTS_SIZE: asked}
    )
    assert (chosen.firsts_size, bool(chosen.notes)) == (size, bool(note))
    assert note in "".join(chosen.notes)


@pytest.mark.parametrize(
    ("asked", "more", "note"),
    [
        ("", set(), "names no system call and no class: ''"),
        ("read, write@32", {"read", "write@32"}, ""),
        ("read,raed,%nonsense", {"read"}, "names no system call and no class: 'raed', '%nonsense'"),
        ("!read,all,none,?x,/re", set(), "class: '!read', 'all', 'none', '?x', '/re'"),
        ("read," * 1000, set(), "has more than 4096 characters, and is ignored"),
    ],
)
def test_an_annotation_adds_calls_that_are_not_recorded(asked, more, note):
    settings = CaptureSettings(skip=("futex", "%clock"))
    chosen = choose(RecordSettings(), settings, RingSettings(), POD, {SKIP: asked})
    assert chosen.skip == {"futex", "%clock"} | more
    assert bool(chosen.notes) == bool(note)
    assert note in "".join(chosen.notes)
    assert choose(RecordSettings(), settings, RingSettings(), POD, {}).skip == {"futex", "%clock"}


def test_the_calls_of_both_tables_have_their_places():
    native, compat = 202, layout.TOTAL_CALLS + 240
    assert places(frozenset(["futex"]), "x86_64") == {native, compat}
    assert places(frozenset(["futex@64"]), "x86_64") == {native}
    assert places(frozenset(["futex@32"]), "x86_64") == {compat}
    assert {228, 96, 201, layout.TOTAL_CALLS + 265} < places(frozenset(["%clock"]), "x86_64")
    assert not places(frozenset(), "x86_64")


def test_a_label_is_called_a_label():
    asked = {RECORD: "no", CAPTURE: "everything", RING_SIZE: "huge"}
    settings = RecordSettings(), CaptureSettings(), RingSettings()
    by_annotation = choose(*settings, POD, asked)
    by_label = choose(*settings, POD, asked, by_label={RECORD, RING_SIZE})
    assert by_label.refused == "its label io.traceloop.record is 'no'"
    assert by_annotation.refused == "its annotation io.traceloop.record is 'no'"
    assert [note.partition(" is ")[0] for note in by_label.notes] == [
        f"its annotation {CAPTURE}",
        f"its label {RING_SIZE}",
    ]
