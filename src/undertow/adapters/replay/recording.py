"""Reads the repository's own recording: support queries answered by a real local model at two settings, graded by rules."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from undertow.errors import LogError
from undertow.simulation.arrival import OutcomeTable

TIERS: tuple[str, ...] = ("cheap", "capable")
NEVER_CHEAP: tuple[str, ...] = ("product",)
"""Intents that stay on the capable tier: on its normal questions the cheap setting was far behind, as anyone would have seen."""


def read_recording(path: Path) -> OutcomeTable:
    """The recording as a table of outcomes.

    The usual mix is the normal questions of the eligible intents; the mix shifts to hidden-intent ones.

    Raises:
        LogError: The file is missing or is no such recording.
    """
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        msg = (
            f"cannot read the recording {str(path)!r}: {error.__class__.__name__}; make it with scripts/record_demo.py"
        )
        raise LogError(msg) from error
    rows = [line for line in lines if "query_id" in line]
    if not rows or any(tier not in row for row in rows for tier in TIERS):
        msg = f"{str(path)!r} holds no query with answers of both tiers; make it with scripts/record_demo.py"
        raise LogError(msg)
    head = next((line for line in lines if "recording" in line), {})
    return _table(rows, head)


def _table(rows: list[dict[str, Any]], head: dict[str, Any]) -> OutcomeTable:
    segments = tuple(sorted({row["intent"] for row in rows}))
    hidden = np.array([row["hidden"] for row in rows])
    eligible = np.array([row["intent"] not in NEVER_CHEAP for row in rows])

    def of(name: str) -> np.ndarray:
        return np.array([[row[tier][name] for tier in TIERS] for row in rows])

    weights = head.get("weights", "a local model")
    return OutcomeTable(
        name="recorded-support",
        title=f"240 support queries, {weights.split('.')[0]} at two settings",
        models=("smollm2-135m-short-prompt", "smollm2-135m-long-prompt"),
        segment_key="intent",
        segments=segments,
        segment=np.array([segments.index(row["intent"]) for row in rows]),
        value=of("ok").astype(np.float64),
        eligible=eligible,
        usual=~hidden & eligible,
        shifted=hidden & eligible,
        confidence=np.array([row["cheap"]["confidence"] for row in rows], dtype=np.float64),
        confidence_note="geometric mean token probability of the cheap setting's answer, as recorded (shown, not used to route)",
        threshold=None,
        input_tokens=of("input_tokens").astype(np.int64),
        output_tokens=of("output_tokens").astype(np.int64),
        price_usd_per_mtok=((0.25, 1.00), (1.00, 4.00)),
        label_kind="review",
        label_name="correct",
        label_source="exact:rule",
        pairs=False,
        margin=0.05,
        notes=(
            (
                f"Real: the answers of a local model ({weights}, recorded {head.get('recorded_at', 'at an unknown date')}) at two "
                "settings, their token probabilities and counts, graded by stated rules; nobody judged by eye."
            ),
            "The order in time, the users, the arms and the shift of the mix are scripted; queries are drawn with replacement.",
            f"Assumed: prices. By constraint {', '.join(NEVER_CHEAP)} stays on the capable tier.",
        ),
        prompts=tuple(row["prompt"] for row in rows),
        responses=tuple((row["cheap"]["response"], row["capable"]["response"]) for row in rows),
    )
