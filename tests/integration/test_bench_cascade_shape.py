"""`make bench-cascade QUICK=1` writes one entry for every figure that was asked for, and calls no bar met or missed on so few runs."""

import json
import os
import subprocess
import sys

PARTS = ("guarantee", "combining", "calibration")
KEYS = {"criterion", "bar", "bar_value", "measured", "interval", "n", "seed", "comparator", "ok"}
MODELS = ("mistral_7b_v0_1", "qwen_7b", "qwen_14b", "llama_2_7b_hf")


def test_the_quick_run_has_the_shape_of_the_full_one(project_dir, shared_dir, tmp_path):
    out = tmp_path / "cascade.json"
    done = subprocess.run(
        [
            sys.executable, str(project_dir / "benchmarks" / "bench_cascade.py"), "--quick", "--data", str(shared_dir / "data"),
            "--out", str(out), "--only", *PARTS,
        ],
        capture_output=True, text=True, check=False, timeout=300, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    written = json.loads(out.read_text())
    assert set(written) == {"bench", "at", "machine", "command", "results"}
    assert written["bench"] == "cascade"
    entries = written["results"]
    assert all(set(entry) == KEYS for entry in entries)
    assert all(entry["ok"] is None for entry in entries), "too few runs for a verdict"
    for model in MODELS:
        mine = [entry["criterion"] for entry in entries if entry["criterion"].startswith(model)]
        assert sum("whose marginal loss stays within" in criterion for criterion in mine) == 5
        assert any("acceptance kept" in criterion for criterion in mine)
        assert any("combining" in criterion for criterion in mine)
        assert sum("ECE" in criterion for criterion in mine) == 5
    certified = [entry["measured"] for entry in entries if "whose marginal loss stays within" in entry["criterion"]]
    assert min(certified) > 0.6, "certified thresholds mostly keep the margin even on few splits"
