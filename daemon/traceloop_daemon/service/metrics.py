# SPDX-License-Identifier: Apache-2.0
"""Formats statistics as metrics: Prometheus' text format 0.0.4, with its conventions for names.

docs/metrics.md lists the metrics, and a test compares it with this output. No label names a container, so that the
number of samples does not depend on what runs on the node. Source: prometheus.io, "Exposition formats", "Metric and
label naming".

prometheus_client would serve, but takes 14 MiB and 0.2 s to import for this one text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from traceloop_daemon.recording.tally import BOUNDS_S, Counted
from traceloop_daemon.service.stats import Stats


@dataclass(frozen=True, slots=True)
class Metric:
    """A family of samples. samples: the part after the name, such as ``{state="frozen"}``, and the value."""

    name: str
    kind: str
    text: str
    samples: Sequence[tuple[str, float]]


def metrics_text(stats: Stats) -> str:
    """Returns all metrics as the text of a file."""
    return "".join(f"{line}\n" for metric in metrics(stats) for line in _lines(metric))


def _lines(metric: Metric) -> Iterator[str]:
    yield f"# HELP {metric.name} {metric.text}"
    yield f"# TYPE {metric.name} {metric.kind}"
    for suffix, value in metric.samples:
        yield f"{metric.name}{suffix} {value}"


def metrics(stats: Stats) -> Iterator[Metric]:
    """Yields all metrics."""
    recorded, counted, archive = stats.recorded, stats.counted, stats.archive
    in_use, in_stock = (sum(getattr(pool, name) for pool in stats.rings) for name in ("in_use", "in_stock"))
    yield _gauge("start_time_seconds", "When the daemon started, in seconds since 1970.", stats.started_ns / 1e9)
    traces = {state.value: count for state, count in stats.traces.items()}
    yield _gauges("traces", "Traces in the list, by state; recording: containers that run.", "state", traces)
    rings = {"in_use": in_use, "in_stock": in_stock}
    yield _gauges("rings", "Rings in the kernel: used by containers, or in stock for the next ones.", "use", rings)
    yield _gauge("rings_wanted", "Rings that are to be in stock.", stats.rings[0].wanted)
    ring_bytes = {"in_use": stats.ring_bytes_in_use, "in_stock": stats.ring_bytes_in_stock}
    yield _gauges("ring_memory_bytes", "Memory of these rings.", "use", ring_bytes)
    yield _counter("events_total", "System calls, signals and thread exits of recorded containers.", recorded.events)
    yield _counter("calls_total", "System calls of recorded containers.", recorded.calls)
    yield _counter("calls_failed_total", "System calls that failed.", recorded.errors)
    yield _counter("read_bytes_total", "Bytes that system calls read.", recorded.read_bytes)
    yield _counter("written_bytes_total", "Bytes that system calls wrote.", recorded.written_bytes)
    yield _counter("events_overwritten_total", "Events that the rings no longer hold.", recorded.overwritten)
    yield _counter("events_dropped_total", "Events that could not be recorded.", recorded.dropped)
    yield _counter("calls_reread_total", "Calls with memory that could not be read at their entry.", recorded.reread)
    yield _counter(
        "calls_unread_total", "Calls with memory that could not be read, wrong addresses included.", recorded.unread
    )
    yield _counter(
        "calls_forgotten_total", "Calls not read again at their exit: too many were in flight.", recorded.forgotten
    )
    yield _counter("cgroups_left_out_total", "Cgroups below containers that are not recorded.", recorded.left_out)
    yield _counter("io_urings_total", "Instances of io_uring whose requests are not recorded.", recorded.io_urings)
    yield _counters(
        "recordings_total",
        "Recordings, by what began them; running: found when the daemon started; "
        "daemon: begun by a former daemon, and resumed.",
        "origin",
        {
            "birth": counted[Counted.STARTED_AT_BIRTH],
            "running": counted[Counted.STARTED_RUNNING],
            "hook": counted[Counted.STARTED_BY_HOOK],
            "add": counted[Counted.STARTED_BY_ADD],
            "daemon": counted[Counted.ADOPTED],
        },
    )
    yield from _births(stats)
    text = "Containers that settings or annotations exclude."
    yield _counter("containers_excluded_total", text, counted[Counted.EXCLUDED])
    text = "Containers that were not recorded because there was no memory for their rings."
    yield _counter("containers_without_memory_total", text, counted[Counted.NO_MEMORY])
    yield _gauge("memory_left_bytes", "Memory that is left for more rings.", stats.room.left_bytes)
    yield _counters(
        "hook_messages_total",
        "Messages of hooks, by result.",
        "result",
        {"served": counted[Counted.HOOKS_SERVED], "refused": counted[Counted.HOOKS_REFUSED]},
    )
    upto = [f"{bound_s:g}" for bound_s in BOUNDS_S] + ["+Inf"]
    buckets = [
        (f'_bucket{{le="{bound}"}}', float(count))
        for bound, count in zip(upto, accumulate(stats.hooks.counts), strict=True)
    ]
    waits = [*buckets, ("_sum", stats.hooks.sum_s), ("_count", float(sum(stats.hooks.counts)))]
    text = "Time from accepting a hook's connection to its answer."
    yield Metric("traceloop_hook_duration_seconds", "histogram", text, waits)
    yield _gauge("archive_traces", "Traces in the archive.", archive.traces)
    yield _gauge("archive_size_bytes", "Size of the traces in the archive.", archive.size_bytes)
    yield _gauge("archive_waiting_traces", "Traces in the archive that wait in memory for the disk.", archive.waiting)
    yield _gauge("archive_waiting_bytes", "Size of the traces that wait.", archive.waiting_bytes)
    yield _counter("traces_dropped_total", "Traces that were removed to make room.", counted[Counted.DROPPED])
    yield _counter("traces_lost_total", "Traces that could not be archived or adopted.", counted[Counted.LOST])
    yield from _reasons(counted)
    yield _counter("snapshots_total", "Traces that were shown or dumped.", counted[Counted.SNAPSHOTS])
    yield _counter(
        "connections_refused_total",
        "Connections to traceloop.sock that were refused because users had their share.",
        counted[Counted.CONNECTIONS_REFUSED],
    )
    text = "Calls that were refused because users had their share."
    yield _counter("calls_refused_total", text, counted[Counted.CALLS_REFUSED])
    text = "Calls that were cancelled because their answers were not read in time."
    yield _counter("calls_ended_total", text, counted[Counted.CALLS_ENDED])
    text = "Exchanges of a former version's programs in the kernel."
    yield _counter("program_exchanges_total", text, counted[Counted.EXCHANGES])
    text = "Recorders in the kernel that were broken, and replaced."
    yield _counter("recorders_replaced_total", text, counted[Counted.REPLACEMENTS])


def _reasons(counted: Mapping[Counted, int]) -> Iterator[Metric]:
    text = "Traces whose reasons were asked of traceloop-explain."
    yield _counter("reasons_asked_total", text, counted[Counted.REASONS_ASKED])
    text = "Traces for which traceloop-explain was asked, and gave no answer."
    yield _counter("reasons_failed_total", text, counted[Counted.REASONS_FAILED])


def _births(stats: Stats) -> Iterator[Metric]:
    text = "Containers for whose birth no ring was in stock: recorded from a little later, or not at all."
    yield _counter("births_late_total", text, stats.counted[Counted.BIRTHS_LATE])
    text = "Containers of whose births the daemon could not be told, and that are not recorded."
    yield _counter("births_untold_total", text, stats.counted[Counted.BIRTHS_UNTOLD])
    text = "Threads in a call whose place another thread took: the totals count the call twice."
    yield _counter("in_call_forgotten_total", text, stats.counted[Counted.IN_CALL_FORGOTTEN])
    text = "Processes of container runtimes that are recorded as their containers' own."
    yield _counter("runtimes_forgotten_total", text, stats.counted[Counted.RUNTIMES_FORGOTTEN])
    text = "Processes that came into a container, of which the daemon could not be told."
    yield _counter("entries_untold_total", text, stats.counted[Counted.ENTRIES_UNTOLD])


def _gauge(name: str, text: str, value: float) -> Metric:
    return Metric(f"traceloop_{name}", "gauge", text, [("", value)])


def _counter(name: str, text: str, value: float) -> Metric:
    return Metric(f"traceloop_{name}", "counter", text, [("", value)])


def _gauges(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    return Metric(f"traceloop_{name}", "gauge", text, _labelled(label, values))


def _counters(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    return Metric(f"traceloop_{name}", "counter", text, _labelled(label, values))


def _labelled(label: str, values: Mapping[str, int]) -> list[tuple[str, float]]:
    # Labels' values are words of this program, which need no escapes.
    return [(f'{{{label}="{value}"}}', count) for value, count in values.items()]
