# SPDX-License-Identifier: Apache-2.0
"""The format of archive files: whole files come back, all others are distinguished, each by a single DecodeError."""

from __future__ import annotations

import json
import zlib
from dataclasses import fields, replace
from pathlib import Path
from struct import pack_into, unpack_from

import pytest

pytest.importorskip("hypothesis", minversion="6.100")

from archives import INFO, encoded_snapshot
from hypothesis import example, given
from hypothesis import strategies as st

from traceloop_decode.archive_file import METHODS, NONE, ZLIB, TraceInfo, TruncatedError, head_size, pack, read_head
from traceloop_decode.archive_file import unpack as unpack_file
from traceloop_decode.model import DecodeError
from traceloop_decode.snapshot import Snapshot

WHOLE = pack(INFO, encoded_snapshot())
TEXT = st.text(st.characters(codec="utf-8"), min_size=1)
OLDER = Path(__file__).parents[1] / "golden/without_labels.trace"
INFO_SIZE_AT, INFO_SUM_AT, SNAPSHOT_SIZE_AT, HEAD_SUM_AT, INFO_AT = 16, 20, 32, 40, 44


def sealed(file):
    """Returns a changed file with correct checksums."""
    file = bytearray(file)
    (info_size,) = unpack_from("<I", file, INFO_SIZE_AT)
    pack_into("<I", file, INFO_SUM_AT, zlib.crc32(file[INFO_AT : INFO_AT + info_size]))
    pack_into("<I", file, HEAD_SUM_AT, zlib.crc32(file[:HEAD_SUM_AT]))
    pack_into("<I", file, len(file) - 4, zlib.crc32(file[:-4]))
    return bytes(file)


def with_info(text):
    """Returns a whole file with this text as its information."""
    (info_size,) = unpack_from("<I", WHOLE, INFO_SIZE_AT)
    file = bytearray(WHOLE[:INFO_AT] + text + WHOLE[INFO_AT + info_size :])
    pack_into("<I", file, INFO_SIZE_AT, len(text))
    return sealed(file)


def changed(**values):
    return with_info(json.dumps(json.loads(INFO.encode()) | values).encode())


@pytest.mark.parametrize("method", METHODS)
def test_a_trace_comes_back(method):
    file = pack(INFO, encoded_snapshot(), method)
    assert unpack_file(file) == (INFO, encoded_snapshot())
    assert Snapshot.decode(unpack_file(file)[1]).arch == "x86_64"
    head = read_head(file)
    assert (head.info, head.method, head.file_size) == (INFO, method, len(file))
    assert head_size(file[: HEAD_SUM_AT + 4]) == head.packed_at


def test_the_layout_is_what_the_documents_say():
    assert WHOLE[:12] == b"TLTRACE\n\1\0\0\0"
    assert WHOLE[12:16] == b"zlib"
    info_size, info_sum, packed_size, snapshot_size, head_sum = unpack_from("<IIQQI", WHOLE, INFO_SIZE_AT)
    info, packed = WHOLE[44 : 44 + info_size], WHOLE[44 + info_size : 44 + info_size + packed_size]
    assert json.loads(info)["trace_id"] == INFO.trace_id
    assert (info_sum, head_sum) == (zlib.crc32(info), zlib.crc32(WHOLE[:40]))
    assert zlib.decompress(packed) == encoded_snapshot()
    assert snapshot_size == len(encoded_snapshot())
    assert WHOLE[44 + info_size + packed_size :] == zlib.crc32(WHOLE[:-4]).to_bytes(4, "little")


MEMORY = ("out_of_memory", "memory_limit_bytes", "memory_peak_bytes", "oom_kills", "oom_by_limit")
SMALL = {"labels_left_out": 9, "out_of_memory": 1}


@given(
    st.builds(
        TraceInfo,
        **{
            one.name: {
                "str": TEXT,
                "int": st.integers(0, (1 << 63) - 1),
                "int | None": st.none() | st.integers(0, 0xFFFF),
                "Mapping[str, str]": st.dictionaries(TEXT, TEXT, max_size=3),
            }[one.type]
            if one.name not in SMALL
            else st.integers(0, SMALL[one.name])
            for one in fields(TraceInfo)
        },
    ),
    st.binary(),
    st.sampled_from(METHODS),
)
def test_whatever_is_put_in_comes_out(info, snapshot, method):
    assert unpack_file(pack(info, snapshot, method)) == (info, snapshot)


def test_names_that_are_no_text_do_not_make_a_file_unreadable():
    info = unpack_file(pack(replace(INFO, image="a\ud800b", labels={"k\ud800": "v\udfff"}), b""))[0]
    assert (info.image, info.labels) == (r"a\ud800b", {r"k\ud800": r"v\udfff"})


def test_a_file_of_before_there_were_labels_and_a_capture_policy_is_read():
    older = OLDER.read_bytes()
    head = older[: read_head(older).packed_at]
    assert b"labels" not in head
    assert b"capture" not in head
    info, snapshot = unpack_file(older)
    capabilities = ("capabilities_granted", "capabilities_refused")
    uncounted = dict.fromkeys(("calls", "errors", "read_bytes", "written_bytes", *capabilities, *MEMORY))
    assert info == replace(
        INFO, labels={}, labels_left_out=0, capture="", ring_size_bytes=0, io_uring_setups=0, **uncounted
    )
    assert Snapshot.decode(snapshot).arch == "x86_64"


def test_fields_of_a_newer_writer_are_ignored_and_missing_ones_have_defaults():
    assert unpack_file(changed(colour="blue"))[0] == INFO
    info, snapshot = unpack_file(with_info(b'{"trace_id": "x"}'))
    assert (info, snapshot) == (TraceInfo("x"), encoded_snapshot())


@given(st.integers(0, len(WHOLE) - 1))
@example(0)
@example(INFO_AT)
@example(len(WHOLE) - 1)
def test_a_shorter_file_is_truncated(length):
    with pytest.raises(TruncatedError, match=r"^truncated archive: "):
        unpack_file(WHOLE[:length])


def test_a_longer_file_is_damaged():
    with pytest.raises(DecodeError, match=rf"^damaged archive: it continues after the {len(WHOLE)} bytes") as caught:
        unpack_file(WHOLE + b"\0")
    assert not isinstance(caught.value, TruncatedError)


@given(st.integers(0, 8 * len(WHOLE) - 1))
def test_a_flipped_bit_is_found_and_is_no_truncation(bit):
    file = bytearray(WHOLE)
    file[bit // 8] ^= 1 << bit % 8
    with pytest.raises(DecodeError) as caught:
        unpack_file(bytes(file))
    assert not isinstance(caught.value, TruncatedError)
    assert "\n" not in str(caught.value)


@given(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=50))
def test_overwritten_bytes_are_found(at, noise):
    file = (WHOLE[:at] + noise + WHOLE[at + len(noise) :])[: len(WHOLE)]
    if file != WHOLE:
        with pytest.raises(DecodeError):
            unpack_file(file)


@given(st.binary() | st.binary().map(lambda noise: WHOLE[:INFO_AT] + noise))
def test_any_bytes_are_a_trace_or_one_error(noise):
    for read in (unpack_file, read_head):
        with pytest.raises(DecodeError):
            read(noise)


def test_a_newer_version_is_refused_by_name():
    file = bytearray(WHOLE)
    file[8] = 3
    for read in (unpack_file, read_head):
        with pytest.raises(DecodeError, match=r"^archive version 3 is not known here, only 1: use the traceloopctl"):
            read(sealed(file))


def test_another_method_is_refused_by_name_and_its_head_is_read():
    file = sealed(WHOLE[:12] + b"zstd" + WHOLE[16:])
    assert read_head(file).info == INFO
    with pytest.raises(DecodeError, match="packed by the unknown method 'zstd'"):
        unpack_file(file)


def test_other_files_are_told():
    for other in (b"\x7fELF", b"TLSNAP1\n", b"TL", encoded_snapshot()):
        with pytest.raises(DecodeError, match=r"not a traceloop archive|truncated"):
            unpack_file(other)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"trace_id": ""}, "names no trace"),
        ({"trace_id": 7}, "trace_id is '7'"),
        ({"node": None}, "node is 'None'"),
        ({"image": "\ud800"}, "image is"),
        ({"started_ns": -1}, "started_ns is '-1'"),
        ({"started_ns": 1 << 63}, "started_ns is"),
        ({"events": True}, "events is 'True'"),
        ({"events": 1.5}, "events is '1.5'"),
        ({"status": 1 << 16}, "status is '65536'"),
        ({"status": "0"}, "status is '0'"),
        ({"restart_count": 1 << 31}, "restart_count is '2147483648'"),
        ({"labels": ["app"]}, r"labels is \"\['app'\]\""),
        ({"labels": {"app": 7}}, "labels is"),
        ({"labels": {"\ud800": "x"}}, "labels is"),
        ({"labels_left_out": -1}, "labels_left_out is '-1'"),
        ({"labels_left_out": None}, "labels_left_out is 'None'"),
    ],
)
def test_wrong_values_are_damage(values, reason):
    with pytest.raises(DecodeError, match=f"^damaged archive: .*{reason}"):
        unpack_file(changed(**values))


@pytest.mark.parametrize("text", [b"", b"[]", b"7", b"\xff", b"[" * 100_000, b'{"trace_id": 1e999}'])
def test_information_that_is_none_is_damage(text):
    with pytest.raises(DecodeError, match=r"^damaged archive: "):
        unpack_file(with_info(text))


@pytest.mark.parametrize("size", [0, 1, len(encoded_snapshot()) - 1, len(encoded_snapshot()) + 1, (1 << 64) - 1])
def test_a_snapshot_of_another_size_is_damage(size):
    for method in METHODS:
        file = bytearray(pack(INFO, encoded_snapshot(), method))
        pack_into("<Q", file, SNAPSHOT_SIZE_AT, size)
        with pytest.raises(
            DecodeError, match=r"^damaged archive: (a snapshot of|its snapshot has|its packed snapshot)"
        ):
            unpack_file(sealed(file))


def test_a_bomb_is_not_unpacked_further_than_it_says():
    file = bytearray(pack(INFO, bytes(100 << 20)))
    pack_into("<Q", file, SNAPSHOT_SIZE_AT, 500_000)
    with pytest.raises(DecodeError, match="does not end where it should"):
        unpack_file(sealed(file))


def test_what_follows_the_packed_snapshot_is_damage():
    packed = zlib.compress(b"x") + b"more"
    file = bytearray(pack(INFO, packed, NONE))
    file[12:16] = ZLIB.encode()
    pack_into("<Q", file, SNAPSHOT_SIZE_AT, 1)
    with pytest.raises(DecodeError, match="does not end where it should"):
        unpack_file(sealed(file))
