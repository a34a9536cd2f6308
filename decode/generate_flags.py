# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: INP001 - a script
"""Generates `traceloop_decode/tables/flags.py`, names of numbers, from `flag_tables`. Developers run `make tables`.

`flags_aarch64.py` has the tables that differ on arm64, under the same names.

A C compiler evaluates the names over the headers in PyPI's `ziglang` (kept in `build/`): the UAPI headers of a recent
Linux first, then glibc's for what the kernel does not export (AF_, SOCK_, MSG_, SOL_). Names that these headers lack
are reported and left out. ``--values PREFIX`` instead prints the names with a prefix, to see what exists.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from flag_tables import Table
from generate_tables import ROOT, ZIGLANG

OUTPUT = ROOT / "decode/traceloop_decode/tables"
FAMILIES = ("files", "process", "signals", "network", "netlink", "devices")
ARCHES = ("x86", "aarch64")
SHARED = ("any-linux-any", "generic-glibc")
ALONE = ("linux/mptcp.h", "linux/icmp.h", "linux/mctp.h")  # they conflict with others unless nothing precedes them
# ziglang's glibc headers serve many versions and must be told which one.
COMPILER = ("gcc", "-nostdinc", "-D_GNU_SOURCE", "-D__GLIBC_MINOR__=41", "-w", "-x", "c")

_INCLUDE = re.compile(r"^#\s*include <(.*)>", re.MULTILINE)
_MARKER = re.compile(r'# \d+ "(.*)"')
_DEFINE = re.compile(r"#define (\w+) (.+)")
_TOKEN = re.compile(r"[A-Za-z_]\w*|\d\w*|[{}(),;=]|\"(?:\\.|[^\"\\])*\"")


@dataclass(frozen=True)
class Trees:
    """Headers of an architecture: the directories in which compilers look for the kernel's and for glibc's."""

    store: Path
    arch: str

    @property
    def kernel(self) -> tuple[Path, Path]:
        return self.store / f"{self.arch}-linux-any", self.store / SHARED[0]

    @property
    def libc(self) -> tuple[Path, Path]:
        return self.store / f"{self.arch}-linux-gnu", self.store / SHARED[1]


@dataclass(frozen=True)
class Source:
    """A translation unit: the compiler's arguments that include its headers, and the names that these define."""

    include: list[str]
    names: dict[str, list[str]]
    """Header -> names in source order."""

    def knows(self) -> set[str]:
        return {name for names in self.names.values() for name in names}


def headers() -> Path:
    # Unpacks the headers from the wheel, once.
    store = ROOT / "build/ziglang"
    trees = store / f"include-{ZIGLANG.partition('==')[2]}-{'-'.join(ARCHES)}"
    if not trees.exists():
        pattern = f"{ZIGLANG.replace('==', '-')}-*.whl"
        if not list(store.glob(pattern)):
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(store), ZIGLANG]
            subprocess.run(pip, check=True)
        (wheel,) = store.glob(pattern)
        unpacked = Path(tempfile.mkdtemp(dir=store))
        with zipfile.ZipFile(wheel) as bundle:
            for name in bundle.namelist():
                _, found, path = name.partition("lib/libc/include/")
                if found and path.startswith(
                    (*SHARED, *(f"{arch}-linux-{of}/" for arch in ARCHES for of in ("any", "gnu")))
                ):
                    (unpacked / path).parent.mkdir(parents=True, exist_ok=True)
                    (unpacked / path).write_bytes(bundle.read(name))
        try:
            unpacked.rename(trees)
        except OSError:  # another run finished first
            shutil.rmtree(unpacked)
    return trees


def _tables() -> dict[str, dict[str, Table]]:
    # Family -> its tables. An error names the family that caused it.
    families: dict[str, dict[str, Table]] = {}
    owner: dict[str, str] = {}
    for family in FAMILIES:
        try:
            tables: dict[str, Table] = importlib.import_module(f"flag_tables.{family}").TABLES
        except Exception as error:  # noqa: BLE001 - any error is the family's
            sys.exit(f"flag_tables/{family}.py: {error!r}")
        for name in tables:
            if name in owner:
                sys.exit(f"flag_tables/{family}.py: {name} is already defined in flag_tables/{owner[name]}.py")
            owner[name] = family
        families[family] = tables
    return families


def _needs_libc(header: str, trees: Trees) -> bool:
    # Tells whether a header is glibc's, or a kernel header that includes one of glibc's, directly or not.
    seen, ahead = {"stddef.h"}, [header]  # stddef.h is the compiler's
    while ahead:
        path = next((tree / ahead[-1] for tree in trees.kernel if (tree / ahead[-1]).exists()), None)
        if path is None:
            return True
        seen.add(ahead.pop())
        ahead += [each for each in _INCLUDE.findall(path.read_text()) if each not in seen]
    return False


def _compile(arguments: list[str], program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMPILER, *arguments, "-"], input=program, capture_output=True, text=True, check=False)


def _scan(text: str) -> dict[str, list[str]]:
    # Header -> its macros with a value and its enumerators, in source order; ``enum tag`` -> its enumerators, where the
    # first enumerator stands for a missing tag. text: a preprocessor's output with -dD, which keeps macros.
    found: dict[str, dict[str, None]] = defaultdict(dict)
    header = in_enum = tag = ""
    depth, first = 0, False
    for line in text.splitlines():
        if line.startswith("#"):
            if marker := _MARKER.match(line):
                header = marker[1]
            elif (define := _DEFINE.match(line)) and not define[2].startswith('"'):
                found[header][define[1]] = None
            continue
        for word in _TOKEN.findall(line):
            if word == "enum":
                in_enum, tag = "head", ""
            elif in_enum == "head":
                if word[0] not in "{;(,)=":
                    tag = word
                else:
                    in_enum, depth, first = ("body" if word == "{" else ""), 0, True
            elif in_enum == "body":
                if word == "}":
                    in_enum = ""
                elif first:
                    tag = tag or word
                    for place in (header, f"enum {tag}"):
                        found[place][word] = None
                first = word == "," and not depth
                depth += {"(": 1, ")": -1}.get(word, 0)
    return {header: list(names) for header, names in found.items()}


def source(order: tuple[Path, ...], headers: list[str]) -> Source:
    compilers = subprocess.run(("gcc", "-print-file-name=include"), capture_output=True, text=True, check=True)
    include = [part for tree in order for part in ("-isystem", str(tree))]
    include += ["-isystem", compilers.stdout.strip()]
    include += [part for header in ("stddef.h", *headers) for part in ("-include", header)]
    done = _compile([*include, "-E", "-dD"], "")
    if done.returncode:
        sys.exit(f"gcc refuses these:\n{done.stderr}")
    return Source(include, _scan(done.stdout))


def _evaluate(source: Source, wanted: dict[str, str]) -> dict[str, tuple[int, int]]:
    # Name -> (value, size in bytes). wanted: name -> its owner, which gcc's error messages name as the file.
    lines = ["extern int printf(const char *, ...);", "static const struct { long long value; int size; } all[] = {"]
    for name, owner in wanted.items():
        lines.append(f'#line 1 "{owner}: {name}"\n{{(long long)({name}), sizeof({name})}},')
    lines += ["};", "int main(void) { for (unsigned long i = 0; i < sizeof(all) / sizeof(*all); i++)"]
    lines += ['printf("%lld %d\\n", all[i].value, all[i].size); }']
    with tempfile.TemporaryDirectory() as directory:
        program = Path(directory) / "values"
        done = _compile([*source.include, "-o", str(program)], "\n".join(lines))
        if done.returncode:
            wrong = set(re.findall(r"^flag_tables/.*?: (.+?):\d+:\d+: error", done.stderr, re.MULTILINE))
            if not wrong:
                sys.exit(f"gcc refuses these:\n{done.stderr}")
            for name in wrong:
                print(f"{wanted[name]}: {name} is no number")
            return _evaluate(source, {name: owner for name, owner in wanted.items() if name not in wrong})
        output = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    pairs = (tuple(map(int, line.split())) for line in output.splitlines())
    return {name: (value, size) for name, (value, size) in zip(wanted, pairs, strict=True)}


def _names(table: Table, sources: list[Source]) -> list[str]:
    # A table's names in its order; names with an explicit value as written.
    names = dict.fromkeys(table.names.split())
    if table.match or table.enum:
        match, without = re.compile(table.match or r"(?!__)\w+"), re.compile(table.without or r"(?!)")
        for place in [f"enum {table.enum}"] if table.enum else [f"/{header}" for header in table.headers.split()]:
            for found in (found for source in sources for path, found in source.names.items() if path.endswith(place)):
                chosen = (name for name in found if match.fullmatch(name) and not without.fullmatch(name))
                names |= dict.fromkeys(name for name in chosen if name not in names)
    return list(names)


def _entries(table: Table, names: list[str], values: dict[str, tuple[int, int]]) -> list[tuple[int, str]]:
    entries: dict[int, str] = {}
    for word in names:
        name, _, given = word.partition("=")
        name = table.form.format(name)
        if given:
            value = int(given, 0)
        elif name in values:
            value, size = values[name]
            if not table.signed:
                value &= (1 << 8 * size) - 1
        else:
            continue
        entries.setdefault(1 << value if table.bit else value, table.bit + name)
    return sorted(entries.items()) if table.sort else list(entries.items())


def _line(name: str, table: Table, entries: list[tuple[int, str]]) -> str:
    pairs = ", ".join(f'({value if value < 10 else hex(value)}, "{each}")' for value, each in entries)
    only = "," if len(entries) == 1 else ""
    return f'    "{name}": ("{table.unknown}", ({pairs}{only})),\n'


def write(path: Path, text: str) -> None:
    # Writes the file atomically, because several runs may overlap.
    handle, temporary = tempfile.mkstemp(dir=OUTPUT, suffix=".tmp")
    with os.fdopen(handle, "w") as file:
        file.write(text)
    Path(temporary).chmod(0o644)
    Path(temporary).replace(path)


def _sources(trees: Trees, families: dict[str, dict[str, Table]]) -> list[Source]:
    # The kernel's headers, then glibc's with the kernel headers that need them: together they would conflict.
    headers = dict.fromkeys(each for tables in families.values() for t in tables.values() for each in t.headers.split())
    absent = [each for each in headers if not any((tree / each).exists() for tree in trees.kernel + trees.libc)]
    if absent and trees.arch == ARCHES[0]:
        sys.exit(f"no such headers: {' '.join(absent)}")
    for each in absent:  # headers that only x86 has
        del headers[each]
    # glibc's bits/ headers are included through its public headers only.
    alone = [each for each in headers if each in ALONE]
    rest = [each for each in headers if each not in ALONE]
    libc = [each for each in rest if _needs_libc(each, trees) and not each.startswith("bits/")]
    kernel = [each for each in rest if not _needs_libc(each, trees)]
    both = trees.libc + trees.kernel
    return [source(trees.kernel + trees.libc, kernel), source(both, libc), *(source(both, [each]) for each in alone)]


def _values(families: dict[str, dict[str, Table]], sources: list[Source], *, tell: bool) -> dict[str, tuple[int, int]]:
    # Name -> (value, size in bytes) of all names in the headers; the kernel's value wins. tell: report missing names.
    wanted: list[dict[str, str]] = [{} for _ in sources]
    known = [source.knows() for source in sources]
    for family, tables in families.items():
        for name, table in tables.items():
            owner, names, lacking = f"flag_tables/{family}.py: {name}", _names(table, sources), []
            if tell and not names:
                print(f"{owner}: no name matches")
            for each in (each for each in names if "=" not in each):
                place = next((i for i, defined in enumerate(known) if each in defined), None)
                if place is None:
                    lacking.append(each)
                else:
                    wanted[place].setdefault(table.form.format(each), owner)
            if tell and lacking:
                print(f"{owner}: the headers lack {' '.join(lacking)}")
    values: dict[str, tuple[int, int]] = {}
    for source, names_of in zip(sources, wanted, strict=True):
        values |= _evaluate(source, names_of)
    return values


def _lines(families: dict[str, dict[str, Table]], sources: list[Source], *, tell: bool) -> dict[str, dict[str, str]]:
    # Family -> table -> its line.
    values = _values(families, sources, tell=tell)
    return {
        family: {
            name: _line(name, table, _entries(table, _names(table, sources), values)) for name, table in tables.items()
        }
        for family, tables in families.items()
    }


def _tables_file(name: str, title: str, variable: str, lines: list[str]) -> None:
    write(
        OUTPUT / name,
        f'# SPDX-License-Identifier: Apache-2.0\n# ruff: noqa: E501\n"""{title}.\n\n'
        'Generated by decode/generate_flags.py from decode/flag_tables: `make tables`.\n"""\n\n'
        "# fmt: off\n"
        f"{variable}: dict[str, tuple[str, tuple[tuple[int, str], ...]]] = {{\n" + "".join(lines) + "}\n",
    )
    count = sum(not line.lstrip().startswith("#") for line in lines)
    print(f"{(OUTPUT / name).relative_to(ROOT)}: {count} tables")


def main() -> None:
    parser = argparse.ArgumentParser(description="Generate the decoder's table of flags again.")
    parser.add_argument("--values", metavar="PREFIX", help="print the names with this prefix, by header")
    prefix: str | None = parser.parse_args().values
    store, families = headers(), _tables()
    first, *others = (Trees(store, arch) for arch in ARCHES)
    sources = _sources(first, families)
    if prefix:
        for path, names in ((path, names) for source in sources for path, names in source.names.items()):
            if chosen := [name for name in names if name.startswith(prefix)]:
                print(f"{path.removeprefix(str(store))}: {' '.join(chosen)}")
        return

    version = re.search(r"LINUX_VERSION_CODE (\d+)", (first.kernel[1] / "linux/version.h").read_text())
    code = int(version[1]) if version else sys.exit("linux/version.h has no version")
    source = f"UAPI headers of Linux {code >> 16}.{code >> 8 & 0xFF}, and glibc's for the rest"
    found = _lines(families, sources, tell=True)
    lines = [text for family, its in found.items() for text in (f"    # {family}\n", *its.values())]
    _tables_file("flags.py", f"Names of numbers: {source}", "TABLES", lines)
    for trees in others:
        theirs = _lines(families, _sources(trees, families), tell=False)
        lines = [text for family, its in theirs.items() for name, text in its.items() if text != found[family][name]]
        _tables_file(
            f"flags_{trees.arch}.py", f"Names of numbers that differ on {trees.arch}: {source}", "TABLES", lines
        )


if __name__ == "__main__":
    main()
