# SPDX-License-Identifier: Apache-2.0
"""The arguments of system calls: the table of words, by family.

Each line is one call: its name, a word per argument, and after ``=`` a word for the result unless it is a plain number.
``-``, and arguments after the last word, are printed by their C type::

    openat      dirfd in:path open_flags open_mode
    read        fd out:bytes[result] size
    poll        inout:pollfd[nfds] uint int
    accept      fd out:peer[*upeer_addrlen] inout:peer_length
    mmap        addr ulong prot_bits map_flags fd hex = hex
    fcntl:F_SETLK,F_SETLKW    fd one_fcntl_cmd in:flock

``call:VALUE,...`` is a variant, for those values of the argument that `selectors` names. A number's word is a kind that
a family of `printers` knows, or a table of `constants`: ``open_flags`` for sets of bits, ``one_whence`` for single
values. Memory's word is ``direction:what`` or ``direction:what[count]``:

direction  ``in``: read at entry (and again at exit, if the page was not there). ``out``: read at exit unless the call
           failed. ``inout``: both. ``end``: read at exit, even if the call failed (this then holds for all outputs of
           the call, so none of them may have a length that is known only on success). ``inend``: ``in`` and ``end``.
what       ``path`` or ``string`` (up to a NUL), ``argv`` (strings up to a null pointer), ``vars`` (only
           their number), ``iovec`` (with a count; the
           array, and the memory that its elements point at, at exit no more than the result), ``msghdr``, ``mmsghdr``
           and ``control_blocks`` (with a count, and all that they point at), or a name of `SIZES`: one such struct.
           A name says what the bytes are; the count of a word of size 1 is a count of bytes.
count      a number, an argument's name, ``result``, or ``*name``: the 32-bit number that this argument points to;
           ``name/page``: one for each page that so many bytes touch; ``u32@4``: the number at that offset within the
           memory itself. A following ``+8`` adds that many bytes.
nested     after the word, ``>direction:what@offset[count]`` for each pointer within its memory; ``/4`` after the
           offset of a pointer of four bytes; ``*u32@8``: as many as the pointer at that offset points to. Printers
           refer to it by its number, in `View.nested`::

    clone3      in:clone_args[size]>in:id_list@64[u64@72]>out:fd_number@8 size

`words` parses the table, `capture` makes the kernel side's rules from it, `printers` the text. The last arguments of
ioctl, fcntl and futex are pointers only with some commands and numbers otherwise: without a variant they are printed by
value. Keys are not captured: add_key's payload is a secret by nature.
"""

from __future__ import annotations

from traceloop_decode.arguments import devices, files, network, process, signals

_FAMILIES = (files, process, signals, network, devices)

TABLE = "".join(family.TABLE for family in _FAMILIES)

SIZES: dict[str, int] = {name: size for family in _FAMILIES for name, size in family.SIZES.items()}
"""Word of memory -> bytes of one such struct on x86-64."""

# asm-generic/stat.h, asm-generic/sembuf.h; epoll_event is packed on x86-64 alone.
_SIZES: dict[str, dict[str, int]] = {
    "aarch64": SIZES | {"stat": 128, "epoll_event": 16, "epoll_change": 16, "sem_state": 88},
}


def sizes(arch: str) -> dict[str, int]:
    """Returns `SIZES` for an architecture."""
    return _SIZES.get(arch, SIZES)
