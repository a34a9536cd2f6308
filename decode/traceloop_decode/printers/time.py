# SPDX-License-Identifier: Apache-2.0
"""Arguments of calls on time: timestamps and durations, interval timers, clock adjustment."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from traceloop_decode.printers.files_attributes import date
from traceloop_decode.printers.kit import MASK32, register
from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.view import Printer, StructPrinter, View
from traceloop_decode.values.times import clock_ticks
from traceloop_decode.values.xlat import XLATS

_PAIR: Final = Struct("<qQ")
_FOUR: Final = Struct("<qQqQ")
_ZONE: Final = Struct("<ii")
_SECONDS: Final = Struct("<q")
_TIMER: Final = Struct("<i")
_TIMEX: Final = Struct("<I4xqqqqi4xqqqqQqqqi4xqqqqqi")
_ERESTART_MAX: Final = -512
_ERESTART_MIN: Final = -516
"""Range of the results of calls that a signal interrupted: include/linux/errno.h."""


def timespec(data: bytes, _view: View) -> str:
    """Returns ``{tv_sec=1, tv_nsec=0}``."""
    if len(data) < _PAIR.size:
        return "{...}"
    seconds, fraction = _PAIR.unpack_from(data)
    return f"{{tv_sec={seconds}, tv_nsec={fraction}}}"


def timeval(data: bytes, _view: View) -> str:
    """Returns ``{tv_sec=1, tv_usec=0}``."""
    if len(data) < _PAIR.size:
        return "{...}"
    seconds, fraction = _PAIR.unpack_from(data)
    return f"{{tv_sec={seconds}, tv_usec={fraction}}}"


def timeout(show: StructPrinter) -> Printer:
    """Makes a printer of a call's timeout as given; the call may overwrite it with the remaining time."""

    def print_timeout(view: View, index: int) -> str:
        data = view.data(index, size=_PAIR.size)
        return show(data, view) if data else address(view.registers[index])

    return print_timeout


def left(view: View, index: int, show: StructPrinter) -> str:
    """Returns ``left {tv_sec=0, tv_usec=997}``, or nothing if the call stored no remaining time."""
    data = view.data(index, out=True, size=_PAIR.size)
    return f"left {show(data, view)}" if data else ""


def _late(view: View, index: int) -> str:
    # Input that strace reads when the call has returned, and like an output only if it did not fail.
    data = view.data(index, size=_PAIR.size) if view.returned and not view.failed else b""
    return timespec(data, view) if data else address(view.registers[index])


def _remaining(view: View, index: int) -> str:
    # The kernel writes it only if a signal interrupted the call.
    result = view.call.result
    interrupted = result is not None and _ERESTART_MIN <= result <= _ERESTART_MAX
    if view.call.name == "clock_nanosleep" and register(view, 1) & MASK32:  # TIMER_ABSTIME: nothing remains
        interrupted = False
    data = view.data(index, out=True) if interrupted else b""
    return timespec(data, view) if data else address(view.registers[index])


def _four(data: bytes, unit: str) -> str:
    if len(data) < _FOUR.size:
        return "{...}"
    every, every_fraction, first, first_fraction = _FOUR.unpack_from(data)
    interval = f"{{tv_sec={every}, {unit}={every_fraction}}}"
    return f"{{it_interval={interval}, it_value={{tv_sec={first}, {unit}={first_fraction}}}}}"


def _timezone(data: bytes, _view: View) -> str:
    if len(data) < _ZONE.size:
        return "{...}"
    west, summer = _ZONE.unpack_from(data)
    return f"{{tz_minuteswest={west}, tz_dsttime={summer}}}"


def _time(data: bytes, _view: View) -> str:
    if len(data) < _SECONDS.size:
        return "[...]"
    (seconds,) = _SECONDS.unpack_from(data)
    return f"[{seconds}{date(seconds)}]"


_TMS: Final = Struct("<4q")
_TMS_FIELDS: Final = ("tms_utime", "tms_stime", "tms_cutime", "tms_cstime")


def _tms(data: bytes, view: View) -> str:
    if len(data) < _TMS.size:
        return "{...}"
    pairs = zip(_TMS_FIELDS, _TMS.unpack_from(data), strict=True)
    return f"{{{', '.join(f'{name}={clock_ticks(ticks, view.options.constants)}' for name, ticks in pairs)}}}"


def _timer(data: bytes, _view: View) -> str:
    return f"[{_TIMER.unpack_from(data)[0]}]" if len(data) >= _TIMER.size else "[...]"


def _timex(data: bytes, view: View) -> str:
    if len(data) < _TIMEX.size:
        return "{...}"
    modes, offset, freq, most, estimated, status, constant, precision, tolerance, *rest = _TIMEX.unpack_from(data)
    seconds, microseconds, tick, frequency, jitter, shift, stability, jitters, calibrations, errors, stable, tai = rest
    return (
        f"{{modes={XLATS['adjtimex_modes'].flags(modes, view.options)}, offset={offset}, freq={freq}, "
        f"maxerror={most}, esterror={estimated}, "
        f"status={XLATS['adjtimex_status'].flags(status & 0xFFFFFFFF, view.options)}, "
        f"constant={constant}, precision={precision}, tolerance={tolerance}, "
        f"time={{tv_sec={seconds}, tv_usec={microseconds}}}, tick={tick}, ppsfreq={frequency}, jitter={jitter}, "
        f"shift={shift}, stabil={stability}, jitcnt={jitters}, calcnt={calibrations}, errcnt={errors}, "
        f"stbcnt={stable}, tai={tai}}}"
    )


def _clock_state(view: View) -> str:
    name = XLATS["adjtimex_state"].names.get(view.call.result or 0)
    return f" ({name})" if name else ""


def _now(view: View) -> str:
    when = date(view.call.result or 0)
    return f" ({when[4:-3]})" if when else ""


VALUES: Final[dict[str, Printer]] = {
    "timeout_us": timeout(timeval),
    "timeout_ns": timeout(timespec),
    "late_timespec": _late,
    "remaining": _remaining,
}
STRUCTS: Final[dict[str, StructPrinter]] = {
    "itimerspec": lambda data, _view: _four(data, "tv_nsec"),
    "itimerval": lambda data, _view: _four(data, "tv_usec"),
    "time_t": _time,
    "timer_id": _timer,
    "timespec": timespec,
    "timeval": timeval,
    "timex": _timex,
    "timezone": _timezone,
    "tms": _tms,
}
RESULTS: Final[dict[str, Callable[[View], str]]] = {
    "adjtimex": _clock_state,
    "clock_adjtime": _clock_state,
    "time": _now,
}
LATE: Final = ("late_timespec", "remaining")
