# SPDX-License-Identifier: Apache-2.0
"""Each trace id has a file name of its own that stays in the directory; closed ids survive in a file of their own."""

from __future__ import annotations

import pytest

pytest.importorskip("hypothesis", minversion="6.100")

from hypothesis import example, given
from hypothesis import strategies as st

from traceloop_daemon.archive.closed_ids import ClosedIds
from traceloop_decode.file_names import SUFFIX, file_name, trace_id_of


@given(st.text(min_size=1))
@example("..")
@example("../../etc/passwd")
@example(".new-x")
@example("a~b")
@example("a\nb")
@example("\ud800")
@example("x" * 249)
@example("x" * 250)
@example("é" * 100_000)
def test_every_id_is_a_safe_name(trace_id):
    name = file_name(trace_id)
    assert name.endswith(SUFFIX)
    assert name.isascii()
    assert len(name) <= 255
    assert not name.startswith(".")
    assert "/" not in name
    assert name.isprintable()
    if "~" not in name and "\ud800" not in trace_id:
        assert trace_id_of(name) == trace_id


def test_the_ids_that_daemons_give_are_their_files_names():
    assert file_name("10.0.30.247_default_mypod") == "10.0.30.247_default_mypod.trace"
    assert file_name("n1_a:b@c+d-e_2") == "n1_a:b@c+d-e_2.trace"


@given(st.lists(st.text(max_size=300), unique=True, min_size=2, max_size=2))
@example(["x" * 300, "x" * 301])
@example(["a%41", "aA"])
@example(["x" * 300, file_name("x" * 300).removesuffix(SUFFIX)])
def test_two_ids_have_two_names(ids):
    assert file_name(ids[0]) != file_name(ids[1])


def test_closed_ids_are_remembered(tmp_path):
    path = tmp_path / "closed-ids"
    closed = ClosedIds(path)
    for trace_id in ("a", "b\nc", "a", "\N{SNOWMAN}"):
        closed.add(trace_id)
        closed.flush()
    assert path.read_text() == "a\nb%0Ac\n%E2%98%83\n"
    assert list(ClosedIds(path)) == ["a", "b\nc", "\N{SNOWMAN}"]
    assert path.stat().st_mode & 0o777 == 0o640


def test_closed_ids_are_bounded_on_disk_too(tmp_path):
    path = tmp_path / "closed-ids"
    closed = ClosedIds(path, ids_max=10)
    for number in range(1000):
        closed.add(f"t{number}")
        closed.flush()
        assert path.read_text().count("\n") <= 20
    assert list(closed) == [f"t{n}" for n in range(990, 1000)]
    again = ClosedIds(path, ids_max=10)
    assert list(again) == list(closed)
    again.flush()
    assert path.read_text().count("\n") <= 10


def test_half_a_line_of_one_that_was_killed_does_not_count(tmp_path):
    path = tmp_path / "closed-ids"
    path.write_text("whole\nhal")
    closed = ClosedIds(path)
    assert list(closed) == ["whole"]
    closed.add("next")
    closed.flush()
    assert path.read_text() == "whole\nnext\n"


@given(st.binary())
def test_any_bytes_are_ids(tmp_path_factory, noise):
    path = tmp_path_factory.mktemp("ids") / "closed-ids"
    path.write_bytes(noise)
    closed = ClosedIds(path)
    closed.add("n1_x")
    closed.flush()
    assert "n1_x" in ClosedIds(path)


def test_ids_that_could_not_be_written_are_written_with_the_next(tmp_path):
    path = tmp_path / "gone" / "closed-ids"
    closed = ClosedIds(path)
    closed.add("a")
    with pytest.raises(OSError, match="No such file"):
        closed.flush()
    path.parent.mkdir()
    closed.add("b")
    closed.flush()
    assert list(ClosedIds(path)) == ["a", "b"]
