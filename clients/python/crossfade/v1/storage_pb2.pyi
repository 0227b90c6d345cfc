from crossfade.v1 import document_pb2 as _document_pb2
from crossfade.v1 import error_pb2 as _error_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Freshness(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FRESHNESS_UNSPECIFIED: _ClassVar[Freshness]
    FRESHNESS_STRONG: _ClassVar[Freshness]
    FRESHNESS_EVENTUAL: _ClassVar[Freshness]

class Direction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DIRECTION_UNSPECIFIED: _ClassVar[Direction]
    DIRECTION_ASCENDING: _ClassVar[Direction]
    DIRECTION_DESCENDING: _ClassVar[Direction]

class ReturnDocument(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RETURN_DOCUMENT_UNSPECIFIED: _ClassVar[ReturnDocument]
    RETURN_DOCUMENT_NONE: _ClassVar[ReturnDocument]
    RETURN_DOCUMENT_BEFORE: _ClassVar[ReturnDocument]
    RETURN_DOCUMENT_AFTER: _ClassVar[ReturnDocument]
    RETURN_DOCUMENT_BOTH: _ClassVar[ReturnDocument]

class Mirror(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MIRROR_UNSPECIFIED: _ClassVar[Mirror]
    MIRROR_NONE: _ClassVar[Mirror]
    MIRROR_APPLIED: _ClassVar[Mirror]
    MIRROR_DEFERRED: _ClassVar[Mirror]
FRESHNESS_UNSPECIFIED: Freshness
FRESHNESS_STRONG: Freshness
FRESHNESS_EVENTUAL: Freshness
DIRECTION_UNSPECIFIED: Direction
DIRECTION_ASCENDING: Direction
DIRECTION_DESCENDING: Direction
RETURN_DOCUMENT_UNSPECIFIED: ReturnDocument
RETURN_DOCUMENT_NONE: ReturnDocument
RETURN_DOCUMENT_BEFORE: ReturnDocument
RETURN_DOCUMENT_AFTER: ReturnDocument
RETURN_DOCUMENT_BOTH: ReturnDocument
MIRROR_UNSPECIFIED: Mirror
MIRROR_NONE: Mirror
MIRROR_APPLIED: Mirror
MIRROR_DEFERRED: Mirror

class GetRequest(_message.Message):
    __slots__ = ("collection", "key", "filter", "order")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    collection: str
    key: _document_pb2.Document
    filter: Filter
    order: _containers.RepeatedCompositeFieldContainer[Order]
    def __init__(self, collection: _Optional[str] = ..., key: _Optional[_Union[_document_pb2.Document, _Mapping]] = ..., filter: _Optional[_Union[Filter, _Mapping]] = ..., order: _Optional[_Iterable[_Union[Order, _Mapping]]] = ...) -> None: ...

class GetResponse(_message.Message):
    __slots__ = ("document", "etag", "plan")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    document: _document_pb2.Document
    etag: str
    plan: Plan
    def __init__(self, document: _Optional[_Union[_document_pb2.Document, _Mapping]] = ..., etag: _Optional[str] = ..., plan: _Optional[_Union[Plan, _Mapping]] = ...) -> None: ...

class BatchGetRequest(_message.Message):
    __slots__ = ("collection", "keys")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    collection: str
    keys: _containers.RepeatedCompositeFieldContainer[_document_pb2.Document]
    def __init__(self, collection: _Optional[str] = ..., keys: _Optional[_Iterable[_Union[_document_pb2.Document, _Mapping]]] = ...) -> None: ...

class BatchGetResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[GetResponse]
    def __init__(self, results: _Optional[_Iterable[_Union[GetResponse, _Mapping]]] = ...) -> None: ...

class QueryRequest(_message.Message):
    __slots__ = ("collection", "filter", "order", "page_size", "page_token")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    collection: str
    filter: Filter
    order: _containers.RepeatedCompositeFieldContainer[Order]
    page_size: int
    page_token: str
    def __init__(self, collection: _Optional[str] = ..., filter: _Optional[_Union[Filter, _Mapping]] = ..., order: _Optional[_Iterable[_Union[Order, _Mapping]]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class QueryResponse(_message.Message):
    __slots__ = ("documents", "next_page_token", "plan")
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    documents: _containers.RepeatedCompositeFieldContainer[StoredDocument]
    next_page_token: str
    plan: Plan
    def __init__(self, documents: _Optional[_Iterable[_Union[StoredDocument, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., plan: _Optional[_Union[Plan, _Mapping]] = ...) -> None: ...

class StoredDocument(_message.Message):
    __slots__ = ("document", "etag")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    document: _document_pb2.Document
    etag: str
    def __init__(self, document: _Optional[_Union[_document_pb2.Document, _Mapping]] = ..., etag: _Optional[str] = ...) -> None: ...

class Plan(_message.Message):
    __slots__ = ("index", "freshness")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    index: str
    freshness: Freshness
    def __init__(self, index: _Optional[str] = ..., freshness: _Optional[_Union[Freshness, str]] = ...) -> None: ...

class Order(_message.Message):
    __slots__ = ("path", "direction")
    PATH_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    path: str
    direction: Direction
    def __init__(self, path: _Optional[str] = ..., direction: _Optional[_Union[Direction, str]] = ...) -> None: ...

class CountRequest(_message.Message):
    __slots__ = ("collection", "filter", "limit")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    collection: str
    filter: Filter
    limit: int
    def __init__(self, collection: _Optional[str] = ..., filter: _Optional[_Union[Filter, _Mapping]] = ..., limit: _Optional[int] = ...) -> None: ...

class CountResponse(_message.Message):
    __slots__ = ("count", "plan")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    count: int
    plan: Plan
    def __init__(self, count: _Optional[int] = ..., plan: _Optional[_Union[Plan, _Mapping]] = ...) -> None: ...

class InsertRequest(_message.Message):
    __slots__ = ("collection", "document", "return_document", "request_id")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    RETURN_DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    collection: str
    document: _document_pb2.Document
    return_document: ReturnDocument
    request_id: bytes
    def __init__(self, collection: _Optional[str] = ..., document: _Optional[_Union[_document_pb2.Document, _Mapping]] = ..., return_document: _Optional[_Union[ReturnDocument, str]] = ..., request_id: _Optional[bytes] = ...) -> None: ...

class ReplaceRequest(_message.Message):
    __slots__ = ("collection", "key", "filter", "etag", "document", "upsert", "return_document", "request_id")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    UPSERT_FIELD_NUMBER: _ClassVar[int]
    RETURN_DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    collection: str
    key: _document_pb2.Document
    filter: Filter
    etag: str
    document: _document_pb2.Document
    upsert: bool
    return_document: ReturnDocument
    request_id: bytes
    def __init__(self, collection: _Optional[str] = ..., key: _Optional[_Union[_document_pb2.Document, _Mapping]] = ..., filter: _Optional[_Union[Filter, _Mapping]] = ..., etag: _Optional[str] = ..., document: _Optional[_Union[_document_pb2.Document, _Mapping]] = ..., upsert: _Optional[bool] = ..., return_document: _Optional[_Union[ReturnDocument, str]] = ..., request_id: _Optional[bytes] = ...) -> None: ...

class UpdateRequest(_message.Message):
    __slots__ = ("collection", "key", "filter", "etag", "update", "upsert", "return_document", "request_id")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    UPSERT_FIELD_NUMBER: _ClassVar[int]
    RETURN_DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    collection: str
    key: _document_pb2.Document
    filter: Filter
    etag: str
    update: Update
    upsert: bool
    return_document: ReturnDocument
    request_id: bytes
    def __init__(self, collection: _Optional[str] = ..., key: _Optional[_Union[_document_pb2.Document, _Mapping]] = ..., filter: _Optional[_Union[Filter, _Mapping]] = ..., etag: _Optional[str] = ..., update: _Optional[_Union[Update, _Mapping]] = ..., upsert: _Optional[bool] = ..., return_document: _Optional[_Union[ReturnDocument, str]] = ..., request_id: _Optional[bytes] = ...) -> None: ...

class FindOneAndUpdateRequest(_message.Message):
    __slots__ = ("collection", "filter", "order", "update", "upsert", "return_document", "request_id")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    UPSERT_FIELD_NUMBER: _ClassVar[int]
    RETURN_DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    collection: str
    filter: Filter
    order: _containers.RepeatedCompositeFieldContainer[Order]
    update: Update
    upsert: bool
    return_document: ReturnDocument
    request_id: bytes
    def __init__(self, collection: _Optional[str] = ..., filter: _Optional[_Union[Filter, _Mapping]] = ..., order: _Optional[_Iterable[_Union[Order, _Mapping]]] = ..., update: _Optional[_Union[Update, _Mapping]] = ..., upsert: _Optional[bool] = ..., return_document: _Optional[_Union[ReturnDocument, str]] = ..., request_id: _Optional[bytes] = ...) -> None: ...

class DeleteRequest(_message.Message):
    __slots__ = ("collection", "key", "filter", "etag", "return_document", "request_id")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    RETURN_DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    collection: str
    key: _document_pb2.Document
    filter: Filter
    etag: str
    return_document: ReturnDocument
    request_id: bytes
    def __init__(self, collection: _Optional[str] = ..., key: _Optional[_Union[_document_pb2.Document, _Mapping]] = ..., filter: _Optional[_Union[Filter, _Mapping]] = ..., etag: _Optional[str] = ..., return_document: _Optional[_Union[ReturnDocument, str]] = ..., request_id: _Optional[bytes] = ...) -> None: ...

class WriteResponse(_message.Message):
    __slots__ = ("matched", "modified", "inserted", "repeated", "mirror", "etag", "op", "before", "after")
    MATCHED_FIELD_NUMBER: _ClassVar[int]
    MODIFIED_FIELD_NUMBER: _ClassVar[int]
    INSERTED_FIELD_NUMBER: _ClassVar[int]
    REPEATED_FIELD_NUMBER: _ClassVar[int]
    MIRROR_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    OP_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    matched: bool
    modified: bool
    inserted: bool
    repeated: bool
    mirror: Mirror
    etag: str
    op: bytes
    before: _document_pb2.Document
    after: _document_pb2.Document
    def __init__(self, matched: _Optional[bool] = ..., modified: _Optional[bool] = ..., inserted: _Optional[bool] = ..., repeated: _Optional[bool] = ..., mirror: _Optional[_Union[Mirror, str]] = ..., etag: _Optional[str] = ..., op: _Optional[bytes] = ..., before: _Optional[_Union[_document_pb2.Document, _Mapping]] = ..., after: _Optional[_Union[_document_pb2.Document, _Mapping]] = ...) -> None: ...

class BatchWriteRequest(_message.Message):
    __slots__ = ("collection", "writes", "ordered")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    WRITES_FIELD_NUMBER: _ClassVar[int]
    ORDERED_FIELD_NUMBER: _ClassVar[int]
    collection: str
    writes: _containers.RepeatedCompositeFieldContainer[Write]
    ordered: bool
    def __init__(self, collection: _Optional[str] = ..., writes: _Optional[_Iterable[_Union[Write, _Mapping]]] = ..., ordered: _Optional[bool] = ...) -> None: ...

class Write(_message.Message):
    __slots__ = ("insert", "replace", "update", "delete")
    INSERT_FIELD_NUMBER: _ClassVar[int]
    REPLACE_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    DELETE_FIELD_NUMBER: _ClassVar[int]
    insert: InsertRequest
    replace: ReplaceRequest
    update: UpdateRequest
    delete: DeleteRequest
    def __init__(self, insert: _Optional[_Union[InsertRequest, _Mapping]] = ..., replace: _Optional[_Union[ReplaceRequest, _Mapping]] = ..., update: _Optional[_Union[UpdateRequest, _Mapping]] = ..., delete: _Optional[_Union[DeleteRequest, _Mapping]] = ...) -> None: ...

class BatchWriteResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[BatchWriteResult]
    def __init__(self, results: _Optional[_Iterable[_Union[BatchWriteResult, _Mapping]]] = ...) -> None: ...

class BatchWriteResult(_message.Message):
    __slots__ = ("response", "error")
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    response: WriteResponse
    error: BatchWriteError
    def __init__(self, response: _Optional[_Union[WriteResponse, _Mapping]] = ..., error: _Optional[_Union[BatchWriteError, _Mapping]] = ...) -> None: ...

class BatchWriteError(_message.Message):
    __slots__ = ("code", "message", "detail")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    detail: _error_pb2.ErrorDetail
    def __init__(self, code: _Optional[int] = ..., message: _Optional[str] = ..., detail: _Optional[_Union[_error_pb2.ErrorDetail, _Mapping]] = ...) -> None: ...

class Filter(_message.Message):
    __slots__ = ("comparison", "in_values", "prefix", "exists", "contains", "all_of", "any_of", "none_of")
    COMPARISON_FIELD_NUMBER: _ClassVar[int]
    IN_VALUES_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    EXISTS_FIELD_NUMBER: _ClassVar[int]
    CONTAINS_FIELD_NUMBER: _ClassVar[int]
    ALL_OF_FIELD_NUMBER: _ClassVar[int]
    ANY_OF_FIELD_NUMBER: _ClassVar[int]
    NONE_OF_FIELD_NUMBER: _ClassVar[int]
    comparison: Comparison
    in_values: In
    prefix: Prefix
    exists: Exists
    contains: Contains
    all_of: FilterList
    any_of: FilterList
    none_of: FilterList
    def __init__(self, comparison: _Optional[_Union[Comparison, _Mapping]] = ..., in_values: _Optional[_Union[In, _Mapping]] = ..., prefix: _Optional[_Union[Prefix, _Mapping]] = ..., exists: _Optional[_Union[Exists, _Mapping]] = ..., contains: _Optional[_Union[Contains, _Mapping]] = ..., all_of: _Optional[_Union[FilterList, _Mapping]] = ..., any_of: _Optional[_Union[FilterList, _Mapping]] = ..., none_of: _Optional[_Union[FilterList, _Mapping]] = ...) -> None: ...

class FilterList(_message.Message):
    __slots__ = ("filters",)
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    filters: _containers.RepeatedCompositeFieldContainer[Filter]
    def __init__(self, filters: _Optional[_Iterable[_Union[Filter, _Mapping]]] = ...) -> None: ...

class Comparison(_message.Message):
    __slots__ = ("path", "operator", "value")
    class Operator(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        OPERATOR_UNSPECIFIED: _ClassVar[Comparison.Operator]
        EQ: _ClassVar[Comparison.Operator]
        NE: _ClassVar[Comparison.Operator]
        LT: _ClassVar[Comparison.Operator]
        LTE: _ClassVar[Comparison.Operator]
        GT: _ClassVar[Comparison.Operator]
        GTE: _ClassVar[Comparison.Operator]
    OPERATOR_UNSPECIFIED: Comparison.Operator
    EQ: Comparison.Operator
    NE: Comparison.Operator
    LT: Comparison.Operator
    LTE: Comparison.Operator
    GT: Comparison.Operator
    GTE: Comparison.Operator
    PATH_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    path: str
    operator: Comparison.Operator
    value: _document_pb2.Value
    def __init__(self, path: _Optional[str] = ..., operator: _Optional[_Union[Comparison.Operator, str]] = ..., value: _Optional[_Union[_document_pb2.Value, _Mapping]] = ...) -> None: ...

class In(_message.Message):
    __slots__ = ("path", "values")
    PATH_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    path: str
    values: _containers.RepeatedCompositeFieldContainer[_document_pb2.Value]
    def __init__(self, path: _Optional[str] = ..., values: _Optional[_Iterable[_Union[_document_pb2.Value, _Mapping]]] = ...) -> None: ...

class Prefix(_message.Message):
    __slots__ = ("path", "prefix")
    PATH_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    path: str
    prefix: str
    def __init__(self, path: _Optional[str] = ..., prefix: _Optional[str] = ...) -> None: ...

class Exists(_message.Message):
    __slots__ = ("path", "exists")
    PATH_FIELD_NUMBER: _ClassVar[int]
    EXISTS_FIELD_NUMBER: _ClassVar[int]
    path: str
    exists: bool
    def __init__(self, path: _Optional[str] = ..., exists: _Optional[bool] = ...) -> None: ...

class Contains(_message.Message):
    __slots__ = ("path", "value")
    PATH_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    path: str
    value: _document_pb2.Value
    def __init__(self, path: _Optional[str] = ..., value: _Optional[_Union[_document_pb2.Value, _Mapping]] = ...) -> None: ...

class Update(_message.Message):
    __slots__ = ("operators",)
    OPERATORS_FIELD_NUMBER: _ClassVar[int]
    operators: _containers.RepeatedCompositeFieldContainer[UpdateOperator]
    def __init__(self, operators: _Optional[_Iterable[_Union[UpdateOperator, _Mapping]]] = ...) -> None: ...

class UpdateOperator(_message.Message):
    __slots__ = ("path", "set", "unset", "inc", "mul", "min", "max", "rename", "set_on_insert", "push", "add_to_set", "pull", "pop", "current_date")
    PATH_FIELD_NUMBER: _ClassVar[int]
    SET_FIELD_NUMBER: _ClassVar[int]
    UNSET_FIELD_NUMBER: _ClassVar[int]
    INC_FIELD_NUMBER: _ClassVar[int]
    MUL_FIELD_NUMBER: _ClassVar[int]
    MIN_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    RENAME_FIELD_NUMBER: _ClassVar[int]
    SET_ON_INSERT_FIELD_NUMBER: _ClassVar[int]
    PUSH_FIELD_NUMBER: _ClassVar[int]
    ADD_TO_SET_FIELD_NUMBER: _ClassVar[int]
    PULL_FIELD_NUMBER: _ClassVar[int]
    POP_FIELD_NUMBER: _ClassVar[int]
    CURRENT_DATE_FIELD_NUMBER: _ClassVar[int]
    path: str
    set: _document_pb2.Value
    unset: Unset
    inc: _document_pb2.Value
    mul: _document_pb2.Value
    min: _document_pb2.Value
    max: _document_pb2.Value
    rename: str
    set_on_insert: _document_pb2.Value
    push: Push
    add_to_set: AddToSet
    pull: Pull
    pop: Pop
    current_date: CurrentDate
    def __init__(self, path: _Optional[str] = ..., set: _Optional[_Union[_document_pb2.Value, _Mapping]] = ..., unset: _Optional[_Union[Unset, _Mapping]] = ..., inc: _Optional[_Union[_document_pb2.Value, _Mapping]] = ..., mul: _Optional[_Union[_document_pb2.Value, _Mapping]] = ..., min: _Optional[_Union[_document_pb2.Value, _Mapping]] = ..., max: _Optional[_Union[_document_pb2.Value, _Mapping]] = ..., rename: _Optional[str] = ..., set_on_insert: _Optional[_Union[_document_pb2.Value, _Mapping]] = ..., push: _Optional[_Union[Push, _Mapping]] = ..., add_to_set: _Optional[_Union[AddToSet, _Mapping]] = ..., pull: _Optional[_Union[Pull, _Mapping]] = ..., pop: _Optional[_Union[Pop, _Mapping]] = ..., current_date: _Optional[_Union[CurrentDate, _Mapping]] = ...) -> None: ...

class Unset(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Push(_message.Message):
    __slots__ = ("values", "position", "slice")
    VALUES_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    SLICE_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedCompositeFieldContainer[_document_pb2.Value]
    position: int
    slice: int
    def __init__(self, values: _Optional[_Iterable[_Union[_document_pb2.Value, _Mapping]]] = ..., position: _Optional[int] = ..., slice: _Optional[int] = ...) -> None: ...

class AddToSet(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedCompositeFieldContainer[_document_pb2.Value]
    def __init__(self, values: _Optional[_Iterable[_Union[_document_pb2.Value, _Mapping]]] = ...) -> None: ...

class Pull(_message.Message):
    __slots__ = ("values", "where")
    VALUES_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedCompositeFieldContainer[_document_pb2.Value]
    where: Filter
    def __init__(self, values: _Optional[_Iterable[_Union[_document_pb2.Value, _Mapping]]] = ..., where: _Optional[_Union[Filter, _Mapping]] = ...) -> None: ...

class Pop(_message.Message):
    __slots__ = ("end",)
    class End(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        END_UNSPECIFIED: _ClassVar[Pop.End]
        FIRST: _ClassVar[Pop.End]
        LAST: _ClassVar[Pop.End]
    END_UNSPECIFIED: Pop.End
    FIRST: Pop.End
    LAST: Pop.End
    END_FIELD_NUMBER: _ClassVar[int]
    end: Pop.End
    def __init__(self, end: _Optional[_Union[Pop.End, str]] = ...) -> None: ...

class CurrentDate(_message.Message):
    __slots__ = ("type",)
    class Type(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        TYPE_UNSPECIFIED: _ClassVar[CurrentDate.Type]
        DATE: _ClassVar[CurrentDate.Type]
        TIMESTAMP: _ClassVar[CurrentDate.Type]
    TYPE_UNSPECIFIED: CurrentDate.Type
    DATE: CurrentDate.Type
    TIMESTAMP: CurrentDate.Type
    TYPE_FIELD_NUMBER: _ClassVar[int]
    type: CurrentDate.Type
    def __init__(self, type: _Optional[_Union[CurrentDate.Type, str]] = ...) -> None: ...
