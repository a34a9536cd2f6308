# SPDX-License-Identifier: Apache-2.0
"""The ring that a call goes into: children, neighbours, and cgroups whose ids collide in the kernel's table."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from recorded_cgroups import TIMEOUT_S, Cgroup, Container, text

from traceloop_bpf.cgroups import CgroupTable
from traceloop_bpf.tracer import Tracer
from traceloop_decode import layout

pytestmark = pytest.mark.kernel

LOOK_UP = (1 << 64) - 1 - layout.FRONT_MASK
UNUSED_SLOTS = 4001, 4002
"""Slots far above those that the pool gives out."""

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
    """Returns the files under /no/ that the container's programs tried to open."""
    paths = [text(call, 1) for call in container.calls("openat")]
    return [path for path in paths if path.startswith(b"/no/")]


def test_children_of_a_recorded_cgroup(tracer: Tracer, container: Container) -> None:
    container.run("sh", "-c", NESTED, str(container.path))
    assert opened(container) == [b"/no/child", b"/no/child/grandchild", b"/no/back"]
    # Removed cgroups are no longer in the table.
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
    """Two containers that open 100 files each at the same time have only their own in their rings."""
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
    """The kernel's tables, which no thread of the pool sweeps; UNUSED_SLOTS are swept after the test."""
    tracer.pool.wait_idle()  # the rings of former tests are swept, and with them words of all cgroups
    yield tracer._cgroups
    for slot in UNUSED_SLOTS:
        tracer._cgroups.sweep(slot)


def colliding(cgroup_id: int, count: int) -> list[int]:
    """Returns ids that no cgroup has, with the same low bits."""
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
    assert word(table, first) == (5 << 41 | a)  # the one that came first is in front
    table.remove([first])
    assert word(table, first) == LOOK_UP  # the others must still be found
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
    """A swept cgroup leaves no word in the front table: its calls would go into the ring of the slot's next user."""
    first, second = (5 << 41) + 7, (6 << 41) + 7
    table.add(first, UNUSED_SLOTS[0])
    table.add(second, UNUSED_SLOTS[1])
    table.sweep(UNUSED_SLOTS[0])
    assert word(table, first) == (6 << 41 | UNUSED_SLOTS[1])


def test_many_ids_with_the_same_low_bits(table: CgroupTable, container: Container) -> None:
    """A recorded cgroup whose place in front another id took earlier is found behind it, as are its children."""
    ids = colliding(container.id, 300)
    table.remove([container.id])
    table.sweep(UNUSED_SLOTS[0])
    add(table, ids, UNUSED_SLOTS[0])
    table.add(container.id, container.recording.slot.number)
    assert word(table, container.id) == ids[0] & LOOK_UP | UNUSED_SLOTS[0]
    container.run("cat", "/no/behind", status=1)
    table.remove(ids[:1])
    assert word(table, container.id) == LOOK_UP
    container.run("cat", "/no/looked-behind", status=1)
    table.sweep(UNUSED_SLOTS[0])
    assert word(table, container.id) == container.id & LOOK_UP | container.recording.slot.number
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
    """Words of removed cgroups, which cost other cgroups a second look-up, are tidied."""
    for n in range(200):
        (container.path / str(n)).mkdir()
    container.run("cat", "/no/before", status=1)
    for n in range(200):
        (container.path / str(n)).rmdir()
    assert table._front.tolist().count(LOOK_UP) > 150
    table.tidy()
    assert table._front.tolist().count(LOOK_UP) < 10
    container.run("sh", "-c", NESTED, str(container.path))
    assert opened(container) == [b"/no/before", b"/no/child", b"/no/child/grandchild", b"/no/back"]
