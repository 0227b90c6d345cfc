from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Document(_message.Message):
    __slots__ = ("fields", "bson")
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    BSON_FIELD_NUMBER: _ClassVar[int]
    fields: _containers.RepeatedCompositeFieldContainer[Field]
    bson: bytes
    def __init__(self, fields: _Optional[_Iterable[_Union[Field, _Mapping]]] = ..., bson: _Optional[bytes] = ...) -> None: ...

class Field(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: Value
    def __init__(self, name: _Optional[str] = ..., value: _Optional[_Union[Value, _Mapping]] = ...) -> None: ...

class Value(_message.Message):
    __slots__ = ("null_value", "bool_value", "int32_value", "int64_value", "double_value", "string_value", "date_ms_value", "object_id_value", "map_value", "list_value", "bytes_value", "uuid_value", "decimal_value", "binary_value", "regex_value", "timestamp_value", "bson_value")
    NULL_VALUE_FIELD_NUMBER: _ClassVar[int]
    BOOL_VALUE_FIELD_NUMBER: _ClassVar[int]
    INT32_VALUE_FIELD_NUMBER: _ClassVar[int]
    INT64_VALUE_FIELD_NUMBER: _ClassVar[int]
    DOUBLE_VALUE_FIELD_NUMBER: _ClassVar[int]
    STRING_VALUE_FIELD_NUMBER: _ClassVar[int]
    DATE_MS_VALUE_FIELD_NUMBER: _ClassVar[int]
    OBJECT_ID_VALUE_FIELD_NUMBER: _ClassVar[int]
    MAP_VALUE_FIELD_NUMBER: _ClassVar[int]
    LIST_VALUE_FIELD_NUMBER: _ClassVar[int]
    BYTES_VALUE_FIELD_NUMBER: _ClassVar[int]
    UUID_VALUE_FIELD_NUMBER: _ClassVar[int]
    DECIMAL_VALUE_FIELD_NUMBER: _ClassVar[int]
    BINARY_VALUE_FIELD_NUMBER: _ClassVar[int]
    REGEX_VALUE_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_VALUE_FIELD_NUMBER: _ClassVar[int]
    BSON_VALUE_FIELD_NUMBER: _ClassVar[int]
    null_value: _struct_pb2.NullValue
    bool_value: bool
    int32_value: int
    int64_value: int
    double_value: float
    string_value: str
    date_ms_value: int
    object_id_value: bytes
    map_value: MapValue
    list_value: ListValue
    bytes_value: bytes
    uuid_value: bytes
    decimal_value: str
    binary_value: Binary
    regex_value: Regex
    timestamp_value: BsonTimestamp
    bson_value: bytes
    def __init__(self, null_value: _Optional[_Union[_struct_pb2.NullValue, str]] = ..., bool_value: _Optional[bool] = ..., int32_value: _Optional[int] = ..., int64_value: _Optional[int] = ..., double_value: _Optional[float] = ..., string_value: _Optional[str] = ..., date_ms_value: _Optional[int] = ..., object_id_value: _Optional[bytes] = ..., map_value: _Optional[_Union[MapValue, _Mapping]] = ..., list_value: _Optional[_Union[ListValue, _Mapping]] = ..., bytes_value: _Optional[bytes] = ..., uuid_value: _Optional[bytes] = ..., decimal_value: _Optional[str] = ..., binary_value: _Optional[_Union[Binary, _Mapping]] = ..., regex_value: _Optional[_Union[Regex, _Mapping]] = ..., timestamp_value: _Optional[_Union[BsonTimestamp, _Mapping]] = ..., bson_value: _Optional[bytes] = ...) -> None: ...

class MapValue(_message.Message):
    __slots__ = ("fields",)
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    fields: _containers.RepeatedCompositeFieldContainer[Field]
    def __init__(self, fields: _Optional[_Iterable[_Union[Field, _Mapping]]] = ...) -> None: ...

class ListValue(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedCompositeFieldContainer[Value]
    def __init__(self, values: _Optional[_Iterable[_Union[Value, _Mapping]]] = ...) -> None: ...

class Binary(_message.Message):
    __slots__ = ("data", "subtype")
    DATA_FIELD_NUMBER: _ClassVar[int]
    SUBTYPE_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    subtype: int
    def __init__(self, data: _Optional[bytes] = ..., subtype: _Optional[int] = ...) -> None: ...

class Regex(_message.Message):
    __slots__ = ("pattern", "options")
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    pattern: str
    options: str
    def __init__(self, pattern: _Optional[str] = ..., options: _Optional[str] = ...) -> None: ...

class BsonTimestamp(_message.Message):
    __slots__ = ("seconds", "increment")
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    INCREMENT_FIELD_NUMBER: _ClassVar[int]
    seconds: int
    increment: int
    def __init__(self, seconds: _Optional[int] = ..., increment: _Optional[int] = ...) -> None: ...
