import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from promptwire.v1 import chain_pb2 as _chain_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Chain(_message.Message):
    __slots__ = ("name", "description", "latest_version", "version_count", "labels", "create_time", "update_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    LATEST_VERSION_FIELD_NUMBER: _ClassVar[int]
    VERSION_COUNT_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    latest_version: int
    version_count: int
    labels: _containers.RepeatedCompositeFieldContainer[ChainLabel]
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., latest_version: _Optional[int] = ..., version_count: _Optional[int] = ..., labels: _Optional[_Iterable[_Union[ChainLabel, _Mapping]]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ChainVersion(_message.Message):
    __slots__ = ("chain_name", "version", "chain_hash", "spec", "note", "labels", "create_time", "created_by", "archived", "archive_time")
    CHAIN_NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CHAIN_HASH_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_FIELD_NUMBER: _ClassVar[int]
    ARCHIVED_FIELD_NUMBER: _ClassVar[int]
    ARCHIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    chain_name: str
    version: int
    chain_hash: str
    spec: _chain_pb2.ChainSpec
    note: str
    labels: _containers.RepeatedScalarFieldContainer[str]
    create_time: _timestamp_pb2.Timestamp
    created_by: str
    archived: bool
    archive_time: _timestamp_pb2.Timestamp
    def __init__(self, chain_name: _Optional[str] = ..., version: _Optional[int] = ..., chain_hash: _Optional[str] = ..., spec: _Optional[_Union[_chain_pb2.ChainSpec, _Mapping]] = ..., note: _Optional[str] = ..., labels: _Optional[_Iterable[str]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., created_by: _Optional[str] = ..., archived: bool = ..., archive_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ChainLabel(_message.Message):
    __slots__ = ("chain_name", "label", "targets", "etag", "update_time", "updated_by", "note")
    CHAIN_NAME_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATED_BY_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    chain_name: str
    label: str
    targets: _containers.RepeatedCompositeFieldContainer[ChainLabelTarget]
    etag: str
    update_time: _timestamp_pb2.Timestamp
    updated_by: str
    note: str
    def __init__(self, chain_name: _Optional[str] = ..., label: _Optional[str] = ..., targets: _Optional[_Iterable[_Union[ChainLabelTarget, _Mapping]]] = ..., etag: _Optional[str] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_by: _Optional[str] = ..., note: _Optional[str] = ...) -> None: ...

class ChainLabelTarget(_message.Message):
    __slots__ = ("version", "weight")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    version: int
    weight: int
    def __init__(self, version: _Optional[int] = ..., weight: _Optional[int] = ...) -> None: ...

class ChainLabelSplit(_message.Message):
    __slots__ = ("targets",)
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    targets: _containers.RepeatedCompositeFieldContainer[ChainLabelTarget]
    def __init__(self, targets: _Optional[_Iterable[_Union[ChainLabelTarget, _Mapping]]] = ...) -> None: ...

class RegisterChainRequest(_message.Message):
    __slots__ = ("request_id", "spec", "note", "validate_only")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    spec: _chain_pb2.ChainSpec
    note: str
    validate_only: bool
    def __init__(self, request_id: _Optional[str] = ..., spec: _Optional[_Union[_chain_pb2.ChainSpec, _Mapping]] = ..., note: _Optional[str] = ..., validate_only: bool = ...) -> None: ...

class RegisterChainResponse(_message.Message):
    __slots__ = ("version", "created", "faults", "chain_hash")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    FAULTS_FIELD_NUMBER: _ClassVar[int]
    CHAIN_HASH_FIELD_NUMBER: _ClassVar[int]
    version: ChainVersion
    created: bool
    faults: _containers.RepeatedCompositeFieldContainer[_chain_pb2.ChainFault]
    chain_hash: str
    def __init__(self, version: _Optional[_Union[ChainVersion, _Mapping]] = ..., created: bool = ..., faults: _Optional[_Iterable[_Union[_chain_pb2.ChainFault, _Mapping]]] = ..., chain_hash: _Optional[str] = ...) -> None: ...

class GetChainRequest(_message.Message):
    __slots__ = ("chain",)
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    chain: _chain_pb2.ChainRef
    def __init__(self, chain: _Optional[_Union[_chain_pb2.ChainRef, _Mapping]] = ...) -> None: ...

class GetChainResponse(_message.Message):
    __slots__ = ("chain", "version")
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    chain: Chain
    version: ChainVersion
    def __init__(self, chain: _Optional[_Union[Chain, _Mapping]] = ..., version: _Optional[_Union[ChainVersion, _Mapping]] = ...) -> None: ...

class ListChainsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "name_prefix", "include_archived")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    NAME_PREFIX_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_ARCHIVED_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    name_prefix: str
    include_archived: bool
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., name_prefix: _Optional[str] = ..., include_archived: bool = ...) -> None: ...

class ListChainsResponse(_message.Message):
    __slots__ = ("chains", "next_page_token")
    CHAINS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    chains: _containers.RepeatedCompositeFieldContainer[Chain]
    next_page_token: str
    def __init__(self, chains: _Optional[_Iterable[_Union[Chain, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListChainVersionsRequest(_message.Message):
    __slots__ = ("chain_name", "page_size", "page_token", "include_archived", "include_spec")
    CHAIN_NAME_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_ARCHIVED_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_SPEC_FIELD_NUMBER: _ClassVar[int]
    chain_name: str
    page_size: int
    page_token: str
    include_archived: bool
    include_spec: bool
    def __init__(self, chain_name: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., include_archived: bool = ..., include_spec: bool = ...) -> None: ...

class ListChainVersionsResponse(_message.Message):
    __slots__ = ("versions", "next_page_token")
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    versions: _containers.RepeatedCompositeFieldContainer[ChainVersion]
    next_page_token: str
    def __init__(self, versions: _Optional[_Iterable[_Union[ChainVersion, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class SetChainLabelRequest(_message.Message):
    __slots__ = ("request_id", "chain_name", "label", "version", "split", "etag", "note")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CHAIN_NAME_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    chain_name: str
    label: str
    version: int
    split: ChainLabelSplit
    etag: str
    note: str
    def __init__(self, request_id: _Optional[str] = ..., chain_name: _Optional[str] = ..., label: _Optional[str] = ..., version: _Optional[int] = ..., split: _Optional[_Union[ChainLabelSplit, _Mapping]] = ..., etag: _Optional[str] = ..., note: _Optional[str] = ...) -> None: ...

class SetChainLabelResponse(_message.Message):
    __slots__ = ("label", "previous_targets")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_TARGETS_FIELD_NUMBER: _ClassVar[int]
    label: ChainLabel
    previous_targets: _containers.RepeatedCompositeFieldContainer[ChainLabelTarget]
    def __init__(self, label: _Optional[_Union[ChainLabel, _Mapping]] = ..., previous_targets: _Optional[_Iterable[_Union[ChainLabelTarget, _Mapping]]] = ...) -> None: ...

class ListChainLabelsRequest(_message.Message):
    __slots__ = ("chain_name", "page_size", "page_token")
    CHAIN_NAME_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    chain_name: str
    page_size: int
    page_token: str
    def __init__(self, chain_name: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListChainLabelsResponse(_message.Message):
    __slots__ = ("labels", "next_page_token")
    LABELS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    labels: _containers.RepeatedCompositeFieldContainer[ChainLabel]
    next_page_token: str
    def __init__(self, labels: _Optional[_Iterable[_Union[ChainLabel, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeleteChainLabelRequest(_message.Message):
    __slots__ = ("request_id", "chain_name", "label", "etag")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CHAIN_NAME_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    chain_name: str
    label: str
    etag: str
    def __init__(self, request_id: _Optional[str] = ..., chain_name: _Optional[str] = ..., label: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class DeleteChainLabelResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ArchiveChainVersionRequest(_message.Message):
    __slots__ = ("request_id", "chain_name", "version", "restore")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CHAIN_NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RESTORE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    chain_name: str
    version: int
    restore: bool
    def __init__(self, request_id: _Optional[str] = ..., chain_name: _Optional[str] = ..., version: _Optional[int] = ..., restore: bool = ...) -> None: ...

class ArchiveChainVersionResponse(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: ChainVersion
    def __init__(self, version: _Optional[_Union[ChainVersion, _Mapping]] = ...) -> None: ...
