# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl stats``: prints the daemon's statistics."""

from __future__ import annotations

import time
from math import isfinite, isnan
from typing import TYPE_CHECKING, Any, Final

import click

from traceloop_cli.display.traces import age, rfc3339, size, state_name
from traceloop_cli.options.common import address_option
from traceloop_cli.sources.addresses import control_address
from traceloop_cli.sources.client import DEADLINE_S, connected
from traceloop_decode.json_text import dumps
from traceloop_decode.safe_text import printable
from traceloop_proto.traceloop_pb2 import RunTimesRequest, StatsRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from traceloop_proto import traceloop_pb2 as pb

_MS: Final = 1000
_NUMBERS: Final = (  # fields of StatsReply that JSON shows unchanged
    *("rings_in_use", "rings_in_stock", "ring_bytes_in_use", "ring_bytes_in_stock"),
    *("calls", "errors", "read_bytes", "written_bytes"),
    *("events", "overwritten", "dropped", "reread", "unread", "forgotten", "cgroups_left_out", "io_urings"),
    *("started_by_hook", "started_by_add", "adopted", "excluded", "hooks_served", "hooks_refused"),
    *("archive_traces", "archive_bytes", "archive_waiting", "archive_waiting_bytes"),
    *("reasons_asked", "reasons_failed"),
    *("traces_dropped", "traces_lost", "snapshots", "exchanges", "recorders_replaced"),
    *("no_memory", "memory_left_bytes", "memory_limit_bytes", "ring_bytes"),
    *("connections_refused", "calls_refused", "calls_ended"),
    *("started_at_birth", "births_late", "births_untold", "rings_wanted"),
    *("in_call_forgotten", "runtimes_forgotten", "entries_untold"),
)
_SHIPPED: Final = ("traces", "size_bytes", "runs", "failed_runs", "waiting", "unreadable")  # likewise, of Shipping


class _Seconds(click.FloatRange):
    """A time within limits; click's own takes nan for one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Returns the seconds that `value` means; a usage error if it means none."""
        seconds = float(super().convert(value, param, ctx))
        if isnan(seconds):
            self.fail(f"{value} is not in the range {self.min}<=x<={self.max}.", param, ctx)
        return seconds


@click.command("stats")
@click.option("-o", "--output", type=click.Choice(("table", "json")), default="table", show_default=True)
@click.option("--programs", is_flag=True, help="Measure how long the BPF programs run, instead. Needs root.")
@click.option("--seconds", type=_Seconds(0.1, 60), default=1.0, show_default=True, help="Duration of the measurement.")
@address_option()
@click.pass_obj
def command(address: str, output: str, programs: bool, seconds: float) -> None:  # noqa: FBT001 - click calls it by keyword
    """Print the daemon's statistics.

    Counters start at 0 when the daemon starts. --programs makes the kernel time the programs for a while, during which
    every BPF program of the node runs a little slower.
    """
    if programs:
        _print_run_times(address, output, seconds)
        return
    with connected(address) as daemon:
        stats = daemon.Stats(StatsRequest(), timeout=DEADLINE_S)
    if output == "json":
        print(dumps(_object(stats)))
        return
    rows = list(_rows(stats, time.time_ns()))
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name.ljust(width)}  {value}")


def _object(stats: pb.StatsReply) -> dict[str, Any]:
    durations = stats.hook_durations
    return {
        "node": stats.node,
        "started": rfc3339(stats.started_ns),
        "traces": {state_name(one.state): one.count for one in stats.traces},
        **{name: getattr(stats, name) for name in _NUMBERS},
        "hook_durations": {
            "bounds_s": list(map(_finite, durations.bounds_s)),
            "counts": list(durations.counts),
            "sum_s": _finite(durations.sum_s),
            "longest_s": _finite(durations.longest_s),
        },
        "shipping": _shipping_object(stats.shipping) if stats.HasField("shipping") else None,
    }


def _shipping_object(shipping: pb.Shipping) -> dict[str, Any]:
    return {
        **{name: getattr(shipping, name) for name in _SHIPPED},
        "last_run": rfc3339(shipping.last_run_ns),
        "last_success": rfc3339(shipping.last_success_ns),
        "failing_since": rfc3339(shipping.failing_since_ns),
        "error": shipping.error or None,
    }


def _finite(number: float) -> float | None:
    # Of a node whose daemon is not ours: JSON has no word for the others.
    return number if isfinite(number) else None


def _rows(stats: pb.StatsReply, now_ns: int) -> Iterator[tuple[str, str]]:
    traces = ", ".join(f"{state_name(one.state)} {one.count}" for one in stats.traces if one.count)
    hooks = stats.hook_durations
    yield "node", printable(stats.node)
    yield "daemon started", _when(stats.started_ns, now_ns, never="-")
    yield "traces", traces or "none"
    yield "rings in use", f"{stats.rings_in_use}, {size(stats.ring_bytes_in_use)}"
    stock = f"{stats.rings_in_stock} of {stats.rings_wanted}" if stats.rings_wanted else f"{stats.rings_in_stock}"
    yield "rings in stock", f"{stock}, {size(stats.ring_bytes_in_stock)}"
    yield "events", str(stats.events)
    yield "  overwritten", str(stats.overwritten)
    yield "  dropped", str(stats.dropped)
    yield "calls", str(stats.calls)
    yield "  failed", str(stats.errors)
    yield "bytes read", str(stats.read_bytes)
    yield "  written", str(stats.written_bytes)
    yield "calls read again", str(stats.reread)
    yield "  unread", str(stats.unread)
    yield "  not read again", str(stats.forgotten)
    yield "cgroups left out", str(stats.cgroups_left_out)
    yield "io_uring left out", str(stats.io_urings)
    yield from _recordings(stats)
    yield "containers left out", str(stats.excluded)
    yield "  for lack of memory", str(stats.no_memory)
    yield "memory for rings", f"{size(stats.memory_left_bytes)} left"
    yield "hooks served", str(stats.hooks_served)
    yield "  refused", str(stats.hooks_refused)
    if sum(hooks.counts):
        mean_ms = hooks.sum_s / sum(hooks.counts) * _MS
        half, most = _quantile(hooks, 0.5), _quantile(hooks, 0.99)
        yield "  waited", f"mean {mean_ms:.1f} ms, longest {hooks.longest_s * _MS:.1f} ms"
        yield "  percentiles", f"50th {half}, 99th {most}"
    yield "archive", f"{stats.archive_traces} traces, {size(stats.archive_bytes)}"
    yield "  waiting in memory", f"{stats.archive_waiting}, {size(stats.archive_waiting_bytes)}"
    yield "  removed for room", str(stats.traces_dropped)
    yield "traces lost", str(stats.traces_lost)
    yield "reasons asked for", str(stats.reasons_asked)
    yield "  not answered", str(stats.reasons_failed)
    yield "snapshots served", str(stats.snapshots)
    yield "connections refused", str(stats.connections_refused)
    yield "calls refused", str(stats.calls_refused)
    yield "  ended unread", str(stats.calls_ended)
    yield "program exchanges", str(stats.exchanges)
    yield "recorders replaced", str(stats.recorders_replaced)
    if stats.HasField("shipping"):
        yield from _shipping_rows(stats.shipping, now_ns)


def _recordings(stats: pb.StatsReply) -> Iterator[tuple[str, str]]:
    yield "recordings by birth", str(stats.started_at_birth)
    yield "  late, no ring", str(stats.births_late)
    yield "  not told", str(stats.births_untold)
    yield "  by hook", str(stats.started_by_hook)
    yield "  by add", str(stats.started_by_add)
    yield "  adopted", str(stats.adopted)
    yield "threads forgotten", str(stats.in_call_forgotten)
    yield "  of runtimes", str(stats.runtimes_forgotten)
    yield "  not told of", str(stats.entries_untold)


def _shipping_rows(shipping: pb.Shipping, now_ns: int) -> Iterator[tuple[str, str]]:
    yield "traces shipped", f"{shipping.traces}, {size(shipping.size_bytes)}"
    yield "  waiting", str(shipping.waiting)
    if shipping.unreadable:
        yield "  unreadable", str(shipping.unreadable)
    yield "  last complete run", _when(shipping.last_success_ns, now_ns)
    if shipping.error:
        yield "  fails since", _when(shipping.failing_since_ns, now_ns, never="its first run")
        yield "  last error", printable(shipping.error)


def _when(time_ns: int, now_ns: int, never: str = "never") -> str:
    return f"{rfc3339(time_ns)}, {age(now_ns - time_ns)} ago" if time_ns else never


def _quantile(durations: pb.Durations, share: float) -> str:
    # Returns the bound below which this share of the durations lies.
    seen, total = 0, sum(durations.counts)
    for bound_s, count in zip(durations.bounds_s, durations.counts, strict=False):
        seen += count
        if seen >= share * total:
            return f"at most {bound_s * _MS:g} ms"
    if not durations.bounds_s:
        return "not known"
    return f"more than {durations.bounds_s[-1] * _MS:g} ms"


def _print_run_times(address: str, output: str, seconds: float) -> None:
    with connected(control_address(address)) as daemon:
        request = RunTimesRequest(for_ms=round(seconds * _MS))
        found = daemon.RunTimes(request, timeout=DEADLINE_S + seconds).programs
    if output == "json":
        print(dumps([{"program": one.program, "runs": one.runs, "time_ns": one.time_ns} for one in found]))
        return
    print(f"{'PROGRAM':20} {'RUNS':>12} {'TIME_MS':>10} {'NS_A_RUN':>9} {'CPU':>7}")
    for one in found:
        share = one.time_ns / (seconds * 1e9)
        mean_ns = f"{one.time_ns / one.runs:.0f}" if one.runs else "-"
        print(f"{printable(one.program):20} {one.runs:>12} {one.time_ns / 1e6:>10.2f} {mean_ns:>9} {share:>7.2%}")
