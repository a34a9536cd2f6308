from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

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
    __slots__ = ["cgroup", "name"]
    CGROUP_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    cgroup: str
    name: str
    def __init__(self, cgroup: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class DumpChunk(_message.Message):
    __slots__ = ["data"]
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...

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

class SnapshotChunk(_message.Message):
    __slots__ = ["data"]
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...

class Trace(_message.Message):
    __slots__ = ["cgroup", "container", "container_id", "ended_ns", "events", "exit_code", "id", "image", "lost", "namespace", "node", "pod", "pod_uid", "restart_count", "signal", "size_bytes", "started_ns", "state"]
    CGROUP_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_ID_FIELD_NUMBER: _ClassVar[int]
    ENDED_NS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    POD_FIELD_NUMBER: _ClassVar[int]
    POD_UID_FIELD_NUMBER: _ClassVar[int]
    RESTART_COUNT_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    STARTED_NS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    cgroup: str
    container: str
    container_id: str
    ended_ns: int
    events: int
    exit_code: int
    id: str
    image: str
    lost: int
    namespace: str
    node: str
    pod: str
    pod_uid: str
    restart_count: int
    signal: int
    size_bytes: int
    started_ns: int
    state: State
    def __init__(self, id: _Optional[str] = ..., node: _Optional[str] = ..., namespace: _Optional[str] = ..., pod: _Optional[str] = ..., pod_uid: _Optional[str] = ..., container: _Optional[str] = ..., container_id: _Optional[str] = ..., image: _Optional[str] = ..., state: _Optional[_Union[State, str]] = ..., started_ns: _Optional[int] = ..., ended_ns: _Optional[int] = ..., exit_code: _Optional[int] = ..., signal: _Optional[int] = ..., events: _Optional[int] = ..., lost: _Optional[int] = ..., size_bytes: _Optional[int] = ..., cgroup: _Optional[str] = ..., restart_count: _Optional[int] = ...) -> None: ...

class TraceRequest(_message.Message):
    __slots__ = ["id"]
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
