"""packaging/kubernetes: a CronJob that Kubernetes takes, with pods as locked in as those that `hf2ms plan --emit kubernetes` writes."""

import re
import subprocess

import kubernetes_validate
import pytest
import yaml

from programs import HF2MS, ROOT, WORKER, environment

FOLDER = ROOT / "packaging/kubernetes"
# What docs/containers.md says that a cluster has at least.
OLDEST = "1.29"


def read(name):
    return yaml.safe_load((FOLDER / name).read_text())


def pod_of(job):
    return job["spec"]["template"]["spec"]


@pytest.fixture
def emitted(sandbox, tmp_path):
    """The Jobs of a plan between the sandbox's hubs."""
    sandbox.seed("hf", "model", "alice/night", {"path": "a.safetensors", "size": 200_000, "seed": 5}, message="m")
    hubs = {"HF_ENDPOINT": sandbox.hf, "MODELSCOPE_ENDPOINT": sandbox.ms, "MODELSCOPE_TOKEN": sandbox.ms_alice}
    command = [HF2MS, "plan", "hf:alice/night", "ms:alice/night", "--emit", "kubernetes", "--image", "registry.example/w:1"]
    variables = environment(HOME=str(tmp_path), HF2MS_STATE=str(tmp_path / "state"), **hubs)
    ran = subprocess.run(command, env=variables, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return list(yaml.safe_load_all(ran.stdout))


def test_both_are_manifests_of_kubernetes(emitted):
    for manifest in [read("cronjob.yaml"), *emitted]:
        for version in (OLDEST, kubernetes_validate.latest_version()):
            kubernetes_validate.validate(manifest, version, strict=True)


def test_a_misspelled_field_is_no_manifest():
    manifest = read("cronjob.yaml")
    manifest["spec"]["concurencyPolicy"] = manifest["spec"].pop("concurrencyPolicy")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, OLDEST, strict=True)


def test_pods_are_locked_in_as_those_of_a_plan(emitted):
    last = next(one for one in emitted if one["kind"] == "Job" and one["metadata"]["name"].endswith("-finish"))
    job = read("cronjob.yaml")["spec"]["jobTemplate"]
    ours, plans = pod_of(job), pod_of(last)
    for field in ("restartPolicy", "automountServiceAccountToken", "enableServiceLinks", "securityContext"):
        assert ours[field] == plans[field], field
    assert ours["containers"][0]["securityContext"] == plans["containers"][0]["securityContext"]
    assert job["spec"]["podFailurePolicy"] == last["spec"]["podFailurePolicy"]
    secrets = [source["secretRef"] for source in ours["containers"][0]["envFrom"] if "secretRef" in source]
    assert secrets == [source["secretRef"] for source in plans["containers"][0]["envFrom"]]


def overlay():
    """The overlay that docs/automation.md shows."""
    page = (ROOT / "docs/automation.md").read_text()
    return yaml.safe_load(page.split("# kustomization.yaml\n")[1].split("```")[0])


def test_the_pod_of_a_night_copies(sandbox, tmp_path, emitted):
    """The worker with the arguments and variables of the CronJob and of the guide's overlay, as kustomize and a cluster put them together."""
    base, over = read("kustomization.yaml"), overlay()
    assert all((FOLDER / name).is_file() for name in base["resources"])
    worker = pod_of(read("cronjob.yaml")["spec"]["jobTemplate"])["containers"][0]
    [generated], [replaced] = base["configMapGenerator"], over["configMapGenerator"]
    assert replaced["name"] == generated["name"] and replaced["behavior"] == "replace"
    assert {"configMapRef": {"name": generated["name"]}} in worker["envFrom"]
    assert [image["name"] for image in over["images"]] == [worker["image"]]
    variables = dict(line.split("=", 1) for line in replaced["literals"])
    assert variables.keys() == dict(line.split("=", 1) for line in generated["literals"]).keys()
    variables = {name: re.sub("(org|me)/name", "alice/night", value) for name, value in variables.items()}
    args = [re.sub(r"\$\((\w+)\)", lambda found: variables[found[1]], arg) for arg in worker["args"]]
    hubs = {"HF_ENDPOINT": sandbox.hf, "MODELSCOPE_ENDPOINT": sandbox.ms, "MODELSCOPE_TOKEN": sandbox.ms_alice}
    ran = subprocess.run([WORKER, *args], env=environment(HOME=str(tmp_path), **variables, **hubs), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert sandbox.stored("ms", "model", "alice/night")["a.safetensors"][1] == 200_000
