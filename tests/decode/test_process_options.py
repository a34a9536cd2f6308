# SPDX-License-Identifier: Apache-2.0
"""Options of prctl, and quotactl's commands, as strace 6.1 prints them."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from madeevents import POINTER, args, call, item, string

from traceloop_decode.model import Returned
from traceloop_decode.printers.core import printer_of, view_of
from traceloop_decode.syscalls import table
from traceloop_decode.values.options import Options

PARAMS = {call.name: [(param.name, param.ctype) for param in call.params] for call in table(compat=False).values()}
PLAIN = Options()


def text(name: str, *values: Any, result: int = -22, options: Options = PLAIN) -> str:
    made = call(name, args(PARAMS[name], *values), result)
    made = made.call if isinstance(made, Returned) else made
    printer, view = printer_of(made), view_of(made, options)
    return f"{', '.join(printer.args(view))} = {printer.result(view).partition(' (Inv')[0]}"


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((60, 0, 0x1E, 0, 1), "PR_PAC_SET_ENABLED_KEYS, 0, PR_PAC_APIBKEY|PR_PAC_APDAKEY|PR_PAC_APDBKEY|0x10, 0, 0x1"),
        ((60, 1, 0x7FFFFFF0, 0, 1), "PR_PAC_SET_ENABLED_KEYS, PR_PAC_APIAKEY, 0x7ffffff0 /* PR_PAC_??? */, 0, 0x1"),
        ((50, 0xF, 1, 2, 3), "PR_SVE_SET_VL, 0xf"),
        ((50, 0x600FF, 1, 2, 3), "PR_SVE_SET_VL, PR_SVE_SET_VL_ONEXEC|PR_SVE_VL_INHERIT|0xff"),
        ((63, 0, 1, 2, 3), "PR_SME_SET_VL, 0"),
        ((63, 0x10000, 1, 2, 3), "PR_SME_SET_VL, 0x10000|0"),
        ((63, 0xFACEFEED, 1, 2, 3), "PR_SME_SET_VL, PR_SME_SET_VL_ONEXEC|PR_SME_VL_INHERIT|0xfac80000|0xfeed"),
        ((55, 0, 1, 2, 3), "PR_SET_TAGGED_ADDR_CTRL, !PR_TAGGED_ADDR_ENABLE|PR_MTE_TCF_NONE, 0x1, 0x2, 0x3"),
        (
            (55, 0x57AE57F4, 1, 2, 3),
            (
                "PR_SET_TAGGED_ADDR_CTRL, "
                "!PR_TAGGED_ADDR_ENABLE|PR_MTE_TCF_ASYNC|0xcafe<<PR_MTE_TAG_SHIFT|0x57a80000, 0x1, 0x2, 0x3"
            ),
        ),
        ((22, 1, 1, 2, 3), "PR_SET_SECCOMP, SECCOMP_MODE_STRICT"),
        ((62, 0, 7, 0xFFFFFFFF00000001, 0), "PR_SCHED_CORE, PR_SCHED_CORE_GET, 7, 0x1 /* PIDTYPE_TGID */, NULL"),
        ((0x53564D41, 0, 0, 1, (POINTER, string(b"name"))), 'PR_SET_VMA, PR_SET_VMA_ANON_NAME, NULL, 1, "name"'),
        (
            (0x53564D41, 0xDEFACED00000000, 0, 1, (POINTER, string(b""))),
            f"PR_SET_VMA, 0xdefaced00000000 /* PR_SET_VMA_??? */, 0, 0x1, {POINTER:#x}",
        ),
        ((15, (POINTER, string(b"123456789abcde")), 0, 0, 0), 'PR_SET_NAME, "123456789abcde"'),
        ((15, (POINTER, string(b"123456789abcdef")), 0, 0, 0), 'PR_SET_NAME, "123456789abcdef"...'),
        ((15, (POINTER, string(b"1234", fault=True)), 0, 0, 0), f"PR_SET_NAME, {POINTER:#x}"),
    ],
)
def test_prctl(values: tuple[Any, ...], shown: str) -> None:
    assert text("prctl", *values) == f"{shown} = -1 EINVAL"


@pytest.mark.parametrize(
    ("option", "result", "shown"),
    [
        (51, 0x40010, "= 0x40010 (PR_SVE_SET_VL_ONEXEC|0x10)"),
        (64, 0x10, "= 0x10"),
        (56, 3, "= 0x3 (PR_TAGGED_ADDR_ENABLE|PR_MTE_TCF_SYNC)"),
        (61, 3, "= 0x3 (PR_PAC_APIAKEY|PR_PAC_APIBKEY)"),
    ],
)
def test_a_result_has_names(option: int, result: int, shown: str) -> None:
    assert text("prctl", option, 0, 0, 0, 0, result=result).endswith(shown)


INFO = struct.pack("<QQII", 1, 2, 0xDEADABCD, 0x97969594)
XFS = struct.pack("<bBHI6Q2i2H4x3Qi2Hq", -114, 0x8F, 0x9190, 7, *range(6), -1, -2, 8, 9, 1, 2, 3, -4, 5, 0, 0)


@pytest.mark.parametrize(
    ("command", "data", "shown"),
    [
        (
            0x80000600,
            (POINTER, item(INFO)),
            (
                "QCMD(Q_SETINFO, USRQUOTA), {dqi_bgrace=1, dqi_igrace=2, "
                "dqi_flags=DQF_ROOT_SQUASH|DQF_SYS_FILE|0xdeacabcc, dqi_valid=IIF_FLAGS|0x97969590}"
            ),
        ),
        (
            0x580402,
            (POINTER, item(XFS)),
            (
                "QCMD(Q_XSETQLIM, PRJQUOTA), 3, {d_version=-114, "
                "d_flags=FS_USER_QUOTA|FS_PROJ_QUOTA|FS_GROUP_QUOTA|0x88, d_fieldmask=0x9190, d_id=7, d_blk_hardlimit=0, "
                "d_blk_softlimit=1, d_ino_hardlimit=2, d_ino_softlimit=3, d_bcount=4, d_icount=5, ...}"
            ),
        ),
        (0x580601, (POINTER, item(struct.pack("<I", 3))), "QCMD(Q_XQUOTARM, GRPQUOTA), [FS_USER_QUOTA|FS_PROJ_QUOTA]"),
        (0x80000600, (POINTER, item(INFO[:-1])), f"QCMD(Q_SETINFO, USRQUOTA), {POINTER:#x}"),
        (0x80000700, (POINTER, item(INFO * 4)), f"QCMD(Q_GETQUOTA, USRQUOTA), 3, {POINTER:#x}"),
    ],
)
def test_quotactl(command: int, data: object, shown: str) -> None:
    head, _, rest = shown.partition("), ")
    assert text("quotactl", command, 0, 3, data) == f"{head}), NULL, {rest} = -1 EINVAL"
