"""The Kubernetes manifests: built by kustomize, held against the API's schemas, and their pods' commands run here."""

import json
import re
import shutil
import subprocess
from typing import Any

import pytest

from tests.acceptance.stack import TOKEN
from tests.artefacts.image import DOCKERFILE, ROOT, instructions
from tests.artefacts.runner import Runner, deliver_a_call

pytestmark = pytest.mark.load
FOLDER = ROOT / "deploy/kubernetes"
OVERLAYS = ("small", "ha")
READ_YAML = "import json, sys, yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)"
WITHOUT_SCHEMA = {"ScaledObject"}

Manifests = list[dict[str, Any]]


@pytest.fixture(scope="module")
def build(tool):
    """Return the maker of an overlay's manifests, as text and as values."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not here")

    def make(overlay: str) -> tuple[str, Manifests]:
        command = [kubectl, "kustomize", str(FOLDER / overlay)]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        reader = [tool("python"), "-c", READ_YAML]
        read = subprocess.run(reader, input=text, capture_output=True, text=True, check=True)
        return text, json.loads(read.stdout)

    return make


def of_kind(manifests: Manifests, *kinds: str) -> Manifests:
    """Return the manifests of some kinds."""
    return [one for one in manifests if one["kind"] in kinds]


def pods(manifests: Manifests) -> dict[str, dict[str, Any]]:
    """Return each pod's template by its component."""
    owners = of_kind(manifests, "Deployment", "StatefulSet", "Job")
    templates = [one["spec"]["template"] for one in owners]
    return {one["metadata"]["labels"]["app.kubernetes.io/component"]: one for one in templates}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_schemas_of_the_api_hold(build, tool, tmp_path, overlay):
    """Strictly: no key that the API does not know; KEDA's object alone has no schema here."""
    text, manifests = build(overlay)
    (tmp_path / "all.yaml").write_text(text)
    command = [tool("kubernetes-validate"), "--strict", str(tmp_path / "all.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr

    assert 0 == done.returncode, said
    unknown = set(re.findall(r"find schema for kind (\w+)", said))
    assert unknown == WITHOUT_SCHEMA & {one["kind"] for one in manifests}
    assert len(manifests) - len(of_kind(manifests, *unknown)) == len(re.findall("passed for", said))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_pod_is_confined_as_the_image_allows(build, overlay):
    """Not root, by the image's own number; a read-only root; nothing of the API; memory bounded; no service links."""
    users = [rest.split(":")[0] for word, rest in instructions(DOCKERFILE.read_text()) if word == "USER"]
    found = pods(build(overlay)[1])

    assert {"receiver", "worker", "console", "release"} <= found.keys()
    for component, template in found.items():
        spec = template["spec"]
        [container] = spec["containers"]
        assert (True, False, False) == (
            spec["securityContext"]["runAsNonRoot"], spec["automountServiceAccountToken"], spec["enableServiceLinks"]
        )  # fmt: skip
        if component != "ledger":
            assert users[-1] == str(spec["securityContext"]["runAsUser"])
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}
        }  # fmt: skip
        assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_selector_finds_a_pod(build, overlay):
    """Services, disruption budgets and network policies select what is there; nothing is reached without a policy."""
    manifests = build(overlay)[1]
    labels = [template["metadata"]["labels"] for template in pods(manifests).values()]
    selectors = [one["spec"]["selector"] for one in of_kind(manifests, "Service")]
    selectors += [one["spec"]["selector"]["matchLabels"] for one in of_kind(manifests, "PodDisruptionBudget")]
    policies = [one["spec"] for one in of_kind(manifests, "NetworkPolicy")]
    selectors += [one["podSelector"].get("matchLabels", {}) for one in policies]

    assert [] == [one for one in selectors if not any(one.items() <= each.items() for each in labels)]
    assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} in policies


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_serves_is_probed_and_the_spool_outlives_its_pod(build, overlay):
    """The receiver's claim, a worker's probe of consumption, and more time to stop than the processes take."""
    manifests = build(overlay)[1]
    [receiver] = [one for one in of_kind(manifests, "StatefulSet") if one["metadata"]["name"] == "switchboard-receiver"]
    found = pods(manifests)
    probes = {
        component: {kind: one["spec"]["containers"][0].get(f"{kind}Probe", {}).get("httpGet", {}).get("path")}
        for component, one in found.items()
        for kind in ("liveness",)
    }

    assert "spool" == receiver["spec"]["volumeClaimTemplates"][0]["metadata"]["name"]
    assert {"spool": "/var/lib/switchboard"}.items() <= {
        one["name"]: one["mountPath"] for one in found["receiver"]["spec"]["containers"][0]["volumeMounts"]
    }.items()
    assert "/readyz" == found["receiver"]["spec"]["containers"][0]["readinessProbe"]["httpGet"]["path"]
    assert {"/healthz"} == {probes[one]["liveness"] for one in ("receiver", "worker", "console")}
    assert all(found[one]["spec"]["terminationGracePeriodSeconds"] >= 30 for one in ("receiver", "worker"))


def test_ha_spreads_two_receivers_and_scales_workers_by_what_is_due(build):
    """On different nodes; the number of workers is KEDA's, from a gauge of the ledger and no list's length."""
    manifests = build("ha")[1]
    replicas = {one["metadata"]["name"]: one["spec"].get("replicas") for one in of_kind(manifests, "Deployment")}
    [receiver] = of_kind(manifests, "StatefulSet")
    [scaled] = of_kind(manifests, "ScaledObject")
    [trigger] = scaled["spec"]["triggers"]

    assert (2, None) == (receiver["spec"]["replicas"], replicas["switchboard-worker"])
    for one in ("receiver", "worker"):
        [spread] = pods(manifests)[one]["spec"]["topologySpreadConstraints"]
        assert ("kubernetes.io/hostname", "DoNotSchedule") == (spread["topologyKey"], spread["whenUnsatisfiable"])
    assert ("prometheus", ["switchboard_due"]) == (
        trigger["type"],
        re.findall(r"switchboard_\w+", trigger["metadata"]["query"]),
    )
    assert scaled["spec"]["scaleTargetRef"]["name"] in replicas


def containers(manifests: Manifests) -> dict[str, Any]:
    """Return the containers in the form of Compose: command, environment, and the probe as a health check."""
    found = {}
    for component, template in pods(manifests).items():
        [container] = template["spec"]["containers"]
        environ = {one["name"]: one["value"] for one in container.get("env", [])}
        secrets = {"REDIS_URL": "redis://valkey:6379/0", "DELACON_TOKEN": TOKEN, "HOST": "127.0.0.1", "PORT": "1"}
        one = {"command": container["command"], "environment": secrets | environ}
        probe = (container.get("readinessProbe") or container.get("livenessProbe") or {}).get("httpGet")
        if probe:
            ports = {port["name"]: port["containerPort"] for port in container["ports"]}
            url = f"http://127.0.0.1:{ports[probe['port']]}{probe['path']}"
            one["healthcheck"] = {
                "test": ["CMD", "python", "-c", f"import urllib.request as web; web.urlopen('{url}')"]
            }
        found["valkey" if component == "ledger" else component] = one
    return found


def test_the_pods_deliver_a_call(build, redis_binary, standins_process, tmp_path):
    """Each becomes ready by its own probe, and a call goes from the webhook to every vendor; the ledger is synced."""
    runner = Runner(containers(build("small")[1]), tmp_path, redis_binary)
    try:
        set_so = deliver_a_call(runner, tmp_path, standins_process).config_get("append*")
    finally:
        runner.stop()

    assert ("always", "yes") == (set_so["appendfsync"], set_so["appendonly"])
