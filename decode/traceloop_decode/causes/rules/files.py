# SPDX-License-Identifier: Apache-2.0
"""Files that are missing, may not be used, or cannot be written."""

from __future__ import annotations

from typing import Final

from traceloop_decode.causes.failures import Failure
from traceloop_decode.causes.noise import STATS
from traceloop_decode.causes.rules.rule import Rule, path_like, words
from traceloop_decode.causes.story import Story

_O_CREAT: Final = 0o100  # the same on x86 and arm
_OPENS: Final = words("open openat openat2 creat")
# Calls that make, or write to, a file.
_GROWS: Final = _OPENS | words(
    "write writev pwrite64 pwritev pwritev2 sendfile sendfile64 splice copy_file_range fallocate ftruncate ftruncate64 "
    "truncate truncate64 fsync fdatasync sync_file_range sync_file_range2 syncfs msync close mkdir mkdirat mknod "
    "mknodat link linkat symlink symlinkat rename renameat renameat2 chown fchown lchown fchownat setxattr lsetxattr "
    "fsetxattr"
)
_TERMINALS: Final = ("/dev/ptmx", "/dev/pts/", "/dev/tty", "/dev/console")
_CERTIFICATE: Final = path_like(r"\.(?:pem|crt|cer|key|p12|pfx|jks)$|/(?:ssl|tls|certs|pki)/")
_ZONE: Final = path_like(r"/zoneinfo/|/localtime$")
# Settings of the user, and files that node and glibc look for, need not exist.
_OPTIONAL: Final = path_like(r"^/(?:root|home/[^/]+)/\.|/package\.json$|^/etc/svc\.conf$")
_LOCALE: Final = path_like(r"/locale/")


def _not_searched(failure: Failure, story: Story) -> bool:
    return story.failures.was_not_searched(failure.path)


def _creates(failure: Failure, _story: Story) -> bool:
    registers, index = failure.last.registers, 1 if failure.name == "open" else 2
    return failure.name == "creat" or (
        failure.name != "openat2" and len(registers) > index and registers[index] & _O_CREAT != 0
    )


def _locale(failure: Failure, story: Story) -> bool:
    return _LOCALE(failure, story) and story.words.said().has("locale")


def _is_terminal(failure: Failure, _story: Story) -> bool:
    return failure.path.startswith(_TERMINALS)


RULES: Final = (
    Rule("disk-full", _GROWS, words("ENOSPC EDQUOT"), 95, "{who} could not write to {subject}: {no_space}."),
    Rule("read-only", None, words("EROFS"), 85, "{who} could not write {subject}: the file system is read-only."),
    Rule("", words("read readv"), words("EIO"), 0, "", fits=_is_terminal),  # the other side has closed it: its end
    Rule("input-output", None, words("EIO"), 85, "{who} failed on {subject}: input/output error of the device."),
    Rule(
        "certificate-missing",
        _OPENS,
        words("ENOENT"),
        62,
        "{who} did not find the certificate or key {path}.",
        fits=_CERTIFICATE,
        by_name=True,
    ),
    Rule(
        "certificate-missing",
        STATS,
        words("ENOENT"),
        30,
        "{who} did not find the certificate or key {path}.",
        fits=_CERTIFICATE,
        by_name=True,
    ),
    Rule(
        "time-zone-missing",
        _OPENS | STATS,
        words("ENOENT"),
        45,
        "{who} did not find the time zone {path}.",
        fits=_ZONE,
        by_name=True,
    ),
    Rule(
        "locale-missing",
        _OPENS | STATS,
        words("ENOENT"),
        50,
        "{who} did not find the locale {locale}.",
        fits=_locale,
        by_name=True,
    ),
    Rule("", _OPENS | STATS, words("ENOENT"), 0, "", fits=_LOCALE),
    Rule("file-missing", _OPENS, words("ENOENT"), 5, "{who} could not open {path}: it does not exist.", fits=_OPTIONAL),
    Rule(
        "directory-missing",
        _OPENS,
        words("ENOENT"),
        50,
        "{who} could not create {path}: its directory does not exist.",
        fits=_creates,
    ),
    Rule("file-missing", _OPENS, words("ENOENT"), 42, "{who} could not open {path}: it does not exist.", by_name=True),
    Rule(
        "directory-permission",
        None,
        words("EACCES"),
        78,
        "{who} may not use {path}: this user may not search a directory on its way (x bit).",
        fits=_not_searched,
    ),
    Rule(
        "file-permission",
        _OPENS,
        words("EACCES EPERM"),
        78,
        "{who} may not open {path}: its owner and mode, or those of a directory on its way, forbid it.",
    ),
    Rule("file-missing", STATS, words("ENOENT"), 10, "{who} did not find {path}.", by_name=True),
    Rule(
        "file-permission",
        STATS,
        words("EACCES"),
        60,
        "{who} may not look at {path}: this user may not search a directory on its way (x bit).",
    ),
    Rule(
        "file-kind",
        _OPENS,
        words("EISDIR ENOTDIR ELOOP ENAMETOOLONG ENXIO ETXTBSY EFBIG EOVERFLOW"),
        55,
        "{who} could not open {path}: {error}.",
    ),
    Rule(
        "file-exists",
        _OPENS,
        words("EEXIST"),
        35,
        "{who} found {path} in its way: it exists already (a lock of an earlier run?).",
    ),
    Rule(
        "directory-missing",
        words("chdir rename renameat renameat2 link linkat symlink symlinkat"),
        words("ENOENT ENOTDIR"),
        55,
        "{who} failed in {call} of {path}: {error}.",
    ),
    Rule(
        "directory-missing",
        words("mkdir mkdirat"),
        words("ENOENT ENOTDIR"),
        35,
        "{who} could not make the directory {path}: {error}.",
    ),
    Rule(
        "file-locked",
        words("flock fcntl"),
        words("EACCES EWOULDBLOCK"),
        40,
        "{who} did not get the lock on {subject}: another process has it.",
    ),
)
