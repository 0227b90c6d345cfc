"""What a proxy is told at its start, by the collections file, the environment and flags; read here alone.

Every mistake is one sentence that names its place. An environment variable that is empty counts as not set;
a secret may also be given as a file, whose path is in the variable of the same name with `_FILE` at its end.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import secrets
import socket
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from proxy import words
from proxy.core.collection import Collection
from proxy.core.declaration import declare_all
from proxy.core.openings import openings
from proxy.core.policy import Policy, declare_policy
from proxy.faultpoint import Arming, read_armings


class ConfigError(Exception):
    """The proxy cannot start like this: `mistakes` has a sentence for each reason."""

    def __init__(self, *mistakes: str) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


def _setting(
    variable: str,
    default: str | Callable[[], str],
    read: Callable[[str], Any],
    about: str,
    *,
    shown: str = "",
    is_secret: bool = False,
) -> Any:
    """One setting; `default` is written as a person would write it, `shown` where it cannot be shown."""
    metadata = {
        "variable": variable,
        "default": default,
        "read": read,
        "about": about,
        "shown": shown or default,
        "secret": is_secret,
    }
    make = default if callable(default) else lambda: default
    return dataclasses.field(default_factory=lambda: read(make()), metadata=metadata, repr=not is_secret)


def _own_name() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyConfig:
    """What one proxy process is told; docs/settings.md describes each. Durations in seconds."""

    collections_file: str = _setting(
        "CROSSFADE_COLLECTIONS", "collections.yaml", words.text, "The file that declares the collections."
    )
    listen: str = _setting(
        "CROSSFADE_LISTEN", "127.0.0.1:50051", words.address, "Where gRPC is served; port 0 takes a free one."
    )
    reuse_port: bool = _setting(
        "CROSSFADE_REUSE_PORT", "false", words.truth, "Whether several processes may share the port."
    )
    mongodb_uri: str = _setting(
        "CROSSFADE_MONGODB_URI",
        "mongodb://127.0.0.1:27017",
        words.mongodb_uri,
        "The MongoDB replica set, with credentials if it wants any.",
        is_secret=True,
    )
    dynamodb_endpoint: str = _setting(
        "CROSSFADE_DYNAMODB_ENDPOINT",
        "",
        words.endpoint,
        "Another DynamoDB than AWS's own, DynamoDB Local for one.",
    )
    dynamodb_region: str = _setting("AWS_REGION", "us-east-1", words.text, "The AWS region of the tables.")
    control_database: str = _setting(
        "CROSSFADE_CONTROL_DATABASE",
        "crossfade",
        words.name,
        "The MongoDB database of flags, replicas, jobs and the audit trail; who shares it is one proxy.",
    )
    jobs: str = _setting(
        "CROSSFADE_JOBS",
        "asked",
        words.share_of_jobs,
        "The backfills and verifies that this proxy works at: those it is `asked` for, `all` or `none`.",
    )
    replica_id: str = _setting(
        "CROSSFADE_REPLICA_ID",
        _own_name,
        words.text,
        "The name of this process among the replicas; no two may share it.",
        shown="host, process id and four random digits",
    )
    lease_seconds: float = _setting(
        "CROSSFADE_LEASE_SECONDS",
        "3",
        words.some_seconds,
        "How long a replica cut off from the control database still answers reads, and others wait for it.",
    )
    page_token_key: bytes = _setting(
        "CROSSFADE_PAGE_TOKEN_KEY",
        lambda: secrets.token_hex(32),
        words.secret,
        "The secret that authenticates page tokens, the same for all replicas; 16 characters or more.",
        shown="random: tokens are then good at this process only",
        is_secret=True,
    )
    max_calls: int = _setting(
        "CROSSFADE_MAX_CALLS",
        "1000",
        words.count,
        "How many calls about documents may be in hand at once; from half of them on, shares are fair.",
    )
    memory_limit: int = _setting(
        "CROSSFADE_MEMORY_LIMIT",
        "0",
        words.count,
        "Megabytes at which calls are refused, and before which the rest gives way; no limit if 0.",
    )
    max_message: int = _setting(
        "CROSSFADE_MAX_MESSAGE",
        "16",
        words.megabytes,
        "Megabytes that one message may have; larger ones are refused before they are read.",
    )
    default_deadline: float = _setting(
        "CROSSFADE_DEFAULT_DEADLINE", "30", words.some_seconds, "How long a call without a deadline may take."
    )
    grace_seconds: float = _setting(
        "CROSSFADE_GRACE_SECONDS", "10", words.seconds, "How long calls may go on after SIGTERM."
    )
    prometheus_listen: str = _setting(
        "CROSSFADE_PROMETHEUS_LISTEN",
        "",
        words.address_or_nothing,
        "Where metrics are served; nowhere if empty.",
    )
    console: str = _setting(
        "CROSSFADE_CONSOLE",
        "127.0.0.1:8051",
        words.address_or_off,
        "Where the console is served, nowhere if `off`; a taken port is no failure.",
    )
    console_exposed: bool = _setting(
        "CROSSFADE_CONSOLE_EXPOSED",
        "false",
        words.truth,
        "Whether the console may listen beyond loopback although it asks nobody who they are, or not by TLS.",
    )
    tls_cert: str = _setting(
        "CROSSFADE_TLS_CERT",
        "",
        words.text,
        "The file of the certificate chain (PEM) that gRPC and the console show; in the clear if empty.",
    )
    tls_key: str = _setting("CROSSFADE_TLS_KEY", "", words.text, "The file of the certificate's key (PEM).")
    tls_client_ca: str = _setting(
        "CROSSFADE_TLS_CLIENT_CA",
        "",
        words.text,
        "The file of the authorities (PEM) by one of which every client of gRPC has to be certified.",
    )
    access: str = _setting(
        "CROSSFADE_ACCESS",
        "",
        words.text,
        "The file that says who has which role (docs/security.md); everybody may do everything if empty.",
    )
    static_tokens: str = _setting(
        "CROSSFADE_STATIC_TOKENS",
        "",
        words.text,
        "The file of static tokens, a name and the SHA-256 of its token on each line.",
    )
    jwks: str = _setting(
        "CROSSFADE_JWKS",
        "",
        words.jwks,
        "The file or https:// address of the keys that verify signed tokens.",
    )
    jwt_issuer: str = _setting("CROSSFADE_JWT_ISSUER", "", words.text, "Who must have issued a signed token.")
    jwt_audience: str = _setting("CROSSFADE_JWT_AUDIENCE", "", words.text, "Whom a signed token must be for.")
    jwt_groups: str = _setting(
        "CROSSFADE_JWT_GROUPS", "groups", words.text, "The claim of a signed token that lists groups."
    )
    insecure: bool = _setting(
        "CROSSFADE_INSECURE",
        "false",
        words.truth,
        "Whether gRPC may listen beyond loopback although it asks nobody who they are, or not by TLS.",
    )
    otlp_endpoint: str = _setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "",
        words.endpoint,
        "Where metrics and traces are sent by OTLP over gRPC.",
    )
    trace_rate: float = _setting(
        "CROSSFADE_TRACE_RATE", "0", words.share, "The share of calls that are traced."
    )
    log_level: str = _setting(
        "CROSSFADE_LOG_LEVEL", "INFO", words.level, "The least important lines that are logged."
    )
    faultpoints: tuple[Arming, ...] = _setting(
        "CROSSFADE_FAULTPOINTS",
        "",
        read_armings,
        "For tests of faults alone: what befalls this process at which moment (docs/faultpoints.md).",
    )


def add_flags(parser: ArgumentParser) -> None:
    """Give a parser one flag a setting, `--listen` for `listen`; secrets have none."""
    for entry in dataclasses.fields(ProxyConfig):
        if not entry.metadata["secret"]:
            parser.add_argument(flag_of(entry.name), metavar="VALUE", help=entry.metadata["about"])


def flag_of(name: str) -> str:
    return "--" + name.removesuffix("_file").replace("_", "-")


def load_config(
    environment: Mapping[str, str] = os.environ, flags: Mapping[str, str | None] | None = None
) -> ProxyConfig:
    """The settings from flags (by the name of their flag, as argparse has them), else from the environment.

    Raises ConfigError with every mistake. A variable that is almost, but not quite, ours is a mistake too.
    """
    mistakes = list(_misspelt(environment))
    values: dict[str, Any] = {}
    for entry in dataclasses.fields(ProxyConfig):
        try:
            values |= _given(entry, environment, flags or {})
        except ValueError as error:
            mistakes.append(str(error))
    if mistakes:
        raise ConfigError(*mistakes)
    config = ProxyConfig(**values)
    if mistakes := list(openings(config)):
        raise ConfigError(*mistakes)
    return config


def _given(
    entry: dataclasses.Field[Any], environment: Mapping[str, str], flags: Mapping[str, str | None]
) -> dict[str, Any]:
    """The setting by its name if it is given; ValueError with a sentence where it cannot be read."""
    variable = entry.metadata["variable"]
    flag = flags.get(flag_of(entry.name)[2:].replace("-", "_"))
    word = flag if flag is not None else environment.get(variable) or _from_file(environment, variable, entry)
    if word is None:
        return {}
    place = variable if flag is None else flag_of(entry.name)
    try:
        return {entry.name: entry.metadata["read"](word)}
    except ValueError as error:
        but = "" if entry.metadata["secret"] else f", and is {word!r}"
        reason = str(error) if str(error).startswith("must") else "must be a number"
        raise ValueError(f"{place} {reason}{but}") from error


def _from_file(environment: Mapping[str, str], variable: str, entry: dataclasses.Field[Any]) -> str | None:
    path = environment.get(variable + "_FILE")
    if not path or not entry.metadata["secret"]:
        return None
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise ValueError(f"{variable}_FILE names {path}, which cannot be read: {error.strerror}") from error


def _misspelt(environment: Mapping[str, str]) -> Iterator[str]:
    known = [entry.metadata["variable"] for entry in dataclasses.fields(ProxyConfig)]
    for variable in environment:
        if variable.startswith("CROSSFADE_") and variable not in known:
            close = difflib.get_close_matches(variable, known, cutoff=0.9)
            if close and not variable.endswith("_FILE"):
                yield f"{variable} is not a setting: did you mean {close[0]}?"


def load_collections(path: str | Path) -> tuple[Collection, ...]:
    """The collections that a file declares, in its order. Raises ConfigError with a mistake a collection."""
    collections, mistakes = declare_all(_read_yaml(path))
    if mistakes:
        raise ConfigError(*(f"{path}: {mistake}" for mistake in mistakes))
    return tuple(collections)


def load_policy(path: str | Path) -> Policy:
    """The policy that a file declares. Raises ConfigError with a mistake a grant."""
    policy, mistakes = declare_policy(_read_yaml(path))
    if mistakes:
        raise ConfigError(*(f"{path}: {mistake}" for mistake in mistakes))
    return policy


def _read_yaml(path: str | Path) -> Any:
    try:
        return yaml.load(Path(path).read_text(), _Loader)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not YAML: {' '.join(str(error).split())}") from error


class _Loader(yaml.SafeLoader):
    """YAML that does not let a second key of the same name win silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [self.construct_object(key, deep=True) for key, _ in node.value]
        for place, name in enumerate(names):
            if name in names[:place]:
                raise yaml.MarkedYAMLError(problem=f"{name} is there twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)
