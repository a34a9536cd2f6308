# SPDX-License-Identifier: Apache-2.0
"""What the arguments of system calls are: the table of words, by family.

One line a call: its name, then a word per argument, and after ``=`` one for the result where it is no plain number.
``-``, and arguments behind the last word, are printed by their C type::

    openat      dirfd in:path open_flags open_mode
    read        fd out:bytes[result] size
    poll        inout:pollfd[nfds] uint int
    accept      fd out:sockaddr[*upeer_addrlen] inout:int
    mmap        addr size prot map_flags fd off = hex
    fcntl:F_SETLK,F_SETLKW    fd one_fcntl_cmd in:flock

``call:VALUE,...`` is a variant, for those values of the argument that `selectors` names. A number's word is a
kind that a family of `printers` knows, or a table of `constants`: ``open_flags`` for sets of bits, ``one_whence``
for single values. Memory's word is ``direction:what`` or ``direction:what[count]``:

direction  ``in``: read when the call begins (and again at its end, if the page was not there). ``out``: read when it
           has returned and did not fail. ``inout``: both. ``end``: when it has returned, even if it failed (all of a
           call's output then is, so none of it may have a length that only success tells). ``inend``: as ``in`` too.
what       ``path`` or ``string`` (up to a NUL), ``argv`` (strings up to a null pointer), ``iovec`` (with a count; the
           array, and the memory that its elements speak of, at exit no more than the result), ``msghdr``, ``mmsghdr``
           and ``control_blocks`` (with a count, and all that they point at), or a name of `SIZES`: one such struct.
           Names say what the bytes are; those of one byte are counted in bytes.
count      a number, an argument's name, ``result``, or ``*name``: the 32-bit number that this argument points to;
           ``name/page``: one for each page that so many bytes touch; ``u32@4``: the number that stands in the memory
           itself, at that offset. ``+8`` behind it: so many bytes more.
nested     behind the word, for each pointer within its memory, ``>direction:what@offset[count]``; ``/4`` behind the
           offset of a pointer of four bytes. Printers find it by its number, in `View.nested`::

    clone3      in:clone_args[size]>in:id_list@64[u64@72]>out:fd_number@8 size

`words` parses the table, `capture` makes the kernel side's rules of it, `printers` the text. An ioctl, a fcntl or a
futex has a pointer only with some commands, and a number as often: without a variant, by value alone. Keys are not
captured: add_key's payload is a secret by its nature.
"""

from __future__ import annotations

from traceloop_decode.arguments import files, network, process, signals

_FAMILIES = (files, process, signals, network)

TABLE = "".join(family.TABLE for family in _FAMILIES)

SIZES: dict[str, int] = {name: size for family in _FAMILIES for name, size in family.SIZES.items()}
"""What a word can name -> bytes on x86-64."""

# asm-generic/stat.h, asm-generic/sembuf.h; epoll_event is packed on x86-64 alone.
_SIZES: dict[str, dict[str, int]] = {
    "aarch64": SIZES | {"stat": 128, "epoll_event": 16, "epoll_change": 16, "sem_state": 88},
}


def sizes(arch: str) -> dict[str, int]:
    """`SIZES` on that architecture."""
    return _SIZES.get(arch, SIZES)
