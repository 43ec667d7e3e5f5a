"""The wheel brings `ms migrate` to ModelScope's own client."""

import sysconfig

# What the script `ms` is (modelscope-hub 0.5.1).
MS = "import sys; from modelscope_hub.cli.main import run_cmd; sys.exit(run_cmd())"


def test_ms_migrate_runs_the_program_of_the_wheel(by_pip, sandbox, repo, copied):
    hubs = {"HF_ENDPOINT": sandbox.hf, "MODELSCOPE_ENDPOINT": sandbox.ms, "HF_TOKEN": sandbox.hf_alice, "MODELSCOPE_TOKEN": sandbox.ms_alice}
    copied(by_pip.run("python", "-c", MS, "migrate", repo, PYTHONPATH=sysconfig.get_path("purelib"), **hubs))
