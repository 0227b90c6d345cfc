"""Coverage-guided fuzzing of what reads bytes from outside: `python -m tests.fuzz.guided TARGET SECONDS`.

A target may refuse what it is given, by an error of the tree; whatever else it raises is a finding. Prints
how many inputs it tried; exits 0 only if nothing was found.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atheris
from google.protobuf.message import DecodeError, Message
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import HypothesisWarning

from tests.fuzz import grammar

with atheris.instrument_imports(include=["proxy"]):
    from crossfade.v1 import document_pb2, migration_pb2, storage_pb2
    from proxy.api.translate.documents import read_document, write_document
    from proxy.api.translate.paging import Pages, place_of, row_of
    from proxy.api.translate.targets import read_condition
    from proxy.api.translate.updates import read_update
    from proxy.core.document import Document
    from proxy.core.errors import CrossfadeError
    from proxy.core.filter import EVERYTHING
    from proxy.core.keys import Key, key_of
    from proxy.core.keytext import decode_partition, decode_sort, encode_partition, encode_sort
    from proxy.core.matching import matches
    from proxy.core.modification import modify
    from proxy.core.page_token import decode_token
    from proxy.core.planner import plan
    from proxy.core.version import Record, Version, parse_etag
    from proxy.stores.dynamo.codec import Codec
    from tests.fuzz.twins import twin

PLACE = twin("guided", "guided")
CODEC = Codec(PLACE)
PLAN = plan(PLACE, EVERYTHING)
SECRET = b"k" * 32
SAMPLE = {"tenant": "t", "area": "a", "name": "n", "part": 1, "a": {"b": [1, "x", None]}, "c": [{"b": 1.5}]}


def documents(data: bytes) -> None:
    """What is read as a document comes back to the byte, from the contract and from DynamoDB's items."""
    document = read_document(document_pb2.Document.FromString(data))
    again = document_pb2.Document()
    write_document(again, document)
    assert read_document(again) == document
    key = key_of(PLACE, document.fields)
    item = CODEC.encode(Record(key, Version(1, 1), b"o" * 16, (), document))
    back = CODEC.decode(json.loads(json.dumps(item)))
    assert back.document == document and back.key == key


def filters(data: bytes) -> None:
    """A filter that is taken can be planned and applied to any document."""
    filter = read_condition(storage_pb2.Filter.FromString(data))
    matches(filter, SAMPLE)
    plan(PLACE, filter)


def updates(data: bytes) -> None:
    """An update that is taken leaves a document that can be stored, or is refused for it."""
    update = read_update(storage_pb2.Update.FromString(data))
    Document(modify(update, SAMPLE, inserting=False, now=0)).to_bson()


def tokens(data: bytes) -> None:
    """Nobody but the proxy makes a token or an etag that is taken for more than it is."""
    text = data.decode("utf-8", "replace")
    with contextlib.suppress(CrossfadeError):
        parse_etag(text)
    for read in (row_of, place_of):
        with contextlib.suppress(CrossfadeError):
            read(text)
    for refuse in (_read_list_token, _read_token):
        with contextlib.suppress(CrossfadeError):
            refuse(text)
            raise AssertionError("a made-up token was taken")


def _read_list_token(text: str) -> None:
    Pages(SECRET).read(migration_pb2.ListDivergencesRequest(page_token=text or "x"))


def _read_token(text: str) -> None:
    decode_token(SECRET, PLACE.name, PLAN, text)


def keys(data: bytes) -> None:
    """A key's text leads back to the key: no two keys have the same."""
    provider = atheris.FuzzedDataProvider(data)
    texts = [provider.ConsumeUnicodeNoSurrogates(12) for _ in range(3)]
    values = (*texts, provider.ConsumeInt(8))
    fields = dict(zip(("tenant", "area", "name", "part"), values, strict=True))
    key = key_of(PLACE, fields)
    partition, sort = key.values[:2], key.values[2:]
    told = decode_partition(PLACE.key, encode_partition(PLACE.key, partition))
    assert Key((*told, *decode_sort(PLACE.key, encode_sort(PLACE.key, sort)))) == key


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (documents, filters, updates, tokens, keys)
}


SEEDS: dict[str, Any] = {
    "documents": grammar.documents(),
    "filters": grammar.partition_filters(),
    "updates": grammar.updates,
}


def plant(corpus: Path, name: str) -> None:
    """Good messages to begin with, where there is a grammar of them."""
    corpus.mkdir(parents=True, exist_ok=True)
    if name not in SEEDS or any(corpus.iterdir()):
        return

    @settings(max_examples=150, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(SEEDS[name])
    def keep(message: Message) -> None:
        data = message.SerializeToString(deterministic=True)
        (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)

    keep()


def main(name: str, seconds: str) -> None:
    warnings.simplefilter("ignore", HypothesisWarning)
    target, tried = TARGETS[name], 0

    def one(data: bytes) -> None:
        nonlocal tried
        tried += 1
        if tried % 100 == 1:
            print(f"tried {tried}", flush=True)
        with contextlib.suppress(CrossfadeError, DecodeError):
            target(data)

    corpus = Path("build", "fuzz", name)
    plant(corpus, name)
    flags = [
        str(corpus),
        f"-max_total_time={seconds}",
        "-max_len=512",
        "-verbosity=0",
        f"-artifact_prefix={corpus}-",
    ]
    atheris.Setup([sys.argv[0], *flags], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
