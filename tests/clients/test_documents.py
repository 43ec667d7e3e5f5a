"""Documents in JSON that are no events, held against their schemas by a validator that other people wrote."""

import json
import subprocess

import pytest

from programs import HF2MS, ROOT, environment

jsonschema = pytest.importorskip("jsonschema")


def document(sandbox, folder, *words):
    hubs = {"HF_ENDPOINT": sandbox.hf, "MODELSCOPE_ENDPOINT": sandbox.ms, "MODELSCOPE_TOKEN": sandbox.ms_alice}
    ran = subprocess.run([HF2MS, *words], env=environment(**hubs, HF2MS_STATE=str(folder)), capture_output=True, text=True)
    assert ran.stdout, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.parametrize(
    "schema, words",
    [("plan", ["plan", "alice/documents", "--prune"]), ("inventory", ["inventory", "alice", "--format", "json"])],
)
def test_a_document_keeps_to_its_schema(sandbox, tmp_path, schema, words):
    files = [{"path": "a.safetensors", "size": 1_000_000, "seed": 1}, {"path": "b.txt", "text": "b"}]
    sandbox.seed("hf", "model", "alice/documents", *files, message="m")
    sandbox.seed("ms", "model", "alice/documents", {"path": "old.txt", "text": "old"}, message="m")
    shape = jsonschema.Draft202012Validator(json.loads((ROOT / f"docs/{schema}.schema.json").read_text()))
    told = document(sandbox, tmp_path, *words)
    shape.validate(told)
    # A schema that takes anything would be none.
    first = next(iter(told["files" if schema == "plan" else "repos"]))
    first[next(iter(first))] = ["wrong"]
    assert not shape.is_valid(told)
