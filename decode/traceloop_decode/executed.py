# SPDX-License-Identifier: Apache-2.0
"""Arguments of an execve: how many variables it gives, and the file's name and argv of one that succeeded.

Where name and argv could not be read when it began, the kernel side reads them where the new program has them: its
file's name, and the strings of its argv. These are not always what the call was given:

- x86 gives the exit of execveat the number of execve (set_personality_64bit of arch/x86/kernel/process_64.c), so they
  come as execve's arguments, one place earlier.
- A name that is relative to a descriptor has become ``/dev/fd/3/name``, an empty one ``/dev/fd/3`` (alloc_bprm of
  fs/exec.c).
- A script's argv has the interpreter, perhaps one argument, and the script's name in the place of argv[0]
  (fs/binfmt_script.c). What argv[0] was is then known from the call's own memory, or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from traceloop_decode import layout
from traceloop_decode.model import Item

_Items = tuple[Item, ...]
_AT_FDCWD: Final = -100
_NULL: Final = bytes(8)
_BEFORE_A_SCRIPT: Final = (2, 1)  # what may stand before its name: interpreter and argument, or the interpreter alone


def as_execveat(ended: Mapping[int, _Items]) -> dict[int, _Items]:
    """The items of an exit as execve, by the indices that its arguments have in execveat."""
    return {index + 1: items for index, items in ended.items()}


def arguments(items: Mapping[int, _Items], directory: int | None = None) -> dict[int, _Items]:
    """The items of the call, its own where they could be read. directory: execveat's first argument."""
    known, name = {}, None
    for index, both in items.items():
        begun = tuple(item for item in both if not item.out)
        found = next((item for item in both if item.out), None)
        if found is not None and not found.fault and found.kind == layout.KIND_STRING:
            name = found.data
        if found is None or found.fault or not any(item.fault for item in begun):
            known[index] = begun
        elif found.kind == layout.KIND_STRING:
            known[index] = (found._replace(data=_given(found.data, directory), out=False),)
        else:
            known[index] = _argv(begun, found, name)
    return known


def alone(items: Mapping[int, _Items]) -> dict[int, _Items]:
    """The arguments of an execve that succeeded and whose entry is not known; nothing where they are not known either.

    They are those of the new program, and its file's name.
    """
    name, strings = (next((item for item in items.get(index, ()) if item.out), None) for index in (0, 1))
    if name is None or strings is None or name.kind != layout.KIND_STRING or name.fault or strings.fault:
        return {}
    return {0: (name._replace(out=False),), 1: _argv((), strings, name.data)}


def pointer_count(item: Item) -> tuple[int, bool]:
    """Returns how many pointers of an environment were counted, and whether these are all up to the null pointer.

    Older records have the first 32 pointers.
    """
    if item.kind == layout.KIND_ARGV:
        return item.size, not (item.more or item.fault)
    pointers = [item.data[at : at + 8] for at in range(0, len(item.data), 8)]
    return (pointers.index(_NULL), True) if _NULL in pointers else (len(pointers), False)


def _given(name: bytes, directory: int | None) -> bytes:
    # The path as it was given beside a descriptor.
    prefix = f"/dev/fd/{directory}".encode()
    if directory is None or directory == _AT_FDCWD or (name != prefix and not name.startswith(prefix + b"/")):
        return name
    return name[len(prefix) + 1 :]


def _argv(begun: _Items, found: Item, name: bytes | None) -> _Items:
    strings = found.data.split(b"\0")
    if not found.more:
        strings.pop()  # what follows the last NUL
    end = begun[-1] if begun else None
    whole = end is not None and end.kind == layout.KIND_ARGV and not (end.fault or end.more or found.more)
    added = _added(strings, end.size if end is not None and whole else None, name)
    kept = found._replace(kind=layout.KIND_STRING, more=False, out=False)
    new = [kept._replace(sub=n, data=data, size=len(data)) for n, data in enumerate(strings[added:])]
    if found.more and new:
        new[-1] = new[-1]._replace(more=True)
    if added and new:
        own = next((item for item in begun if item.kind == layout.KIND_STRING and item.sub == 0), None)
        new[0] = own or kept._replace(data=b"", size=0, fault=True)
    return (*new, found._replace(sub=len(new), kind=layout.KIND_ARGV, data=b"", size=len(new), out=False))


def _added(strings: list[bytes], size: int | None, name: bytes | None) -> int:
    # How many strings a script's argv has more than the call's had. size: of the latter, None: not known.
    if size is not None:
        return max(len(strings) - size, 0)
    return next((n for n in _BEFORE_A_SCRIPT if strings[n : n + 1] == [name] != [strings[0]]), 0)
