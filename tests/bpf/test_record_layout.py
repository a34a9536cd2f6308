# SPDX-License-Identifier: Apache-2.0
"""`record.h` is the only definition: asks the C compiler whether each number and offset of the mirror is right."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from struct import Struct

import pytest

from traceloop_bpf import geometry, ring
from traceloop_decode import layout

HEADER = "header.stamp header.tid header.delta_ns header.nr header.length_type"
COUNTS = "below left_out forgotten io_urings left_out_before"
STRUCTS = {  # name in layout -> struct tl_..., its first mirrored member, its members in order
    "HEADER": ("header", "stamp", "stamp tid delta_ns nr length_type"),
    "CHUNK": ("chunk", "header", f"{HEADER} records events cpu pad"),
    "BASE": ("base", "header", f"{HEADER} ts_ns comm"),
    "SIGNAL": ("signal", "siginfo", "siginfo handler flags"),
    "SIGNAL_SENT": ("signal_sent", "siginfo", "siginfo sender_pid sender_tid sender_comm"),
    "LEVEL": ("level", "usage_bytes", "usage_bytes limit_bytes"),
    "FAULT": ("fault", "ip", "ip sp trap error_code code_begin code_end addresses"),
    "STACK_FRAME": ("stack_frame", "status", "status build_id at"),
    "ROOM": ("room", "duration_ns", "duration_ns result"),
    "AREA": ("area", "head", "head valid dropped size kept"),
    "TASK_EXIT": ("task_exit", "code", "code group_dead"),
    "ITEM": ("item", "arg", "arg kind copied size"),
    "RULE": ("rule", "arg", "arg kind length limit scale add at pointer field width need content ends"),
    "CALL_HEAD": ("call", "flags", "flags arguments enter_rules exit_rules enter_bytes exit_bytes"),
    "LATE_ENTRY": ("late", "from", "from to head"),
    "LATE_PAD": ("late", "from", "pad"),
    "CAPABILITY": ("capability", "number", "number granted"),
    "CPU": (
        "cpu",
        "pos",
        "pos end records events busy base_ns tid renames dropped late late_count open_tid reread unread open keeping",
    ),
    "RING": (
        "ring",
        "head",
        f"head cookie renames parts {COUNTS} pad version init_pid retries exited exit_ns exit_code withheld",
    ),
    "RETRY": ("retry", "task", "task nr failed"),
    "REQUEST_HEAD": ("request", "request", "request instance user_data flags slot"),
    "REQUEST_DONE": ("request_done", "request", "request instance user_data result flags"),
    "SOURCE": ("source", "at", "at size base sqe_at sqe_size"),
    "OPCODE_REST": ("opcode", "copy_bytes", "copy_bytes count names strings copied content advanced"),
}
LAST = {"call": ("rules",), "opcode": ("call",), "fault": ("stack",)}
ENDS = {
    "FAULT": "offsetof(struct tl_fault, stack)",
    "CALL_HEAD": "offsetof(struct tl_call, rules)",
    "OPCODE_REST": "offsetof(struct tl_opcode, call)",
}
ELSEWHERE = {  # constants that have another name in C, or none
    "CALL_SIZE": "sizeof(struct tl_call)",
    "POSITION_UNIT": "sizeof(__u64)",
    "TOTALS_SIZE": "sizeof(struct tl_totals)",
    "SKIP_BYTES": "TL_SKIP_WORDS * sizeof(__u64)",
    "GROUPS_BYTES": "TL_GROUPS * sizeof(__u64)",
    "SEEN_BYTES": "TL_SEEN * sizeof(__u32)",
    "RECORD_MAX_BYTES": "TL_LENGTH_MASK * sizeof(__u64)",
}
NUMBERS = {name: value for name, value in vars(layout).items() if type(value) is int}


def _in_c(name: str) -> str:
    return ELSEWHERE.get(name, f"TL_{name.removeprefix('TYPE_')}")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """The values of C expressions, by expression."""
    expressions = [_in_c(name) for name in NUMBERS]
    for struct, _, members in STRUCTS.values():
        expressions.append(f"sizeof(struct tl_{struct})")
        for member in (*members.split(), *LAST.get(struct, ())):
            expressions += [f"offsetof(struct tl_{struct}, {member})", f"sizeof(((struct tl_{struct} *)0)->{member})"]
    expressions += ["offsetof(struct tl_ring, born)", "offsetof(struct tl_ring, apart)"]
    expressions += [
        "offsetof(struct tl_ring, runtimes)",
        "offsetof(struct tl_ring, part)",
        "sizeof(((struct tl_ring *)0)->part)",
    ]
    expressions += ["TL_SCRATCH_SIZE", "sizeof(((struct tl_cpu *)0)->late) / sizeof(struct tl_late)"]
    prints = "".join(f'printf("%s\\"{text}\\": %lld", n++ ? ", " : "", (long long)({text}));\n' for text in expressions)
    directory = tmp_path_factory.mktemp("layout")
    source, binary = directory / "layout.c", directory / "layout"
    source.write_text(
        '#include <stddef.h>\n#include <stdio.h>\n#include "deaths.h"\n#include "marks.h"\n#include "record.h"\n#include "rules.h"\n'
        '#include "requests.h"\n'
        f'int main(void) {{ int n = 0;\nprintf("{{");\n{prints}printf("}}");\nreturn 0; }}\n'
    )
    include = Path(geometry.__file__).parent
    subprocess.run(["gcc", "-Wall", "-Werror", f"-I{include}", "-o", binary, source], check=True, timeout=60)
    output = subprocess.run([binary], check=True, timeout=60, stdout=subprocess.PIPE).stdout
    values: dict[str, int] = json.loads(output)
    return values


@pytest.mark.parametrize("name", NUMBERS)
def test_number(compiled: dict[str, int], name: str) -> None:
    # RECORD_VERSION is TL_RECORD_VERSION, TYPE_CHUNK is TL_CHUNK, and so on.
    assert (NUMBERS[name] - compiled[_in_c(name)]) % (1 << 64) == 0  # they are printed as signed


@pytest.mark.parametrize("name", STRUCTS)
def test_struct(compiled: dict[str, int], name: str) -> None:
    struct, first, members = STRUCTS[name]
    mirror: Struct = getattr(layout, name)
    skipped = 0 if first == "header" else compiled[f"offsetof(struct tl_{struct}, {first})"]
    for index, member in enumerate(members.split()):
        place = compiled[f"offsetof(struct tl_{struct}, {member})"] - skipped
        assert _place(mirror, index) == (place, compiled[f"sizeof(((struct tl_{struct} *)0)->{member})"]), member
    end = ENDS.get(name, f"sizeof(struct tl_{struct})")
    assert mirror.size == compiled[end] - skipped


def test_every_struct_is_checked() -> None:
    assert STRUCTS.keys() == {name for name, value in vars(layout).items() if type(value) is Struct}


def test_what_stands_elsewhere(compiled: dict[str, int]) -> None:
    assert compiled["TL_SCRATCH_SIZE"] == geometry.SCRATCH_SIZE
    assert compiled["offsetof(struct tl_ring, init_pid)"] == ring._INIT_PID_AT
    assert compiled["offsetof(struct tl_ring, withheld)"] == ring._WITHHELD_AT
    assert compiled["offsetof(struct tl_ring, parts)"] == ring._PARTS_AT
    assert compiled["offsetof(struct tl_ring, left_out_before)"] == ring._LEFT_OUT_AT
    assert compiled["offsetof(struct tl_ring, born)"] == ring._BORN_AT
    assert compiled["offsetof(struct tl_ring, apart)"] == ring._APART_AT
    assert compiled["offsetof(struct tl_ring, pad)"] + 7 == ring._NOTES_AT
    assert compiled["offsetof(struct tl_ring, runtimes)"] == ring._APART_AT + 4
    assert compiled["offsetof(struct tl_ring, part)"] == ring._SLOTS_AT
    assert compiled["sizeof(((struct tl_ring *)0)->part)"] == ring._SLOTS.size
    assert compiled["sizeof(((struct tl_cpu *)0)->late) / sizeof(struct tl_late)"] == layout.LATE


def _place(mirror: Struct, index: int) -> tuple[int, int]:
    """Returns offset and size of a Struct's field: the bytes that only this field changes."""
    values = list(mirror.unpack(b"\xff" * mirror.size))
    zeros = [bytes(len(value)) if isinstance(value, bytes) else 0 for value in values]
    zeros[index] = values[index]
    packed = mirror.pack(*zeros)
    return len(packed) - len(packed.lstrip(b"\0")), len(packed.strip(b"\0"))
