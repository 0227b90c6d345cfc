"""The collections file and the environment become what they say, or a sentence says what is wrong where."""

from __future__ import annotations

import dataclasses
import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.config import (
    ConfigError,
    ProxyConfig,
    add_flags,
    flag_of,
    load_collections,
    load_config,
    load_policy,
)
from proxy.core.collection import Collection, FieldType, IndexKind, KeyField, Settings

ROOT = Path(__file__).parents[2]
CRON_JOBS: dict[str, Any] = {
    "mongodb": "extend.cron_jobs",
    "partition": "deployment_key",
    "sort": {"fields": "webtask_container/webtask_name", "attribute": "container_name"},
    "types": {"next_available_at": "number"},
    "indexes": {"work_queue": {"kind": "local", "sort": "next_available_at"}},
}


def load(path: Path, *collections: dict[str, Any], **top: Any) -> tuple[Collection, ...]:
    names = ("cron_jobs", "webtasks")
    data = {"collections": dict(zip(names, collections, strict=False)), **top}
    file = path / "collections.yaml"
    file.write_text(yaml.safe_dump(data, sort_keys=False))
    return load_collections(file)


def mistake(path: Path, *collections: dict[str, Any], **top: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, *collections, **top)
    (sentence,) = caught.value.mistakes
    file, _, rest = sentence.partition(": ")
    assert Path(file) == path / "collections.yaml"
    return rest


def test_the_example_is_what_the_article_chose() -> None:
    found = {
        collection.name: collection for collection in load_collections(ROOT / "examples/collections.yaml")
    }
    assert list(found) == ["webtasks", "webtask_storage", "cron_jobs", "modules"]
    tasks, jobs = found["webtasks"].key, found["cron_jobs"]
    assert (tasks.partition_attribute, tasks.sort_attribute) == ("deployment_container", "webtask_name")
    assert [field.name for field in tasks.partition] == ["deployment_key", "webtask_container"]
    assert (jobs.key.partition_attribute, jobs.key.sort_attribute) == ("deployment_key", "container_name")
    (queue,) = jobs.indexes
    assert (queue.name, queue.kind, queue.partition) == ("work_queue", IndexKind.LOCAL, jobs.key.partition)
    assert queue.sort == (KeyField("next_available_at", FieldType.NUMBER),)
    assert (jobs.mongo_database, jobs.mongo_collection, jobs.table) == ("extend", "cron_jobs", "cron_jobs")


def test_names_and_attributes_have_defaults(tmp_path: Path) -> None:
    (collection,) = load(tmp_path, {"mongodb": "a.b.c", "partition": ["x", "y"]})
    assert (collection.mongo_database, collection.mongo_collection) == ("a", "b.c")
    assert (collection.table, collection.key.partition_attribute) == ("cron_jobs", "x_y")
    assert (collection.key.sort, collection.key.sort_attribute) == ((), None)
    assert collection.settings == Settings()


def test_settings_override_the_defaults_of_the_file(tmp_path: Path) -> None:
    defaults = {"shadow_rate": 0.5, "allow_scan": True}
    settings = {"shadow_rate": 0, "redact": ["a.b"], "recheck_delays": [1]}
    (collection,) = load(tmp_path, {**CRON_JOBS, "settings": settings}, defaults=defaults)
    expected = Settings(shadow_rate=0.0, allow_scan=True, redact=("a.b",), recheck_delays=(1.0,))
    assert collection.settings == expected


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"tabel": "x"}, "tabel is not a setting: there are mongodb, table, partition, sort"),
        (
            {"mongodb": "extend"},
            "mongodb must name where the documents are in MongoDB, as database.collection",
        ),
        ({"mongodb": None}, "mongodb must name"),
        ({"table": "a b"}, "table cannot be 'a b': DynamoDB wants 3 to 255 letters"),
        ({"table": 5}, "table cannot be 5"),
        ({"partition": None}, "partition must name fields"),
        ({"partition": "deployment_key/"}, "partition cannot use the field ''"),
        (
            {"partition": "a.b"},
            "partition cannot use the field 'a.b': keys and indexes are of top-level fields",
        ),
        ({"partition": "$a"}, "partition cannot use the field '$a'"),
        ({"partition": "_cf"}, "partition cannot use the field '_cf'"),
        ({"partition": "a/a"}, "partition names a field twice"),
        ({"partition": [1]}, "partition must name fields"),
        ({"partition": {"fields": "a", "atribute": "b"}}, "partition.atribute is not a setting"),
        ({"partition": {"fields": "a", "attribute": "_ttl"}}, "partition.attribute cannot be '_ttl'"),
        ({"sort": "deployment_key"}, "sort names deployment_key, which is in the partition already"),
        ({"sort": {"fields": "a/b", "attribute": "deployment_key"}}, "partition needs another attribute"),
        (
            {"types": {"next_available_at": "integer"}},
            "types.next_available_at must be one of string, number",
        ),
        ({"types": {"foo": "number"}}, "types.foo is in no key and no index"),
        ({"indexes": []}, "indexes must be a map of names"),
        ({"indexes": {"a": {"kind": "local", "sort": "b"}}}, "indexes.a cannot be 'a': DynamoDB wants"),
        (
            {"indexes": {"key": {"kind": "local", "sort": "b"}}},
            "indexes.key is the name of the collection's own",
        ),
        ({"indexes": {"abc": {"sort": "b"}}}, "indexes.abc.kind must be one of local, global"),
        ({"indexes": {"abc": {"kind": "local"}}}, "indexes.abc.sort is missing"),
        ({"indexes": {"abc": {"kind": "global"}}}, "indexes.abc.partition must name fields"),
        (
            {"indexes": {"abc": {"kind": "local", "sort": "b", "partition": "c"}}},
            "indexes.abc.partition cannot",
        ),
        ({"indexes": {"abc": {"kind": "local", "sort": "b", "project": 1}}}, "indexes.abc.project is not a"),
        (
            {"indexes": {f"ab{n}": {"kind": "local", "sort": f"b{n}"} for n in range(6)}},
            "indexes are more than",
        ),
        ({"settings": {"shadow": 1}}, "settings.shadow is not a setting: there are shadow_rate"),
        ({"settings": {"shadow_rate": 2}}, "settings.shadow_rate must be a number from 0 to 1, and is 2"),
        ({"settings": {"shadow_rate": True}}, "settings.shadow_rate must be a number"),
        ({"settings": {"page_size": 1.5}}, "settings.page_size must be a whole number from 1 to 10000"),
        ({"settings": {"page_size": 2000}}, "settings.page_size is above max_page_size (1000)"),
        ({"settings": {"allow_scan": "yes"}}, "settings.allow_scan must be true or false, and is 'yes'"),
        ({"settings": {"redact": "a"}}, "settings.redact must be a list of dotted paths"),
        ({"settings": {"recheck_delays": [-1]}}, "settings.recheck_delays must be a list of seconds"),
        ({"settings": None}, "settings must be a map of names"),
    ],
)
def test_a_mistake_is_a_sentence_with_its_place(
    tmp_path: Path, change: dict[str, Any], sentence: str
) -> None:
    body = {**CRON_JOBS, **change}
    if "indexes" in change:
        del body["types"]
    assert mistake(tmp_path, body).startswith(f"cron_jobs: {sentence}")


def test_a_missing_partition_is_said(tmp_path: Path) -> None:
    assert mistake(tmp_path, {"mongodb": "a.b"}) == (
        "cron_jobs: partition is missing: name the fields of the partition key"
    )


def test_a_local_index_needs_a_table_with_a_sort_key(tmp_path: Path) -> None:
    body = {"mongodb": "a.b", "partition": "a", "indexes": {"abc": {"kind": "local", "sort": "b"}}}
    assert "indexes.abc.kind cannot be local" in mistake(tmp_path, body)


def test_two_collections_share_no_place(tmp_path: Path) -> None:
    other = {**CRON_JOBS, "mongodb": "extend.webtasks"}
    assert mistake(tmp_path, {**CRON_JOBS, "table": "Jobs"}, {**other, "table": "jobs"}) == (
        "webtasks: table jobs belongs to cron_jobs already"
    )
    assert "webtasks: mongodb extend.cron_jobs belongs to cron_jobs" in mistake(
        tmp_path, CRON_JOBS, CRON_JOBS
    )


def test_every_collection_tells_its_own_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, {**CRON_JOBS, "table": 1}, {"mongodb": "a.b"})
    assert [sentence.split(": ")[1] for sentence in caught.value.mistakes] == ["cron_jobs", "webtasks"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the file must be a map of names"),
        ("[]", "the file must be a map of names"),
        ("colections: {}", "colections is not a setting: there are collections, defaults"),
        ("collections: {}", "collections names none"),
        ("collections:", "collections must be a map of names"),
        ("collections: {a: 1}", "a: must be a map of names"),
        ("collections: {on: {}}", "collections must be a map of names"),
        ("defaults: {shadow: 1}\ncollections: {}", "settings.shadow is not a setting"),
        ("collections: {a: {table: x}, a: {}}", "is not YAML: a is there twice"),
        ("collections: {", "is not YAML: while parsing"),
    ],
)
def test_what_is_no_collections_file_is_said(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "collections.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_collections(file)
    assert str(caught.value).startswith(f"{file}: {sentence}")


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"collections.yaml: cannot be read: No such file"):
        load_collections(tmp_path / "collections.yaml")


def test_a_flag_wins_over_the_environment_and_that_over_the_default() -> None:
    environment = {"CROSSFADE_LISTEN": "localhost:1", "CROSSFADE_LEASE_SECONDS": "1.5", "AWS_REGION": ""}
    config = load_config(environment, {"listen": "127.0.0.1:2", "collections": "x.yaml", "log_level": None})
    assert (config.listen, config.lease_seconds, config.dynamodb_region) == ("127.0.0.1:2", 1.5, "us-east-1")
    assert (config.collections_file, config.log_level) == ("x.yaml", "INFO")


def test_flags_are_those_of_the_settings_that_are_no_secrets() -> None:
    parser = ArgumentParser()
    add_flags(parser)
    flags = vars(parser.parse_args(["--listen", "[::1]:5", "--lease-seconds", "2"]))
    config = load_config({}, flags)
    assert (config.listen, config.lease_seconds) == ("[::1]:5", 2.0)
    assert not {"mongodb_uri", "page_token_key"} & flags.keys()


def test_each_process_has_its_own_name_and_its_own_secret() -> None:
    one, other = load_config({}), load_config({})
    assert one.replica_id != other.replica_id
    assert one.page_token_key != other.page_token_key


def test_secrets_come_from_files_and_are_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("correct horse battery staple\n")
    uri = "mongodb://me:hunter2@db/"
    config = load_config({"CROSSFADE_PAGE_TOKEN_KEY_FILE": str(file), "CROSSFADE_MONGODB_URI": uri})
    assert (config.page_token_key, config.mongodb_uri) == (b"correct horse battery staple", uri)
    assert "horse" not in repr(config)
    assert "hunter2" not in repr(config)


@pytest.mark.parametrize(
    ("variable", "word", "sentence"),
    [
        ("CROSSFADE_LISTEN", "50051", "CROSSFADE_LISTEN must be host:port, and is '50051'"),
        ("CROSSFADE_LISTEN", "a:99999", "CROSSFADE_LISTEN must be host:port, and is 'a:99999'"),
        ("CROSSFADE_LEASE_SECONDS", "soon", "CROSSFADE_LEASE_SECONDS must be a number, and is 'soon'"),
        (
            "CROSSFADE_LEASE_SECONDS",
            "nan",
            "CROSSFADE_LEASE_SECONDS must be seconds from 0.1 to 3600, and is 'nan'",
        ),
        (
            "CROSSFADE_MAX_MESSAGE",
            "0",
            "CROSSFADE_MAX_MESSAGE must be whole megabytes from 1 to 1024, and is '0'",
        ),
        ("CROSSFADE_REUSE_PORT", "yes", "CROSSFADE_REUSE_PORT must be true or false, and is 'yes'"),
        ("CROSSFADE_TRACE_RATE", "2", "CROSSFADE_TRACE_RATE must be a number from 0 to 1, and is '2'"),
        (
            "CROSSFADE_LOG_LEVEL",
            "loud",
            "CROSSFADE_LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR, and is 'loud'",
        ),
        (
            "CROSSFADE_CONTROL_DATABASE",
            "a/b",
            "CROSSFADE_CONTROL_DATABASE must be the name of a MongoDB database",
        ),
        ("CROSSFADE_DYNAMODB_ENDPOINT", "db:8000", "CROSSFADE_DYNAMODB_ENDPOINT must begin with http:// or"),
        (
            "CROSSFADE_MONGODB_URI",
            "me:secret@db",
            "CROSSFADE_MONGODB_URI must begin with mongodb:// or mongodb+srv://",
        ),
        ("CROSSFADE_PAGE_TOKEN_KEY", "short", "CROSSFADE_PAGE_TOKEN_KEY must have at least 16 characters"),
        (
            "CROSSFADE_PAGE_TOKEN_KEY_FILE",
            "/nowhere",
            "CROSSFADE_PAGE_TOKEN_KEY_FILE names /nowhere, which cannot",
        ),
        ("CROSSFADE_LISTN", "x", "CROSSFADE_LISTN is not a setting: did you mean CROSSFADE_LISTEN?"),
    ],
)
def test_a_mistake_in_the_environment_is_a_sentence(variable: str, word: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config({variable: word})
    assert str(caught.value).startswith(sentence)
    assert "secret" not in str(caught.value)


ASKED = {"CROSSFADE_ACCESS": "access.yaml", "CROSSFADE_STATIC_TOKENS": "tokens"}
SHOWN = {"CROSSFADE_TLS_CERT": "proxy.pem", "CROSSFADE_TLS_KEY": "proxy.key"}
PLACES = ("0.0.0.0:1", "[::]:1", "10.0.0.1:1", "proxy.internal:1", "localhost.evil.example:1")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("variable", "allowance"),
    [("CROSSFADE_LISTEN", "CROSSFADE_INSECURE"), ("CROSSFADE_CONSOLE", "CROSSFADE_CONSOLE_EXPOSED")],
)
def test_beyond_loopback_callers_are_asked_by_tls_unless_told_otherwise(
    place: str, variable: str, allowance: str
) -> None:
    for given, lacking in (({}, "asks nobody"), (SHOWN, "asks nobody"), (ASKED, "in the clear")):
        with pytest.raises(ConfigError, match=lacking) as caught:
            load_config({variable: place} | given)
        assert f"set {allowance}=true" in str(caught.value)
        load_config({variable: place, allowance: "true"} | given)
    load_config({variable: place} | ASKED | SHOWN)


def test_without_anything_configured_everything_is_on_loopback() -> None:
    config = load_config({})
    assert (config.listen, config.console) == ("127.0.0.1:50051", "127.0.0.1:8051")
    assert (config.insecure, config.console_exposed) == (False, False)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"CROSSFADE_TLS_CERT": "a"}, "go together"),
        ({"CROSSFADE_TLS_KEY": "a"}, "go together"),
        ({"CROSSFADE_TLS_CLIENT_CA": "a"}, "go together"),
        ({"CROSSFADE_STATIC_TOKENS": "a"}, "CROSSFADE_ACCESS is needed"),
        ({"CROSSFADE_ACCESS": "a"}, "lets nobody in"),
        (ASKED | {"CROSSFADE_JWKS": "a"}, "CROSSFADE_JWT_AUDIENCE go together"),
        (ASKED | {"CROSSFADE_JWKS": "a", "CROSSFADE_JWT_ISSUER": "b"}, "go together"),
        (ASKED | {"CROSSFADE_JWT_AUDIENCE": "a"}, "go together"),
        ({"CROSSFADE_JWKS": "http://issuer.example/keys"}, "must be a file or begin with https://"),
    ],
)
def test_half_of_a_protection_is_a_mistake(given: dict[str, str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        load_config(given)


def test_a_policy_comes_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "access.yaml"
    file.write_text('grants: [{who: "token:app", role: writer}, {who: app, role: writer}]')
    with pytest.raises(ConfigError, match=r"access.yaml: grants\[1\] who must begin"):
        load_policy(file)


def test_variables_of_others_are_left_alone() -> None:
    load_config({"CROSSFADE_SERVICE_HOST": "10.0.0.1", "CROSSFADE_PORT": "tcp://10.0.0.1:50051"})


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config({"CROSSFADE_LISTEN": "x", "CROSSFADE_TRACE_RATE": "x"})
    assert len(caught.value.mistakes) == 2


DOCS = (ROOT / "docs" / "settings.md").read_text()


def rows(heading: str) -> dict[str, list[str]]:
    """The table under a heading: the cells of a row by the first, without its quotes."""
    section = DOCS.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return {cells[0].strip(" `"): [cell.strip() for cell in cells[1:]] for cells in lines}


def test_the_settings_of_the_process_are_described_as_they_are() -> None:
    described = rows("The process")
    fields = dataclasses.fields(ProxyConfig)
    assert list(described) == [entry.metadata["variable"] for entry in fields]
    assert len(fields) > 10
    for entry in fields:
        flag, default, about = described[entry.metadata["variable"]]
        assert flag == ("" if entry.metadata["secret"] else f"`{flag_of(entry.name)}`")
        assert default.strip("`") == entry.metadata["shown"]
        assert about == entry.metadata["about"]


def test_the_settings_of_a_collection_are_described_as_they_are() -> None:
    described = rows("Settings of a collection")
    fields = dataclasses.fields(Settings)
    assert list(described) == [entry.name for entry in fields]
    for entry in fields:
        default, about = described[entry.name]
        value = list(entry.default) if isinstance(entry.default, tuple) else entry.default
        assert default == f"`{json.dumps(value)}`"
        assert about.endswith((".", "all."))


def test_the_example_in_the_settings_is_a_collections_file(tmp_path: Path) -> None:
    example = DOCS.partition("```yaml\n")[2].partition("```")[0]
    file = tmp_path / "collections.yaml"
    file.write_text(example)
    (collection,) = load_collections(file)
    assert (len(collection.indexes), collection.settings.shadow_rate) == (2, 0.1)
