# SPDX-License-Identifier: Apache-2.0
"""Structs and constants of single calls, as strace 6.1 prints them: lines of its own tests, with other addresses."""

from __future__ import annotations

from struct import pack

import pytest
from madeevents import NUMBERS, call, item

from traceloop_decode import layout
from traceloop_decode.model import Arg, Item
from traceloop_decode.printers import core
from traceloop_decode.syscalls import table
from traceloop_decode.values.options import Options

AT = 0x7F0000000000
DESC = pack("<4I", 0xFFFFFFFF, 0, 0x8B8A8988, 0xA4)
DESC_TEXT = (
    "{entry_number=-1, base_addr=00000000, limit=0x8b8a8988, seg_32bit=0, contents=2, read_exec_only=0, limit_in_pages=0, "
    "seg_not_present=1, useable=0, lm=1}"
)
SYSCTL = pack("<Qi4x4Q32x", AT, 1818978921, 0, 1, 2, 3)
SYSCTL_TEXT = f"{{name={AT:#x}, nlen=1818978921, oldval=NULL, oldlenp=0x1, newval=0x2, newlen=3}}"
ATTR = pack("<4Q", 1 << 20, 2, 1 << 19, 9)
ATTR_TEXT = "{attr_set=MOUNT_ATTR_IDMAP, attr_clr=MOUNT_ATTR_NOSUID, propagation=MS_SLAVE, userns_fd=9}"
REST = (AT, item(pack("<Q", 0x600E7), out=True))
FEATURES = "XFEATURE_MASK_FPSSE|XFEATURE_MASK_YMM|XFEATURE_MASK_AVX512|XFEATURE_MASK_XTILE"


def printed(name: str, *values: int | tuple[int | Item, ...], result: int = 0, constants: str = "abbrev") -> str:
    params = table(compat=False)[NUMBERS[name]].params
    arguments = []
    for (param, ctype), value in zip(params, values, strict=True):
        raw, *items = value if isinstance(value, tuple) else (value,)
        arguments.append(Arg(param, ctype, raw, tuple(items)))
    view = core.view_of(call(name, arguments, result), Options(constants=constants))
    printer = core.printer_of(view.call)
    return f"{', '.join(printer.args(view))} = {printer.result(view)}"


@pytest.mark.parametrize(
    ("name", "values", "text"),
    [
        ("kcmp", (1, 2, 7, 3, (AT, item(pack("<iiI", -2, 42, 9)))), "KCMP_EPOLL_TFD, 3, {efd=-2, tfd=42, toff=9} = 0"),
        ("kcmp", (1, 2, 7, 3, (AT, item(bytes(8), size=12, fault=True))), f"KCMP_EPOLL_TFD, 3, {AT:#x} = 0"),
        ("modify_ldt", (1, (AT, item(DESC)), 16), f"1, {DESC_TEXT}, 16 = 0"),
        ("modify_ldt", (1, (AT, item(DESC)), 17), f"1, {AT:#x}, 17 = 0"),
        ("set_thread_area", ((AT, item(DESC)),), f"{DESC_TEXT} = 0"),
        ("_sysctl", ((AT, item(SYSCTL)),), f"{SYSCTL_TEXT} = 0"),
        (
            "mount_setattr",
            (3, 0, 0x66FF | 1 << 8, (AT, item(ATTR)), 32),
            f"AT_SYMLINK_NOFOLLOW|0x66ff, {ATTR_TEXT}, 32 = 0",
        ),
        ("arch_prctl", (0x1021, REST), f"ARCH_GET_XCOMP_SUPP, [0x600e7 /* {FEATURES} */] = 0"),
        ("arch_prctl", (0x1023, 15), "ARCH_REQ_XCOMP_PERM, 0xf /* XFEATURE_LBR */ = 0"),
        ("arch_prctl", (0x1023, 14), "ARCH_REQ_XCOMP_PERM, 0xe /* XFEATURE_??? */ = 0"),
        ("arch_prctl", (0x1004, (AT, item(bytes(8), out=True))), "ARCH_GET_GS, [NULL] = 0"),
        ("syslog", (2**32 - 1, 0, 1), "-1 /* SYSLOG_ACTION_??? */, NULL, 1 = 0"),
        ("syslog", (8, 0, 8), "8 /* SYSLOG_ACTION_CONSOLE_LEVEL */, NULL, 8 /* LOGLEVEL_DEBUG+1 */ = 0"),
        ("futex", (AT, 0x101, 5, 1, 2, 3), f"{AT:#x}, 0x101 /* FUTEX_??? */, 5 = 0"),
        ("futex", (AT, 0x100, 5, 0, 2, 3), f"{AT:#x}, FUTEX_WAIT|FUTEX_CLOCK_REALTIME, 5, NULL = 0"),
        ("futex", (AT, 0x82, 5, 0, 2, 3), f"{AT:#x}, FUTEX_FD|FUTEX_PRIVATE_FLAG, 5 = 0"),
    ],
)
def test_a_call(name, values, text):
    assert printed(name, *values).endswith(text)


def test_an_error_of_modify_ldt_has_no_sign():
    assert printed("modify_ldt", 1, 0, 0, result=4294967258).endswith(" = 4294967258 ENOSYS (Function not implemented)")


def test_ticks_are_seconds_too():
    ticks = (AT, item(pack("<4Q", 46, 0, 7, 100), out=True))
    text = "{tms_utime=46 /* 0.46 s */, tms_stime=0, tms_cutime=7 /* 0.07 s */, tms_cstime=100 /* 1.00 s */} = 9"
    assert printed("times", ticks, result=9) == text
    assert "/*" not in printed("times", ticks, result=9, constants="raw")


def test_a_control_block():
    def submitted(block: bytes) -> str:
        items = (
            item(pack("<Q", AT), layout.KIND_IOCB),
            item(block, layout.KIND_IOCB),
            item(b"data", sub=layout.SUB_NAME),
        )
        return printed("io_submit", 1, 1, (AT, *items), result=1)

    block = pack("<QIIHhIQQqQIi", 0, 5, 0, 1, 0x2004, 3, AT, 4, -1, 0, 2, 0)
    priority = "aio_reqprio=IOPRIO_PRIO_VALUE(IOPRIO_CLASS_RT, 4)"
    assert submitted(block) == (
        f"0x1, 1, [{{aio_data=0, aio_key=5, aio_lio_opcode=IOCB_CMD_PWRITE, {priority}, aio_fildes=3, "
        'aio_buf="data", aio_nbytes=4, aio_offset=-1, aio_flags=IOCB_FLAG_IOPRIO}] = 1'
    )
    unknown = pack("<QIIHhIQQqQIi", 0, 0, 0, 0xF00D, 0, 3, 0, 0, 0, 0, 0, 0)
    assert "aio_lio_opcode=61453 /* IOCB_CMD_??? */, aio_fildes=3}" in submitted(unknown)
    assert printed("io_submit", 1, 2**64 - 1, (AT, item(b"", layout.KIND_IOCB)), result=-22).startswith(
        f"0x1, -1, {AT:#x}"
    )


def test_a_cache_event_of_one_pmu():
    attributes = pack("<IIQQQQQ", 3, 64, 0xDEADF157_00010306, 0, 0, 0, 0)
    text = printed("perf_event_open", (AT, item(attributes)), 0, 0, 0, 0)
    operation = "0x3 /* PERF_COUNT_HW_CACHE_OP_??? */"
    assert f"config=0xdeadf157<<32|PERF_COUNT_HW_CACHE_RESULT_MISS<<16|{operation}<<8|PERF_COUNT_HW_CACHE_NODE," in text
