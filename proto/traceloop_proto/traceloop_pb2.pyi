from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

CAPTURE_ALL: Capture
CAPTURE_NO_PAYLOAD: Capture
CAPTURE_PATHS: Capture
CAPTURE_UNSPECIFIED: Capture
CHANGE_KIND_ARCHIVED: ChangeKind
CHANGE_KIND_CLOSED: ChangeKind
CHANGE_KIND_DROPPED: ChangeKind
CHANGE_KIND_EXPLAINED: ChangeKind
CHANGE_KIND_FROZEN: ChangeKind
CHANGE_KIND_LOST: ChangeKind
CHANGE_KIND_MISSED: ChangeKind
CHANGE_KIND_READY: ChangeKind
CHANGE_KIND_STARTED: ChangeKind
CHANGE_KIND_UNSPECIFIED: ChangeKind
DESCRIPTOR: _descriptor.FileDescriptor
STATE_ARCHIVED: State
STATE_CLOSED: State
STATE_ERROR: State
STATE_FROZEN: State
STATE_MISSING: State
STATE_RECORDING: State
STATE_TRUNCATED: State
STATE_UNSPECIFIED: State

class AddRequest(_message.Message):
    __slots__ = ["cgroup", "container", "name", "unit"]
    CGROUP_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    cgroup: str
    container: str
    name: str
    unit: str
    def __init__(self, cgroup: _Optional[str] = ..., name: _Optional[str] = ..., unit: _Optional[str] = ..., container: _Optional[str] = ...) -> None: ...

class Change(_message.Message):
    __slots__ = ["kind", "missed", "trace"]
    KIND_FIELD_NUMBER: _ClassVar[int]
    MISSED_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    kind: ChangeKind
    missed: int
    trace: Trace
    def __init__(self, kind: _Optional[_Union[ChangeKind, str]] = ..., trace: _Optional[_Union[Trace, _Mapping]] = ..., missed: _Optional[int] = ...) -> None: ...

class DumpChunk(_message.Message):
    __slots__ = ["data"]
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...

class Durations(_message.Message):
    __slots__ = ["bounds_s", "counts", "longest_s", "sum_s"]
    BOUNDS_S_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    LONGEST_S_FIELD_NUMBER: _ClassVar[int]
    SUM_S_FIELD_NUMBER: _ClassVar[int]
    bounds_s: _containers.RepeatedScalarFieldContainer[float]
    counts: _containers.RepeatedScalarFieldContainer[int]
    longest_s: float
    sum_s: float
    def __init__(self, bounds_s: _Optional[_Iterable[float]] = ..., counts: _Optional[_Iterable[int]] = ..., sum_s: _Optional[float] = ..., longest_s: _Optional[float] = ...) -> None: ...

class ListReply(_message.Message):
    __slots__ = ["node", "traces"]
    NODE_FIELD_NUMBER: _ClassVar[int]
    TRACES_FIELD_NUMBER: _ClassVar[int]
    node: str
    traces: _containers.RepeatedCompositeFieldContainer[Trace]
    def __init__(self, node: _Optional[str] = ..., traces: _Optional[_Iterable[_Union[Trace, _Mapping]]] = ...) -> None: ...

class ListRequest(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class RunTime(_message.Message):
    __slots__ = ["program", "runs", "time_ns"]
    PROGRAM_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    TIME_NS_FIELD_NUMBER: _ClassVar[int]
    program: str
    runs: int
    time_ns: int
    def __init__(self, program: _Optional[str] = ..., runs: _Optional[int] = ..., time_ns: _Optional[int] = ...) -> None: ...

class RunTimesReply(_message.Message):
    __slots__ = ["programs"]
    PROGRAMS_FIELD_NUMBER: _ClassVar[int]
    programs: _containers.RepeatedCompositeFieldContainer[RunTime]
    def __init__(self, programs: _Optional[_Iterable[_Union[RunTime, _Mapping]]] = ...) -> None: ...

class RunTimesRequest(_message.Message):
    __slots__ = ["for_ms"]
    FOR_MS_FIELD_NUMBER: _ClassVar[int]
    for_ms: int
    def __init__(self, for_ms: _Optional[int] = ...) -> None: ...

class Shipping(_message.Message):
    __slots__ = ["error", "failed_runs", "failing_since_ns", "last_run_ns", "last_success_ns", "runs", "size_bytes", "traces", "unreadable", "waiting"]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    FAILED_RUNS_FIELD_NUMBER: _ClassVar[int]
    FAILING_SINCE_NS_FIELD_NUMBER: _ClassVar[int]
    LAST_RUN_NS_FIELD_NUMBER: _ClassVar[int]
    LAST_SUCCESS_NS_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    TRACES_FIELD_NUMBER: _ClassVar[int]
    UNREADABLE_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    error: str
    failed_runs: int
    failing_since_ns: int
    last_run_ns: int
    last_success_ns: int
    runs: int
    size_bytes: int
    traces: int
    unreadable: int
    waiting: int
    def __init__(self, traces: _Optional[int] = ..., size_bytes: _Optional[int] = ..., runs: _Optional[int] = ..., failed_runs: _Optional[int] = ..., waiting: _Optional[int] = ..., unreadable: _Optional[int] = ..., last_run_ns: _Optional[int] = ..., last_success_ns: _Optional[int] = ..., failing_since_ns: _Optional[int] = ..., error: _Optional[str] = ...) -> None: ...

class SnapshotChunk(_message.Message):
    __slots__ = ["data"]
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...

class StateCount(_message.Message):
    __slots__ = ["count", "state"]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    count: int
    state: State
    def __init__(self, state: _Optional[_Union[State, str]] = ..., count: _Optional[int] = ...) -> None: ...

class StatsReply(_message.Message):
    __slots__ = ["adopted", "archive_bytes", "archive_traces", "archive_waiting", "archive_waiting_bytes", "births_late", "births_untold", "calls", "calls_ended", "calls_refused", "cgroups_left_out", "connections_refused", "dropped", "entries_untold", "errors", "events", "exchanges", "excluded", "forgotten", "hook_durations", "hooks_refused", "hooks_served", "in_call_forgotten", "io_urings", "memory_left_bytes", "memory_limit", "memory_limit_bytes", "no_memory", "node", "overwritten", "read_bytes", "reasons_asked", "reasons_failed", "recorders_replaced", "reread", "ring_bytes", "ring_bytes_in_stock", "ring_bytes_in_use", "rings_in_stock", "rings_in_use", "rings_wanted", "runtimes_forgotten", "shipping", "snapshots", "started_at_birth", "started_by_add", "started_by_hook", "started_ns", "traces", "traces_dropped", "traces_lost", "unread", "written_bytes"]
    ADOPTED_FIELD_NUMBER: _ClassVar[int]
    ARCHIVE_BYTES_FIELD_NUMBER: _ClassVar[int]
    ARCHIVE_TRACES_FIELD_NUMBER: _ClassVar[int]
    ARCHIVE_WAITING_BYTES_FIELD_NUMBER: _ClassVar[int]
    ARCHIVE_WAITING_FIELD_NUMBER: _ClassVar[int]
    BIRTHS_LATE_FIELD_NUMBER: _ClassVar[int]
    BIRTHS_UNTOLD_FIELD_NUMBER: _ClassVar[int]
    CALLS_ENDED_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    CALLS_REFUSED_FIELD_NUMBER: _ClassVar[int]
    CGROUPS_LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    CONNECTIONS_REFUSED_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_UNTOLD_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    EXCHANGES_FIELD_NUMBER: _ClassVar[int]
    EXCLUDED_FIELD_NUMBER: _ClassVar[int]
    FORGOTTEN_FIELD_NUMBER: _ClassVar[int]
    HOOKS_REFUSED_FIELD_NUMBER: _ClassVar[int]
    HOOKS_SERVED_FIELD_NUMBER: _ClassVar[int]
    HOOK_DURATIONS_FIELD_NUMBER: _ClassVar[int]
    IN_CALL_FORGOTTEN_FIELD_NUMBER: _ClassVar[int]
    IO_URINGS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_LEFT_BYTES_FIELD_NUMBER: _ClassVar[int]
    MEMORY_LIMIT_BYTES_FIELD_NUMBER: _ClassVar[int]
    MEMORY_LIMIT_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    NO_MEMORY_FIELD_NUMBER: _ClassVar[int]
    OVERWRITTEN_FIELD_NUMBER: _ClassVar[int]
    READ_BYTES_FIELD_NUMBER: _ClassVar[int]
    REASONS_ASKED_FIELD_NUMBER: _ClassVar[int]
    REASONS_FAILED_FIELD_NUMBER: _ClassVar[int]
    RECORDERS_REPLACED_FIELD_NUMBER: _ClassVar[int]
    REREAD_FIELD_NUMBER: _ClassVar[int]
    RINGS_IN_STOCK_FIELD_NUMBER: _ClassVar[int]
    RINGS_IN_USE_FIELD_NUMBER: _ClassVar[int]
    RINGS_WANTED_FIELD_NUMBER: _ClassVar[int]
    RING_BYTES_FIELD_NUMBER: _ClassVar[int]
    RING_BYTES_IN_STOCK_FIELD_NUMBER: _ClassVar[int]
    RING_BYTES_IN_USE_FIELD_NUMBER: _ClassVar[int]
    RUNTIMES_FORGOTTEN_FIELD_NUMBER: _ClassVar[int]
    SHIPPING_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOTS_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_BIRTH_FIELD_NUMBER: _ClassVar[int]
    STARTED_BY_ADD_FIELD_NUMBER: _ClassVar[int]
    STARTED_BY_HOOK_FIELD_NUMBER: _ClassVar[int]
    STARTED_NS_FIELD_NUMBER: _ClassVar[int]
    TRACES_DROPPED_FIELD_NUMBER: _ClassVar[int]
    TRACES_FIELD_NUMBER: _ClassVar[int]
    TRACES_LOST_FIELD_NUMBER: _ClassVar[int]
    UNREAD_FIELD_NUMBER: _ClassVar[int]
    WRITTEN_BYTES_FIELD_NUMBER: _ClassVar[int]
    adopted: int
    archive_bytes: int
    archive_traces: int
    archive_waiting: int
    archive_waiting_bytes: int
    births_late: int
    births_untold: int
    calls: int
    calls_ended: int
    calls_refused: int
    cgroups_left_out: int
    connections_refused: int
    dropped: int
    entries_untold: int
    errors: int
    events: int
    exchanges: int
    excluded: int
    forgotten: int
    hook_durations: Durations
    hooks_refused: int
    hooks_served: int
    in_call_forgotten: int
    io_urings: int
    memory_left_bytes: int
    memory_limit: str
    memory_limit_bytes: int
    no_memory: int
    node: str
    overwritten: int
    read_bytes: int
    reasons_asked: int
    reasons_failed: int
    recorders_replaced: int
    reread: int
    ring_bytes: int
    ring_bytes_in_stock: int
    ring_bytes_in_use: int
    rings_in_stock: int
    rings_in_use: int
    rings_wanted: int
    runtimes_forgotten: int
    shipping: Shipping
    snapshots: int
    started_at_birth: int
    started_by_add: int
    started_by_hook: int
    started_ns: int
    traces: _containers.RepeatedCompositeFieldContainer[StateCount]
    traces_dropped: int
    traces_lost: int
    unread: int
    written_bytes: int
    def __init__(self, node: _Optional[str] = ..., started_ns: _Optional[int] = ..., traces: _Optional[_Iterable[_Union[StateCount, _Mapping]]] = ..., rings_in_use: _Optional[int] = ..., rings_in_stock: _Optional[int] = ..., ring_bytes_in_use: _Optional[int] = ..., ring_bytes_in_stock: _Optional[int] = ..., events: _Optional[int] = ..., overwritten: _Optional[int] = ..., dropped: _Optional[int] = ..., reread: _Optional[int] = ..., unread: _Optional[int] = ..., started_by_hook: _Optional[int] = ..., started_by_add: _Optional[int] = ..., adopted: _Optional[int] = ..., excluded: _Optional[int] = ..., hooks_served: _Optional[int] = ..., hooks_refused: _Optional[int] = ..., hook_durations: _Optional[_Union[Durations, _Mapping]] = ..., archive_traces: _Optional[int] = ..., archive_bytes: _Optional[int] = ..., archive_waiting: _Optional[int] = ..., archive_waiting_bytes: _Optional[int] = ..., traces_dropped: _Optional[int] = ..., traces_lost: _Optional[int] = ..., snapshots: _Optional[int] = ..., exchanges: _Optional[int] = ..., forgotten: _Optional[int] = ..., cgroups_left_out: _Optional[int] = ..., io_urings: _Optional[int] = ..., recorders_replaced: _Optional[int] = ..., no_memory: _Optional[int] = ..., memory_left_bytes: _Optional[int] = ..., memory_limit_bytes: _Optional[int] = ..., memory_limit: _Optional[str] = ..., ring_bytes: _Optional[int] = ..., connections_refused: _Optional[int] = ..., calls_refused: _Optional[int] = ..., calls_ended: _Optional[int] = ..., started_at_birth: _Optional[int] = ..., births_late: _Optional[int] = ..., births_untold: _Optional[int] = ..., in_call_forgotten: _Optional[int] = ..., runtimes_forgotten: _Optional[int] = ..., entries_untold: _Optional[int] = ..., rings_wanted: _Optional[int] = ..., calls: _Optional[int] = ..., errors: _Optional[int] = ..., read_bytes: _Optional[int] = ..., written_bytes: _Optional[int] = ..., reasons_asked: _Optional[int] = ..., reasons_failed: _Optional[int] = ..., shipping: _Optional[_Union[Shipping, _Mapping]] = ...) -> None: ...

class StatsRequest(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class Trace(_message.Message):
    __slots__ = ["calls", "capabilities_granted", "capabilities_refused", "capture", "cgroup", "container", "container_id", "ended_ns", "errors", "events", "exit_code", "id", "image", "io_uring_setups", "labels", "labels_left_out", "lost", "memory_limit_bytes", "memory_peak_bytes", "namespace", "node", "older", "oom_by_limit", "oom_kills", "out_of_memory", "pod", "pod_uid", "previous_id", "read_bytes", "reason", "restart_count", "ring_size_bytes", "signal", "size_bytes", "skipped", "started_ns", "state", "written_bytes"]
    class LabelsEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CALLS_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_GRANTED_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_REFUSED_FIELD_NUMBER: _ClassVar[int]
    CAPTURE_FIELD_NUMBER: _ClassVar[int]
    CGROUP_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_ID_FIELD_NUMBER: _ClassVar[int]
    ENDED_NS_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    IO_URING_SETUPS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    LABELS_LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    MEMORY_LIMIT_BYTES_FIELD_NUMBER: _ClassVar[int]
    MEMORY_PEAK_BYTES_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    OLDER_FIELD_NUMBER: _ClassVar[int]
    OOM_BY_LIMIT_FIELD_NUMBER: _ClassVar[int]
    OOM_KILLS_FIELD_NUMBER: _ClassVar[int]
    OUT_OF_MEMORY_FIELD_NUMBER: _ClassVar[int]
    POD_FIELD_NUMBER: _ClassVar[int]
    POD_UID_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_ID_FIELD_NUMBER: _ClassVar[int]
    READ_BYTES_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RESTART_COUNT_FIELD_NUMBER: _ClassVar[int]
    RING_SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    STARTED_NS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    WRITTEN_BYTES_FIELD_NUMBER: _ClassVar[int]
    calls: int
    capabilities_granted: int
    capabilities_refused: int
    capture: Capture
    cgroup: str
    container: str
    container_id: str
    ended_ns: int
    errors: int
    events: int
    exit_code: int
    id: str
    image: str
    io_uring_setups: int
    labels: _containers.ScalarMap[str, str]
    labels_left_out: int
    lost: int
    memory_limit_bytes: int
    memory_peak_bytes: int
    namespace: str
    node: str
    older: int
    oom_by_limit: int
    oom_kills: int
    out_of_memory: int
    pod: str
    pod_uid: str
    previous_id: str
    read_bytes: int
    reason: str
    restart_count: int
    ring_size_bytes: int
    signal: int
    size_bytes: int
    skipped: str
    started_ns: int
    state: State
    written_bytes: int
    def __init__(self, id: _Optional[str] = ..., node: _Optional[str] = ..., namespace: _Optional[str] = ..., pod: _Optional[str] = ..., pod_uid: _Optional[str] = ..., container: _Optional[str] = ..., container_id: _Optional[str] = ..., image: _Optional[str] = ..., state: _Optional[_Union[State, str]] = ..., started_ns: _Optional[int] = ..., ended_ns: _Optional[int] = ..., exit_code: _Optional[int] = ..., signal: _Optional[int] = ..., events: _Optional[int] = ..., lost: _Optional[int] = ..., size_bytes: _Optional[int] = ..., cgroup: _Optional[str] = ..., restart_count: _Optional[int] = ..., labels: _Optional[_Mapping[str, str]] = ..., labels_left_out: _Optional[int] = ..., capture: _Optional[_Union[Capture, str]] = ..., ring_size_bytes: _Optional[int] = ..., io_uring_setups: _Optional[int] = ..., calls: _Optional[int] = ..., errors: _Optional[int] = ..., read_bytes: _Optional[int] = ..., written_bytes: _Optional[int] = ..., capabilities_granted: _Optional[int] = ..., capabilities_refused: _Optional[int] = ..., out_of_memory: _Optional[int] = ..., memory_limit_bytes: _Optional[int] = ..., memory_peak_bytes: _Optional[int] = ..., oom_kills: _Optional[int] = ..., oom_by_limit: _Optional[int] = ..., skipped: _Optional[str] = ..., reason: _Optional[str] = ..., older: _Optional[int] = ..., previous_id: _Optional[str] = ...) -> None: ...

class TraceRequest(_message.Message):
    __slots__ = ["id"]
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class Capture(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class ChangeKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
