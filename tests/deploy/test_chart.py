"""The Helm chart: rendered by a real Helm, valid under Kubernetes' schemas, and agreeing with the proxy."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.config import ProxyConfig, load_collections, load_config
from proxy.core.collection import Collection
from tests.deploy.chart import (
    CHART,
    ROOT,
    VERSIONS,
    Resource,
    find_helm,
    helm,
    mistakes,
    only,
    refusal,
    render,
)

pytestmark = pytest.mark.skipif(
    not find_helm(),
    reason="no Helm on this machine (scripts/helm sees to one where the Python index is reached)",
)

SECURE = (
    "insecure=false",
    "tls.existingSecret=certificate",
    "access.existingSecret=access",
    "access.staticTokensKey=tokens",
)
EVERYTHING = (
    *SECURE,
    "tls.clientCaKey=ca.crt",
    "autoscaling.enabled=true",
    "dynamodb.endpoint=http://dynamodb:8000",
    "telemetry.otlpEndpoint=http://collector:4317",
    "telemetry.traceRate=1",
    "extraEnvironment.CROSSFADE_DEFAULT_DEADLINE=20",
    "serviceAccount.annotations.role=writer",
    "nodeSelector.disk=ssd",
    "priorityClassName=high",
    "podLabels.team=data",
    "imagePullSecrets[0].name=registry",
    "tolerations[0].key=spot",
    "service.annotations.internal=yes",
)
NOTHING = ("telemetry.metrics=false", "service.headless=false", "serviceAccount.create=false")


@pytest.fixture
def values(tmp_path: Path) -> Path:
    """The least that a person has to say."""
    file = tmp_path / "values.yaml"
    declared = yaml.safe_load((ROOT / "examples" / "collections.yaml").read_text())
    said = {"secrets": {"existingSecret": "stores"}, "insecure": True, "collections": declared}
    file.write_text(yaml.safe_dump(said))
    return file


def test_helm_lints_it_strictly(values: Path) -> None:
    done = helm("lint", "--strict", str(CHART), "--values", str(values))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("settings", [(), EVERYTHING, NOTHING], ids=["least", "everything", "nothing"])
def test_kubernetes_knows_every_field(values: Path, settings: tuple[str, ...]) -> None:
    resources = render(values, *settings)
    assert len(resources) >= 4
    found = [mistakes(one, version) for one in resources for version in VERSIONS]
    assert list(filter(None, found)) == []


def test_the_schemas_would_find_a_mistake(values: Path) -> None:
    deployment = only(render(values), "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    assert "readynessProbe" in mistakes(deployment, VERSIONS[-1])


def test_the_proxy_reads_what_it_is_told(values: Path) -> None:
    known = {field.metadata["variable"] for field in dataclasses.fields(ProxyConfig)}
    environment = environment_of(render(values, *EVERYTHING))
    assert len(environment) > 18
    assert environment.keys() <= known
    config = load_config(environment)
    assert config.trace_rate == 1
    assert config.listen.endswith(":50051")


def test_the_example_of_the_docs_makes_a_proxy_that_starts(tmp_path: Path) -> None:
    [example] = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "deploying.md").read_text(), re.DOTALL)
    file = tmp_path / "values.yaml"
    file.write_text(example)
    config = load_config(environment_of(render(file)))
    assert config.tls_cert and config.access and config.static_tokens
    assert load_config(environment_of(render(file, "tls.clientCaKey=ca.crt"))).tls_client_ca


def test_the_collections_are_the_ones_that_were_given(values: Path, tmp_path: Path) -> None:
    text = only(render(values), "ConfigMap")["data"]["collections.yaml"]
    file = tmp_path / "collections.yaml"
    file.write_text(text)
    declared = load_collections(str(ROOT / "examples" / "collections.yaml"))
    assert sorted(load_collections(str(file)), key=name_of) == sorted(declared, key=name_of)


@pytest.mark.parametrize("settings", [(), EVERYTHING], ids=["least", "everything"])
def test_a_pod_runs_as_nobody_and_can_write_nowhere(values: Path, settings: tuple[str, ...]) -> None:
    pod = pod_of(render(values, *settings))
    [container] = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert f"USER {pod['securityContext']['runAsUser']}:" in (ROOT / "deploy" / "Dockerfile").read_text()
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["requests"] and container["resources"]["limits"]["memory"]
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"] if not mount.get("readOnly")} == {"scratch"}


def test_no_secret_is_made_or_shown(values: Path) -> None:
    resources = render(values, *EVERYTHING)
    assert "Secret" not in {resource["kind"] for resource in resources}
    secret = {one["name"] for one in container_of(resources)["env"] if "valueFrom" in one}
    assert secret == {"CROSSFADE_MONGODB_URI", "CROSSFADE_PAGE_TOKEN_KEY"}


def test_a_pod_that_ends_is_given_the_time_to_drain(values: Path) -> None:
    settings = ("graceSeconds=40", "drainDelaySeconds=7")
    resources = render(values, *settings)
    pod, container = pod_of(resources), container_of(resources)
    assert container["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "7"]
    grace = load_config(environment_of(resources)).grace_seconds
    assert pod["terminationGracePeriodSeconds"] >= 7 + grace + 10
    strategy = only(resources, "Deployment")["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxSurge": 1, "maxUnavailable": 0}


def test_a_pod_refuses_calls_before_it_is_killed_for_its_memory(values: Path) -> None:
    resources = render(values)
    limit = container_of(resources)["resources"]["limits"]["memory"]
    assert limit.endswith("Mi")
    refuses_at = load_config(environment_of(resources)).memory_limit
    assert 300 < refuses_at < 0.95 * int(limit.removesuffix("Mi"))
    assert load_config(environment_of(render(values, "memoryLimit=0"))).memory_limit == 0


def test_probes_ask_the_port_that_is_served(values: Path) -> None:
    container = container_of(render(values))
    assert container["readinessProbe"]["grpc"] == container["startupProbe"]["grpc"] == {"port": 50051}
    assert container["livenessProbe"]["tcpSocket"] == {"port": "grpc"}
    secure = container_of(render(values, *SECURE))
    assert secure["readinessProbe"]["tcpSocket"] == {"port": "grpc"}, "probes of gRPC know no TLS"
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"grpc": 50051, "metrics": 9464}


def test_services_and_budget_select_the_pods(values: Path) -> None:
    resources = render(values)
    labels = only(resources, "Deployment")["spec"]["template"]["metadata"]["labels"]
    services = [one for one in resources if one["kind"] == "Service"]
    selectors = [one["spec"]["selector"] for one in services]
    selectors.append(only(resources, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"])
    assert len(selectors) == 3
    for selector in selectors:
        assert selector.items() <= labels.items()
    assert [one["spec"].get("clusterIP") for one in services] == [None, "None"]


def test_the_autoscaler_has_the_deployment_to_itself(values: Path) -> None:
    resources = render(values, "autoscaling.enabled=true", "autoscaling.maxReplicas=9")
    deployment, scaler = only(resources, "Deployment"), only(resources, "HorizontalPodAutoscaler")
    assert "replicas" not in deployment["spec"]
    assert scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (2, 9)
    assert only(render(values), "Deployment")["spec"]["replicas"] == 2


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("secrets.existingSecret=", "secrets.existingSecret must name"),
        ("collections=null", "collections must declare"),
        ("insecure=false", "asks nobody who they are"),
        ("insecure=false,tls.existingSecret=t,tls.clientCaKey=ca.crt", "asks nobody who they are"),
        ("insecure=false,tls.existingSecret=t,access.existingSecret=a", "lets nobody in"),
        ("replicaCount=1", "replicaCount"),
        ("autoscaling.enabled=true,autoscaling.minReplicas=1", "minReplicas must be 2"),
        ("telemetry.traceRate=2", "traceRate"),
        ("replicas=3", "replicas"),
    ],
)
def test_what_cannot_work_is_refused_with_a_sentence(values: Path, setting: str, says: str) -> None:
    assert says in refusal(values, *setting.split(","))


def test_the_schema_knows_every_value() -> None:
    schema: dict[str, Any] = yaml.safe_load((CHART / "values.schema.json").read_text())
    given = yaml.safe_load((CHART / "values.yaml").read_text())
    assert schema["properties"].keys() - {"global"} == given.keys()
    for name, value in given.items():
        known = schema["properties"][name].get("properties")
        if known is not None:
            assert known.keys() == value.keys(), name


def name_of(collection: Collection) -> str:
    return collection.name


def pod_of(resources: list[Resource]) -> Resource:
    pod: Resource = only(resources, "Deployment")["spec"]["template"]["spec"]
    return pod


def container_of(resources: list[Resource]) -> Resource:
    [container] = pod_of(resources)["containers"]
    found: Resource = container
    return found


def environment_of(resources: list[Resource]) -> dict[str, str]:
    """What the proxy finds in its environment, with secrets made up and no files."""
    made_up = {"CROSSFADE_MONGODB_URI": "mongodb://db", "CROSSFADE_PAGE_TOKEN_KEY": "k" * 32}
    return {one["name"]: one.get("value", made_up.get(one["name"])) for one in container_of(resources)["env"]}
