# SPDX-License-Identifier: Apache-2.0
"""Whose calls go into which ring: children, neighbours, and cgroups whose numbers collide in the kernel's table."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from recorder import TIMEOUT_S, Cgroup, Container, text

from traceloop_bpf.cgroups import CgroupTable
from traceloop_bpf.tracer import Tracer
from traceloop_decode import layout

pytestmark = pytest.mark.kernel

LOOK_BEHIND = (1 << 64) - 1 - layout.FRONT_MASK
UNUSED_SLOTS = 4001, 4002
"""Far above those that the pool gives out."""

NESTED = """
mkdir "$0/child" && mkdir "$0/child/grandchild" || exit 1
for place in child child/grandchild; do
    echo $$ > "$0/$place/cgroup.procs"
    cat "/no/$place"
done
echo $$ > "$0/cgroup.procs"
rmdir "$0/child/grandchild" "$0/child"
cat /no/back
exit 0
"""


def opened(container: Container) -> list[bytes]:
    """The files under /no/ that its programs tried to open."""
    paths = [text(call, 1) for call in container.calls("openat")]
    return [path for path in paths if path.startswith(b"/no/")]


def test_children_of_a_recorded_cgroup(tracer: Tracer, container: Container) -> None:
    container.run("sh", "-c", NESTED, str(container.path))
    assert opened(container) == [b"/no/child", b"/no/child/grandchild", b"/no/back"]
    # Removed, they are in the table no longer.
    assert tracer._cgroups.ids(container.recording.slot.number) == [container.id]


def test_a_neighbour_is_not_recorded(container: Container) -> None:
    with Cgroup() as neighbour:
        neighbour.run("sh", "-c", NESTED, str(neighbour.path))
        neighbour.run("cat", "/no/neighbour", status=1)
    container.run("cat", "/no/own", status=1)
    assert opened(container) == [b"/no/own"]


def test_a_cgroup_below_that_existed_before(tracer: Tracer, container: Container) -> None:
    (container.path / "old").mkdir()
    with Container(tracer) as other:
        below = other.path / "below"
        below.mkdir()
        tracer.stop(other.recording)
        tracer.extend(other.recording, [below.stat().st_ino])
        other.run("sh", "-c", 'cat /no/above; echo $$ > "$0/cgroup.procs"; cat /no/below; exit 0', str(below))
        assert opened(other) == [b"/no/below"]
    assert not opened(container)


def test_two_containers_at_once(containers: Callable[[], Container]) -> None:
    """Each opens its own names while the other does; 100 of each, none of the other's."""
    script = 'for n in $(seq 100); do read line < "/no/$0-$n"; done 2>&-; exit 0'
    both = [containers(), containers()]
    with both[0].start("sh", "-c", script, "a") as first, both[1].start("sh", "-c", script, "b") as second:
        for process in (first, second):
            process.communicate(timeout=TIMEOUT_S)
    for one, name in zip(both, "ab", strict=True):
        assert opened(one) == [f"/no/{name}-{n}".encode() for n in range(1, 101)]


def test_nothing_is_recorded_after_the_stop(tracer: Tracer, container: Container) -> None:
    container.run("cat", "/no/before", status=1)
    tracer.stop(container.recording)
    count = container.recording.ring.count()
    container.run("cat", "/no/after", status=1)
    assert container.recording.ring.count() == count
    assert opened(container) == [b"/no/before"]


@pytest.fixture
def table(tracer: Tracer) -> Iterator[CgroupTable]:
    """The kernel's tables, with what a test adds to UNUSED_SLOTS taken out again."""
    yield tracer._cgroups
    for slot in UNUSED_SLOTS:
        tracer._cgroups.sweep(slot)


def colliding(cgroup_id: int, count: int) -> list[int]:
    """Ids that no cgroup has, with the same low bits."""
    return [cgroup_id + (n << 40) for n in range(1, count + 1)]


def add(table: CgroupTable, ids: list[int], slot: int) -> None:
    for cgroup_id in ids:
        table.add(cgroup_id, slot)


def word(table: CgroupTable, cgroup_id: int) -> int:
    return table._front[cgroup_id & layout.FRONT_MASK]


def test_table(table: CgroupTable) -> None:
    first, second, third, alone = (5 << 41) + 7, (6 << 41) + 7, (7 << 41) + 7, (5 << 41) + 8
    a, b = UNUSED_SLOTS
    assert (word(table, first), word(table, alone)) == (0, 0)
    add(table, [first, alone], a)
    add(table, [second, third], b)
    assert [sorted(table.ids(slot)) for slot in (a, b)] == [[first, alone], [second, third]]
    assert [table.slot_of(one) for one in (first, second, third, alone, 99 << 41)] == [a, b, b, a, None]
    assert word(table, first) == (5 << 41 | a)  # the first that came is in front
    table.remove([first])
    assert word(table, first) == LOOK_BEHIND  # the others must still be found
    assert table.sweep(a) == 1
    assert word(table, alone) == 0
    assert word(table, second) in (6 << 41 | b, 7 << 41 | b)
    table.remove([second, third])
    table.sweep(b)
    assert word(table, second) == 0


def test_table_takes_a_cgroup_over(table: CgroupTable) -> None:
    cgroup_id = (5 << 41) + 9
    for slot in UNUSED_SLOTS:
        table.add(cgroup_id, slot)
        assert (table.slot_of(cgroup_id), word(table, cgroup_id)) == (slot, 5 << 41 | slot)


def test_sweep_leaves_no_word_of_a_cgroup_that_it_took_out(table: CgroupTable) -> None:
    """Else its calls went into the ring of whoever gets the slot next."""
    first, second = (5 << 41) + 7, (6 << 41) + 7
    table.add(first, UNUSED_SLOTS[0])
    table.add(second, UNUSED_SLOTS[1])
    table.sweep(UNUSED_SLOTS[0])
    assert word(table, first) == (6 << 41 | UNUSED_SLOTS[1])


def test_many_ids_with_the_same_low_bits(table: CgroupTable, container: Container) -> None:
    """The recorded cgroup's place in front is taken, by an id that came before: found behind, with its children."""
    ids = colliding(container.id, 300)
    table.remove([container.id])
    table.sweep(UNUSED_SLOTS[0])
    add(table, ids, UNUSED_SLOTS[0])
    table.add(container.id, container.recording.slot.number)
    assert word(table, container.id) == ids[0] & LOOK_BEHIND | UNUSED_SLOTS[0]
    container.run("cat", "/no/behind", status=1)
    table.remove(ids[:1])
    assert word(table, container.id) == LOOK_BEHIND
    container.run("cat", "/no/looked-behind", status=1)
    table.sweep(UNUSED_SLOTS[0])
    assert word(table, container.id) == container.id & LOOK_BEHIND | container.recording.slot.number
    container.run("cat", "/no/in-front", status=1)
    container.run("sh", "-c", NESTED, str(container.path))
    assert opened(container) == [
        *(b"/no/behind", b"/no/looked-behind", b"/no/in-front"),
        *(b"/no/child", b"/no/child/grandchild", b"/no/back"),
    ]


def test_a_cgroup_whose_word_is_anothers_is_not_recorded(table: CgroupTable, container: Container) -> None:
    with Cgroup() as neighbour:
        add(table, colliding(neighbour.id, 10), container.recording.slot.number)
        neighbour.run("cat", "/no/neighbour", status=1)
        table.remove(colliding(neighbour.id, 10))
    container.run("cat", "/no/own", status=1)
    assert opened(container) == [b"/no/own"]


def test_words_that_programs_leave_behind_are_tidied(table: CgroupTable, container: Container) -> None:
    """Each cgroup that is removed leaves a word that has others' calls looked up twice."""
    for n in range(200):
        (container.path / str(n)).mkdir()
    container.run("cat", "/no/before", status=1)
    for n in range(200):
        (container.path / str(n)).rmdir()
    assert table._front.tolist().count(LOOK_BEHIND) > 150
    table.tidy()
    assert table._front.tolist().count(LOOK_BEHIND) < 10
    container.run("sh", "-c", NESTED, str(container.path))
    assert opened(container) == [b"/no/before", b"/no/child", b"/no/child/grandchild", b"/no/back"]
