"""Runs one target under Atheris: seeds into a corpus, then libFuzzer until its time is over or something is raised.

.venv/bin/python fuzz/fuzz_streams.py [folder of the corpus] [options of libFuzzer]
"""

import hashlib
import logging
import os
import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import atheris  # noqa: E402


def fuzz(name: str) -> None:
    """Fuzz a target of `tests/outside_bytes`.

    Args:
        name: Of its file.
    """
    warnings.simplefilter("error")
    logging.disable(logging.CRITICAL)
    with atheris.instrument_imports(include=["undertow"]):
        from outside_bytes.every import target
        from outside_bytes.target import MAX_INPUT

        found = target(name)
        for seed in found.seeds:
            found.read(seed)  # what is imported only when it is needed is needed now, and is seen by the fuzzer too
    given = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    corpus = Path(given[0]) if given else ROOT / "build" / "fuzz" / name / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in found.seeds:
        (corpus / f"seed-{hashlib.sha256(seed).hexdigest()[:16]}").write_bytes(seed[:MAX_INPUT])
    crashes = corpus.parent / "crashes"
    crashes.mkdir(exist_ok=True)
    options = [argument for argument in sys.argv[1:] if argument.startswith("-")]
    limits = [f"-max_len={MAX_INPUT}", "-timeout=60", "-rss_limit_mb=3000", f"-artifact_prefix={crashes}{os.sep}"]
    atheris.Setup([sys.argv[0], *limits, *options, str(corpus)], found.read)
    atheris.Fuzz()
