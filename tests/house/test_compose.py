"""docker-compose.yml and the image agree with the code and with each other (no engine needed)."""

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from proxy.config import ProxyConfig, load_collections, load_config
from proxy.embedded.containers import DYNAMODB_IMAGE, MONGODB_IMAGE

_ROOT = Path(__file__).resolve().parents[2]
_COMPOSE: dict[str, Any] = yaml.safe_load((_ROOT / "docker-compose.yml").read_text())
_SERVICES: dict[str, dict[str, Any]] = _COMPOSE["services"]
_DOCKERFILE = (_ROOT / "deploy" / "Dockerfile").read_text()
_PINNED = re.compile(r"^[a-z0-9./-]+:v?\d+\.\d+\.\d+[a-z0-9.-]*$")


def _proxies() -> dict[str, dict[str, Any]]:
    return {name: service for name, service in _SERVICES.items() if name.startswith("proxy-")}


def _mounted_files() -> list[str]:
    """What is mounted from the repository, as paths relative to it."""
    volumes = [volume for service in _SERVICES.values() for volume in service.get("volumes", [])]
    return sorted({volume.split(":")[0] for volume in volumes if volume.startswith("./")})


def test_there_are_both_stores_two_proxies_and_telemetry() -> None:
    telemetry = {"otel-collector", "jaeger", "prometheus", "grafana"}
    assert _SERVICES.keys() == {"mongo", "dynamodb", *telemetry, *_proxies()}
    assert len(_proxies()) == 2


def test_images_are_pinned_to_a_full_version() -> None:
    images = [service["image"] for service in _SERVICES.values()]
    images += re.findall(r"^FROM (\S+)", _DOCKERFILE, re.MULTILINE)
    assert len(images) == 10
    assert [image for image in images if not _PINNED.match(image)] == []


def test_the_stores_are_those_that_testcontainers_starts() -> None:
    assert _SERVICES["mongo"]["image"] == MONGODB_IMAGE
    assert _SERVICES["dynamodb"]["image"] == DYNAMODB_IMAGE


def test_published_ports_are_distinct_and_loopback_only() -> None:
    ports = [port for service in _SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) >= 5
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert len({port.split(":")[1] for port in ports}) == len(ports)


def test_proxies_listen_where_the_image_and_the_ports_say() -> None:
    for proxy in _proxies().values():
        listening = proxy["environment"]["CROSSFADE_LISTEN"].rpartition(":")[2]
        console = proxy["environment"]["CROSSFADE_CONSOLE"].rpartition(":")[2]
        assert [port.rpartition(":")[2] for port in proxy["ports"]] == [listening, console]
        assert f"EXPOSE {listening}\n" in _DOCKERFILE
        assert f"127.0.0.1:{listening}'" in _DOCKERFILE


def test_proxies_wait_for_stores_that_have_healthchecks() -> None:
    for proxy in _proxies().values():
        assert proxy["depends_on"].keys() == {"mongo", "dynamodb"}
    assert all("healthcheck" in _SERVICES[name] for name in ("mongo", "dynamodb"))


def test_addresses_name_services_of_this_file() -> None:
    environment = _SERVICES["proxy-1"]["environment"]
    addresses = [value for value in environment.values() if "://" in value]
    assert len(addresses) == 3
    for address in addresses:
        host, port = re.fullmatch(r"\w+://([^:/]+):(\d+).*", address).groups()  # type: ignore[union-attr]
        assert host in _SERVICES
        assert _listens(host, port)


def test_the_replica_set_has_one_name() -> None:
    mongo = _SERVICES["mongo"]
    name = mongo["command"][mongo["command"].index("--replSet") + 1]
    assert f"_id: '{name}'" in mongo["healthcheck"]["test"][-1]
    uri = _SERVICES["proxy-1"]["environment"]["CROSSFADE_MONGODB_URI"]
    assert uri.endswith(f"replicaSet={name}")


def test_prometheus_scrapes_what_the_proxies_serve() -> None:
    prometheus = yaml.safe_load((_ROOT / "deploy" / "prometheus.yaml").read_text())
    served = {
        f"{name}:{proxy['environment']['CROSSFADE_PROMETHEUS_LISTEN'].rpartition(':')[2]}"
        for name, proxy in _proxies().items()
    }
    (job,) = prometheus["scrape_configs"]
    (static,) = job["static_configs"]
    assert set(static["targets"]) == served
    mounts = _mounts("prometheus")
    assert [mounts[file] for file in prometheus["rule_files"]] == ["./deploy/alerts.yaml"]


def test_grafana_is_given_its_source_and_its_dashboards() -> None:
    mounts = _mounts("grafana")
    provisioning = _ROOT / mounts["/etc/grafana/provisioning"]
    for file in ("prometheus.yaml", "jaeger.yaml"):
        (source,) = yaml.safe_load((provisioning / "datasources" / file).read_text())["datasources"]
        host, port = re.fullmatch(r"http://([^:/]+):(\d+)", source["url"]).groups()  # type: ignore[union-attr]
        assert _listens(host, port)
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "crossfade.yaml").read_text())["providers"]
    inside = provider["options"]["path"]
    dashboards = {path.name for path in (_ROOT / mounts[inside]).glob("*.json")}
    assert len(dashboards) == 4
    home = _SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home in {f"{inside}/{name}" for name in dashboards}


def test_the_collector_takes_what_its_pipelines_name() -> None:
    collector = yaml.safe_load((_ROOT / "deploy" / "otel-collector.yaml").read_text())
    assert collector["service"]["pipelines"].keys() == {"metrics", "traces"}
    assert collector["exporters"]["otlp/jaeger"]["endpoint"].partition(":")[0] in _SERVICES
    for pipeline in collector["service"]["pipelines"].values():
        for kind in ("receivers", "processors", "exporters"):
            assert set(pipeline[kind]) <= collector[kind].keys()


def test_the_image_runs_as_nobody_and_copies_what_exists() -> None:
    last_stage = _DOCKERFILE.rpartition("FROM ")[2]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", last_stage, re.MULTILINE)
    copied = [
        name
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", _DOCKERFILE, re.MULTILINE)
        for name in line.split()
    ]
    assert len(copied) == 4
    assert [name for name in copied if not (_ROOT / name).exists()] == []
    ignored = (_ROOT / ".dockerignore").read_text().splitlines()
    assert {f"!{name}" for name in copied} <= set(ignored)


def test_mounted_files_exist() -> None:
    assert len(_mounted_files()) == 6
    assert [path for path in _mounted_files() if not (_ROOT / path).exists()] == []


def test_settings_are_ones_that_the_proxy_reads() -> None:
    settings = {f.metadata["variable"] for f in dataclasses.fields(ProxyConfig)}
    given = _environment()
    assert {name for name in given if not name.startswith("AWS_")} <= settings
    config = load_config(given)
    assert config.otlp_endpoint == given["OTEL_EXPORTER_OTLP_ENDPOINT"]
    (stop_grace,) = {proxy["stop_grace_period"] for proxy in _proxies().values()}
    assert config.grace_seconds < float(stop_grace.removesuffix("s"))


def test_the_mounted_collections_can_be_loaded() -> None:
    inside = _environment()["CROSSFADE_COLLECTIONS"]
    (mounted,) = [v for v in _SERVICES["proxy-1"]["volumes"] if v.split(":")[1] == inside]
    assert load_collections(_ROOT / mounted.split(":")[0])


def test_the_image_starts_a_command_that_the_proxy_has() -> None:
    entrypoint, command = (
        json.loads(re.search(rf"^{word} (\[.*\])$", _DOCKERFILE, re.MULTILINE)[1])  # type: ignore[index]
        for word in ("ENTRYPOINT", "CMD")
    )
    assert entrypoint[:2] == ["python", "-m"]
    asked = [sys.executable, *entrypoint[1:], *command, "--help"]
    assert subprocess.run(asked, cwd=_ROOT, capture_output=True, check=True).stdout


def _mounts(service: str) -> dict[str, str]:
    """What a service finds where: paths inside, and those of the repository."""
    return {inside: path for path, inside, *_ in (v.split(":") for v in _SERVICES[service]["volumes"])}


def _environment() -> dict[str, str]:
    """A proxy's environment as compose hands it over when the caller's sets nothing."""
    default = re.compile(r"\$\{\w+:-(.*)\}")
    environment: dict[str, str] = _SERVICES["proxy-1"]["environment"]
    return {name: default.sub(r"\1", value) for name, value in environment.items()}


def _listens(service: str, port: str) -> bool:
    published = [entry.rpartition(":")[2] for entry in _SERVICES[service].get("ports", [])]
    collector = (_ROOT / "deploy" / "otel-collector.yaml").read_text()
    return port in published or (service == "otel-collector" and f":{port}\n" in collector)
