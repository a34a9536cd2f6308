# SPDX-License-Identifier: Apache-2.0
"""Secrets are blotted out of snapshots; all other bytes stay as they were, whatever the input."""

import random
import re
from dataclasses import replace

import pytest

pytest.importorskip("hypothesis", minversion="6.100")

from golden.record import NAMES, read
from hypothesis import given, settings
from hypothesis import strategies as st
from ringwriter import RingWriter, item

from traceloop_daemon.privacy.redaction import EXACT, EXACT_SIGNS, LOWERED, LOWERED_SIGNS, Redactor, compiled
from traceloop_decode import layout
from traceloop_decode.events import events
from traceloop_decode.model import Call
from traceloop_decode.open_files import OpenFiles, Process
from traceloop_decode.places import places
from traceloop_decode.text import jsonl, short

READ, WRITE = 0, 1
DEFAULT = Redactor()


def blot(text):
    return DEFAULT.blotted(text)


FOUND = [
    (b"password=hunter2", b"password=*******"),
    (b"mysql --password=hunter2 -h db", b"mysql --password=******* -h db"),
    (b"DB_PASSWORD=hunter2\0PATH=/bin\0", b"DB_PASSWORD=*******\0PATH=/bin\0"),
    (b'{"api_key": "abcdef", "n": 1}', b'{"api_key": "******", "n": 1}'),
    (b"client_secret=abc&grant=x", b"client_secret=***&grant=x"),
    (b"aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", b"aws_secret_access_key = *********************"),
    (b"Authorization: Bearer abc.def\r\nHost: x\r\n", b"Authorization: **************\r\nHost: x\r\n"),
    (b"authorization: Basic dXNlcjpwYXNz", b"authorization: ******************"),
    (b"Set-Cookie: id=17; Path=/\r\n", b"Set-Cookie: *************\r\n"),
    (b"X-Auth-Token: zzz\n", b"X-Auth-Token: ***\n"),
    (b"postgres://joe:s3cret@db/x", b"postgres://joe:******@db/x"),
    (b"id AKIAIOSFODNN7EXAMPLE!", b"id ********************!"),
    (b"ghp_16C7e42F292c6912E7710c838347Ae178B4a", b"*" * 40),
    (b"jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln end", b"jwt " + b"*" * 41 + b" end"),
    (b"-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabcd", b"-----BEGIN RSA PRIVATE KEY-----**********"),
    (b"root:$6$salt$hashhash:19000:0", b"root:$6$*************:19000:0"),
]


@pytest.mark.parametrize(("text", "shown"), FOUND)
def test_the_default_patterns(text, shown):
    assert blot(text) == shown
    assert len(shown) == len(text)


@pytest.mark.parametrize(
    "text",
    [
        *(b"/etc/passwd", b"/home/joe/secrets/a", b"PWD=/root", b"tokenize(x)", b"http://host:80/a@b", b"3*7*2\n"),
        *(b"cost $5 or $6", b"author: me", b"AKIA-not", b"a:b@c", bytes(range(256)).replace(b"=", b"")),
    ],
)
def test_what_is_no_secret_stays(text):
    assert blot(text) == text


@given(st.binary(max_size=300))
def test_any_bytes_stay_as_long_and_what_is_kept_stays_in_place(data):
    result = blot(data)
    assert len(result) == len(data)
    assert all(new in (old, ord("*")) for old, new in zip(data, result, strict=True))


def ring_of(*payloads, chunk_size=1 << 12, **sizes):
    ring = RingWriter(chunk_size=chunk_size, **sizes)
    for payload in payloads:
        ring.enter(0, 7, WRITE, 1, 4096, len(payload), items=item(1, layout.KIND_BUFFER, payload))
        ring.exit(0, 7, WRITE, len(payload))
    return ring


def payloads(snapshot):
    return [event.items[1][0].data for event in events(snapshot) if isinstance(event, Call)]


def test_a_snapshot_keeps_all_but_its_secrets():
    before = ring_of(b"first", b"token: abc", b"password=12345678", b"last").snapshot()
    after = DEFAULT.redacted(before, "t")
    assert payloads(after) == [b"first", b"token: ***", b"password=********", b"last"]
    assert replace(after, data=before.data) == before
    assert b"12345678" not in after.encode()
    assert [line.split("] ")[0] for line in short.lines(events(after), after)] == [
        line.split("] ")[0] for line in short.lines(events(before), before)
    ]


def firsts_of(*texts, firsts_size=1 << 13):
    """Returns a snapshot whose ring has nothing: its calls are among the firsts, each in another form."""
    ring = RingWriter(firsts_size=firsts_size)
    for n, text in enumerate(texts):
        written, result = item(1, layout.KIND_BUFFER, text), len(text).to_bytes(8, "little")
        registers = b"".join(word.to_bytes(8, "little") for word in (1, 4096, len(text)))
        room, nr = bytes(layout.ROOM.size), WRITE | 3 << layout.NR_ARGS_SHIFT
        end = layout.HEADER.size + len(room + registers + written)
        forms = (
            (layout.TYPE_CALL, layout.ROOM.pack(5, len(text)) + registers + written),
            (layout.TYPE_RETURN, result + registers + written),
            (layout.TYPE_CALL_OUT, layout.ROOM.pack(5, end) + registers + written + result),
        )
        kind, body = forms[n % len(forms)]
        ring.keep(0, 9 + n, kind, nr, body)
    return ring.snapshot()


TEXTS = [b"first", b"token: abc", b"password=12345678", b"Authorization: Basic xyz", b"pin", b"secret=hunter2"]


def test_the_firsts_keep_all_but_their_secrets():
    before = firsts_of(*TEXTS)
    after = DEFAULT.redacted(before, "t")
    assert payloads(before) == TEXTS
    assert payloads(after) == [blot(text) for text in TEXTS]
    assert replace(after, data=before.data) == before
    for secret in (b"12345678", b"hunter2", b"xyz", b"abc"):
        assert secret in before.encode()
        assert secret not in after.encode()


def test_firsts_that_were_overwritten_leave_nothing():
    """Zeros replace what an area held before and what no record has; whole records stay as they are."""
    texts = [b"password=%06d" % n + bytes(n % 5) for n in range(400)]
    before = firsts_of(*texts)
    after = DEFAULT.redacted(before, "t")
    assert before.areas[0].limit > 4 * before.areas[0].size
    assert len(payloads(after)) == len(payloads(before)) > 60
    assert all(blot(text) == shown for text, shown in zip(payloads(before), payloads(after), strict=True))
    assert not re.search(rb"password=[0-9]", after.data)


def test_a_match_never_reaches_beyond_its_item():
    """A match ends with its item: the next record's header follows, whose bytes a greedy pattern could match."""
    greedy = Redactor([re.compile(rb"(?s)password=.*")], defaults=False)
    before = ring_of(b"password=1234567", b"kept").snapshot()
    after = greedy.redacted(before, "t")
    assert payloads(after) == [b"*" * 16, b"kept"]


@pytest.mark.parametrize("name", NAMES)
def test_recorded_rings_read_the_same(name):
    before = read(name)
    after = DEFAULT.redacted(before, name)
    assert list(jsonl.lines(events(after), after)) == list(jsonl.lines(events(before), before))


@pytest.mark.parametrize("name", NAMES)
def test_places_are_those_that_the_decoder_reads(name):
    snapshot = read(name)
    found = places(snapshot)
    placed = [snapshot.data[begin:end] for begin, end in zip(found.begins, found.ends, strict=True)]
    blind = Redactor([re.compile(rb"(?s).")], defaults=False).redacted(snapshot, name)
    shown = [
        part.data
        for event in events(blind)
        for items in (getattr(getattr(event, "call", event), "items", None) or {}).values()
        for part in items
    ]
    assert placed
    assert all(set(data) <= {0, ord("*")} for data in shown), "an item was not among the places"
    assert sum(map(len, placed)) >= sum(map(len, shown))


def test_what_is_no_record_becomes_zero():
    """After a lap of secrets and a shorter one, the bytes of the first lap beyond the second's end become zero."""
    ring = ring_of(*[b"hidden-word-%03d" % n for n in range(600)])
    before = ring.snapshot()
    assert ring.head > ring.ring_size
    shown = set(payloads(before))
    after = DEFAULT.redacted(before, "t")
    assert payloads(after) == payloads(before)
    left = set(re.findall(rb"hidden-word-\d+", after.data))
    assert left <= shown
    assert set(re.findall(rb"hidden-word-\d+", before.data)) - shown, "else there was nothing to become zero"


def test_padding_becomes_zero():
    ring = RingWriter()
    head = layout.ITEM.pack(1, layout.KIND_BUFFER, 3, 3)
    ring.enter(0, 7, WRITE, 1, 4096, 3, items=head + b"abc" + b"OLD!!")
    after = DEFAULT.redacted(ring.snapshot(), "t")
    assert b"abc\0\0\0\0\0" in after.data
    assert b"OLD" not in after.data


def test_forged_records_in_a_payload_change_nothing():
    """A payload that is itself a ring, with records of false lengths, changes nothing."""
    forged = bytes(ring_of(b"password=inner" * 4).data[:240])
    before = ring_of(forged, b"password=outer").snapshot()
    after = DEFAULT.redacted(before, "t")
    assert payloads(after)[1] == b"password=*****"
    assert len(payloads(after)[0]) == len(forged)
    assert b"inner" not in after.data


@settings(max_examples=200)
@given(st.integers(0, 1 << 30))
def test_damaged_rings_are_survived(seed):
    chance = random.Random(seed)
    ring = ring_of(*[chance.randbytes(chance.randrange(200)) + b" password=x" for _ in range(40)])
    snapshot = ring.snapshot()
    data = bytearray(snapshot.data)
    for _ in range(chance.randrange(60)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    damaged = replace(snapshot, data=bytes(data[: chance.randrange(1, len(data))]))
    after = DEFAULT.redacted(damaged, "t")
    assert len(after.data) == len(damaged.data)
    for event in events(after):
        for items in (getattr(getattr(event, "call", event), "items", None) or {}).values():
            assert all(b"password=x" not in part.data for part in items)


def test_open_files_are_searched_too():
    files = OpenFiles(1, 2, {7: Process(b"/a?token=abc", None, {3: (b"/tmp/password=x", True)})})
    after = DEFAULT.redacted(replace(ring_of(b"x").snapshot(), open_files=files), "t")
    assert after.open_files == OpenFiles(1, 2, {7: Process(b"/a?token=***", None, {3: (b"/tmp/password=*", True)})})


def test_groups_are_blotted_out_and_without_any_the_match():
    data = b"user=joe pin=1234"
    assert Redactor([compiled("pin=([0-9]+)")], defaults=False).blotted(data) == b"user=joe pin=****"
    assert Redactor([compiled("pin=[0-9]+")], defaults=False).blotted(data) == b"user=joe ********"
    assert Redactor([compiled("(?:user=(x)|pin=([0-9]+))")], defaults=False).blotted(data) == b"user=joe pin=****"
    assert Redactor([compiled("k\u00e9y=.")], defaults=False).blotted("k\u00e9y=1".encode()) == b"******"


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(", "unterminated"),
        ("x*", "do not match the empty string"),
        ("(a+)+b", "bounded time"),
        ("(?:a|a)*b", "bounded time"),
        ("(?:x(?:a?){3})+", "bounded time"),
        ("(?=(?:a+)+b)c", "bounded time"),
    ],
)
def test_patterns_that_cannot_be_used_are_refused(pattern, reason):
    with pytest.raises(ValueError, match=reason):
        compiled(pattern)


@pytest.mark.parametrize("pattern", ["a{3}b+", r"(?i)pin[ =]([0-9]+)", "(?:abc)?d", "(?:ab)+c", "x|y", "[ab]*c"])
def test_usual_patterns_are_taken(pattern):
    assert compiled(pattern).pattern == pattern.encode()


def test_the_default_patterns_would_be_taken_from_a_file():
    for pattern in (*LOWERED, *EXACT):
        compiled(pattern.pattern.decode())


def test_when_the_budget_is_spent_the_rest_is_blotted_out_unread(caplog):
    """Every string is blotted out with a user's patterns; with traceloop's own, only strings that may hold a secret."""
    before = ring_of(b"first", b"token=", b"harmless").snapshot()
    after = Redactor([re.compile(b"x")], budget_s=-1).redacted(before, "n_pod")
    assert payloads(after) == [b"*****", b"******", b"********"]
    assert "n_pod: 3 strings blotted out unread" in caplog.text
    after = Redactor(budget_s=-1).redacted(before, "n_other")
    assert payloads(after) == [b"first", b"******", b"harmless"]
    assert "n_other: 1 strings blotted out unread" in caplog.text


SECRETS = st.one_of([st.from_regex(pattern) for pattern in (*LOWERED, *EXACT)])
PIECES = st.one_of(
    SECRETS,
    st.binary(max_size=40),
    st.sampled_from([text for pair in FOUND for text in pair]),
    st.sampled_from(
        [b"PASSWORD", b"token", b"_key", b": ", b"=", b"://", b"a:b@", b"eyJ", b"$6$", b"$1", b"ghp_", b"\0"]
    ),
)


@settings(max_examples=300)
@given(st.lists(PIECES, max_size=8), st.integers(0, 40), st.booleans())
def test_the_quick_way_finds_what_a_search_of_each_item_finds(pieces, cut, upper):
    """Finds pieces of secrets next to each other in one item, split over two, and cut off at any place."""
    joined = b"".join(pieces)[:4000]
    joined = joined.upper() if upper else joined
    items = [joined, joined[:cut], joined[cut:], joined[: len(joined) - cut], *(piece[:4000] for piece in pieces)]
    items = [text for text in items if text]
    before = ring_of(*items, chunk_size=1 << 15, ring_size=1 << 18).snapshot()
    assert payloads(DEFAULT.redacted(before, "t")) == [DEFAULT.blotted(text) for text in items]
    mine = Redactor([re.compile(rb"a([a-z]+)")])
    assert payloads(mine.redacted(before, "t")) == [mine.blotted(text) for text in items]


def test_no_default_pattern_fits_without_a_sign():
    for patterns, signs in ((LOWERED, LOWERED_SIGNS), (EXACT, EXACT_SIGNS)):
        for pattern in patterns:
            _signed(pattern, signs)


def _signed(pattern, signs):
    @settings(max_examples=200)
    @given(st.from_regex(pattern))
    def check(text):
        assert any(sign.search(text) for sign in signs)

    check()


def ring_of_ends(*pieces, size, kind=layout.KIND_BUFFER):
    """A write of `size` bytes whose beginning and end, in one or more pieces, were recorded."""
    ring = RingWriter()
    head, *tail = pieces
    parts = [item(1, kind, head, size=size, flags=layout.ITEM_MORE)]
    parts += [item(1, kind, piece, size=size, flags=layout.ITEM_TAIL) for piece in tail]
    ring.enter(0, 7, WRITE, 2, 4096, size, items=b"".join(parts))
    return ring.snapshot()


def ends_of(snapshot):
    (event,) = events(DEFAULT.redacted(snapshot, "x"))
    (found,) = event.call.args[1].items
    return found.data, found.tail


def test_a_secret_across_pieces_that_follow_one_another():
    assert ends_of(ring_of_ends(b"log in with pass", b"word=hun", b"ter2 now", size=32)) == (
        b"log in with password=******* now",
        b"",
    )
    assert ends_of(ring_of_ends(b"head", b"token: ab", b"cd end", size=100)) == (b"head", b"****** **** end")


def test_what_may_be_the_rest_of_a_secret_after_a_gap():
    assert ends_of(ring_of_ends(b"plain head", b"hunter2 and then", size=100)) == (b"plain head", b"******* and then")
    assert ends_of(ring_of_ends(b"password=hun", b"ter2 and then", size=100)) == (b"password=***", b"*" * 13)
    key = b"MIIE\nabcd\n-----END RSA PRIVATE KEY-----"
    assert ends_of(ring_of_ends(b"plain head", key + b"\nrest", size=100)) == (
        b"plain head",
        b"*" * len(key) + b"\nrest",
    )


def test_the_end_of_a_path_stays():
    snapshot = ring_of_ends(b"/very/long", b"file-name.txt", size=300, kind=layout.KIND_STRING)
    assert ends_of(snapshot) == (b"/very/long", b"file-name.txt")
