# SPDX-License-Identifier: Apache-2.0
"""`births.h` and `losses.h` are the only definitions: the C compiler says whether each number and offset is right."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from traceloop_bpf import births, loader, losses, ring
from traceloop_bpf.births import Kind, Shape, Suffix

NUMBERS = {
    "TL_SHAPES": births.SHAPES,
    "TL_SHAPE_TEXT": births.SHAPE_TEXT,
    "TL_PATH_MAX": births.PATH_MAX,
    "TL_WORDS_MAX": births.WORDS_MAX,
    "TL_STOCK": loader.SLOTS,
    "TL_BORN_SERVICE": births.SERVICE,
    **{f"TL_SHAPE_{kind.name}": kind.value for kind in Kind},
    **{f"TL_SUFFIX_{suffix.name}": suffix.value for suffix in Suffix},
    "sizeof(struct tl_shape)": births.SHAPE.size,
    "offsetof(struct tl_shapes, missed)": births.SHAPES * births.SHAPE.size,
    "sizeof(struct tl_shapes)": births.SHAPES * births.SHAPE.size + births.COUNTS.size,
    "sizeof(struct tl_birth)": births.BIRTH.size,
    "sizeof(struct tl_entry)": births.ENTRY.size,
    "offsetof(struct tl_ring, born)": ring._BORN_AT,
    "TL_LOSSES": len(losses.Losses._fields),
    **{f"TL_LOSS_{name.upper()}": n for n, name in enumerate(losses.Losses._fields)},
}
PLACES = {
    "shape": (births.SHAPE, "text mask kind suffix whose length is_service"),
    "entry": (
        births.ENTRY,
        "at_ns slot cookie process"
        + "".join(f" streams[{fd}].{member}" for fd in range(3) for member in ("magic", "inode")),
    ),
    "birth": (births.BIRTH, "id at_ns slot cookie maker whose moved words_length path words"),
}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """The values of C expressions, by expression."""
    places = [f"offsetof(struct tl_{name}, {one})" for name, (_, members) in PLACES.items() for one in members.split()]
    prints = "".join(
        f'printf("%s\\"{text}\\": %zu", n++ ? ", " : "", (size_t)({text}));\n' for text in (*NUMBERS, *places)
    )
    directory = tmp_path_factory.mktemp("births")
    source, binary = directory / "layout.c", directory / "layout"
    source.write_text(
        '#include <stddef.h>\n#include <stdio.h>\n#include "births.h"\n#include "losses.h"\n#include "record.h"\n'
        f'int main(void) {{ int n = 0;\nprintf("{{");\n{prints}printf("}}");\nreturn 0; }}\n'
    )
    include = Path(births.__file__).parent
    subprocess.run(["gcc", "-Wall", "-Werror", f"-I{include}", "-o", binary, source], check=True, timeout=60)
    output = subprocess.run([binary], check=True, timeout=60, stdout=subprocess.PIPE).stdout
    values: dict[str, int] = json.loads(output)
    return values


@pytest.mark.parametrize("name", NUMBERS)
def test_number(compiled: dict[str, int], name: str) -> None:
    assert NUMBERS[name] == compiled[name]


@pytest.mark.parametrize("name", PLACES)
def test_struct(compiled: dict[str, int], name: str) -> None:
    mirror, members = PLACES[name]
    values = mirror.unpack(b"\xff" * mirror.size)
    for index, member in enumerate(members.split()):
        only = [value if n == index else b"" if isinstance(value, bytes) else 0 for n, value in enumerate(values)]
        packed = mirror.pack(*only)
        assert len(packed) - len(packed.lstrip(b"\0")) == compiled[f"offsetof(struct tl_{name}, {member})"], member


@pytest.mark.parametrize(
    ("shape", "compared", "kind"),
    [
        (Shape(Kind.NAME, "conmon", 0), b"conmon\0", Kind.NAME),
        (Shape(Kind.ID, "docker-", 1), b"docker-", Kind.ID),
        (Shape(Kind.ID, "", 1), b"", Kind.ID),
        (Shape(Kind.NAME, "x" * 47, 1), b"x" * 47 + b"\0", Kind.NAME),
        (Shape(Kind.NAME, "x" * 48, 1), b"x" * 47, Kind.BEGINS),
    ],
)
def test_what_of_a_text_is_compared(shape: Shape, compared: bytes, kind: Kind) -> None:
    text, mask, kind_number, _, _, length, _ = births.SHAPE.unpack(shape.pack())
    assert mask.rstrip(b"\0") == b"\xff" * len(compared)
    assert text[: len(compared)] == compared
    assert (kind_number, length) == (kind.value, len(compared.rstrip(b"\0")))
