# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: INP001 - a script
"""Generates `traceloop_decode/tables/ioctls.py`, the names of ioctl's commands. Developers run `make tables`.

The names come from every UAPI header that defines commands, each compiled alone because some contradict others, and
from glibc's for SCSI. Drivers share numbers; such a number gets all its names: ``FASTRPC_IOCTL_INIT_ATTACH or
RNDZAPENTCNT``.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path

from generate_flags import ARCHES, COMPILER, OUTPUT, Trees, headers, write

# Commands from before _IO(): a header, and the upper byte of its commands.
_PLAIN = {
    "asm-generic/ioctls.h": 0x54,
    "asm-generic/sockios.h": 0x89,
    "linux/cdrom.h": 0x53,
    "linux/hdreg.h": 0x03,
    "linux/fb.h": 0x46,
    "linux/kd.h": 0x4B,
    "linux/loop.h": 0x4C,
    "linux/sockios.h": 0x89,
    "linux/vt.h": 0x56,
    "linux/wireless.h": 0x8B,
    "scsi/scsi_ioctl.h": 0x53,
    "scsi/sg.h": 0x22,
}
# include/scsi/sg.h of the kernel, which is not for user space.
_KERNELS = {"SG_GET_ACCESS_COUNT": 0x2289}
_NO_COMMANDS = re.compile(r"SIOC(DEV|PROTO)PRIVATE|_\w+")  # first numbers of a range, and helpers
_ENCODED = re.compile(r"\b(_S?IO[A-Z]*|\w+_IO[RW]*)\s*\(")
# Some headers need more than these of whoever includes them, and linux/soundcard.h no more.
_TYPES = ("stddef.h", "stdint.h", "linux/types.h")
_DEFINE = re.compile(r"#define (\w+) (.+)")
_MARKER = re.compile(r'# \d+ "(.*)"')


def _commands(trees: Trees, header: str) -> dict[str, int]:
    # Name -> number of the commands that a header itself defines.
    order = [part for tree in trees.kernel for part in ("-isystem", str(tree))]
    gcc = subprocess.run(("gcc", "-print-file-name=include"), capture_output=True, text=True, check=True).stdout.strip()
    order += ["-isystem", gcc, *(part for tree in trees.libc for part in ("-idirafter", str(tree)))]
    alone, helped = (
        _including(*before, header)
        for before in (
            _TYPES,
            (
                *_TYPES,
                "linux/ioctl.h",
                "linux/major.h",
                "linux/fiemap.h",
                "linux/blktrace_api.h",
                "asm/termbits.h",
                "linux/serial.h",
            ),
        )
    )
    defined = _compiled([*order, *helped, "-E", "-dD"], "")
    if defined is None:
        print(f"{header}: does not compile alone, left out")
        return {}
    plain, names, place = _PLAIN.get(header), list[str](), ""
    for line in defined.splitlines():
        if marker := _MARKER.match(line):
            place = marker[1]
        elif place.endswith(f"/{header}") and (define := _DEFINE.match(line)) and not _NO_COMMANDS.fullmatch(define[1]):
            number = re.fullmatch(r"(0x[0-9a-fA-F]{3,4})\s*", define[2])
            if _ENCODED.search(define[2]) or (number and plain == int(number[1], 16) >> 8):
                names.append(define[1])
    found = _values([*order, *alone], names)
    return found | _values([*order, *helped], [name for name in names if name not in found])


def _including(*names: str) -> list[str]:
    return [part for each in names for part in ("-include", each)]


def _compiled(arguments: list[str], program: str) -> str | None:
    done = subprocess.run([*COMPILER, *arguments, "-"], input=program, capture_output=True, text=True, check=False)
    return done.stdout if not done.returncode else None


def _values(arguments: list[str], names: list[str]) -> dict[str, int]:
    # Evaluates the names; one whose struct the header lacks is no command that a program can issue.
    while names:
        lines = ["extern int printf(const char *, ...);", "int main(void) {"]
        lines += [f'#line 1 "{name}"\nprintf("%u\\n", (unsigned int)({name}));' for name in names]
        with tempfile.TemporaryDirectory() as directory:
            program = Path(directory) / "values"
            done = subprocess.run(
                [*COMPILER, *arguments, "-o", str(program), "-"],
                input="\n".join([*lines, "}"]), capture_output=True, text=True, check=False,
            )  # fmt: skip
            if not done.returncode:
                output = subprocess.run([program], capture_output=True, text=True, check=True).stdout
                return dict(zip(names, map(int, output.split()), strict=True))
        wrong = set(re.findall(r"^(\w+):\d+:\d+: error", done.stderr, re.MULTILINE))
        if not wrong:  # the header relies on what its user is to include
            return {}
        names = [name for name in names if name not in wrong]
    return {}


def _label(names: set[str]) -> str:
    # All names in order, but for those that only lengthen the one before, and a subdevice's for a device's command.
    kept: list[str] = []
    for name in sorted({name for name in names if not name.startswith("VIDIOC_SUBDEV_")} or names):
        if not kept or not name.startswith(kept[-1]):
            kept.append(name)
    return " or ".join(kept)


def main() -> None:
    trees = Trees(headers(), ARCHES[0])
    found = {*_PLAIN}
    for tree in trees.kernel:
        for path in tree.rglob("*.h"):
            if re.search(r"^#\s*define\s+\w+\s.*_S?IO[A-Z]*\s*\(", path.read_text(errors="replace"), re.MULTILINE):
                found.add(str(path.relative_to(tree)))
    names: dict[int, set[str]] = defaultdict(set, {number: {name} for name, number in _KERNELS.items()})
    seen: set[str] = set()  # of several headers with a name, the first by path counts, as everywhere else
    for header in sorted(found):
        for name, number in _commands(trees, header).items():
            if name not in seen:
                seen.add(name)
                names[number].add(name)
    lines = "".join(f'    ({number:#x}, "{_label(its)}"),\n' for number, its in sorted(names.items()))
    write(
        OUTPUT / "ioctls.py",
        '# SPDX-License-Identifier: Apache-2.0\n# ruff: noqa: E501\n"""Names of ioctl\'s commands, by number.\n\n'
        'Generated by decode/generate_ioctls.py: `make tables`.\n"""\n\n# fmt: off\n'
        f"IOCTLS: tuple[tuple[int, str], ...] = (\n{lines})\n",
    )
    print(f"{len(seen)} commands of {len(found)} headers")


if __name__ == "__main__":
    main()
