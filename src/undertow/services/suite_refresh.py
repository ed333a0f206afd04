"""Proposes cases for a suite from live traffic that it does not cover. Nothing is added: what is right, a person says."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from undertow.records.suite import LiveText, Suite, SuiteCase
from undertow.suites.coverage import FloatArray, propose

MAX_PROMPT = 20_000

Vectors = Callable[[Sequence[str], Sequence[str]], FloatArray]
"""(texts, further texts) -> one row a text, of length 1."""


@dataclass(frozen=True, slots=True)
class Refresh:
    """What a refresh proposes.

    Attributes:
        proposals: Lines of a suite's file, with `expected` left empty for a person to fill.
        segments: Labels of each proposal.
        stands_for: Share of the traffic that each brings near a case.
        before, after: Share of the traffic that has a case near it, without and with them.
        texts: Different live texts that were looked at.
        requests: Requests that they stand for.
    """

    proposals: tuple[bytes, ...]
    segments: tuple[dict[str, str], ...]
    stands_for: tuple[float, ...]
    before: float
    after: float
    texts: int
    requests: float


def refresh(suite: Suite, live: Sequence[LiveText], vectors: Vectors, *, count: int, near: float) -> Refresh:
    """Choose and write down proposals.

    Args:
        suite: The suite as it is.
        live: Texts of live requests, at least one.
        vectors: Turns texts into vectors.
        count: Most proposals.
        near: Cosine from which a request counts as covered.
    """
    texts = [one.text for one in live]
    cases = [asked(case) for case in suite.cases]
    traffic = np.array([one.traffic for one in live], dtype=np.float32)
    found = propose(vectors(texts, cases), traffic, vectors(cases, texts), count=count, near=near)
    ids = _fresh_ids({case.case_id for case in suite.cases}, len(found.chosen))
    lines = tuple(
        msgspec.json.encode(
            {
                "id": case_id,
                "prompt": live[place].text[:MAX_PROMPT],
                "segment": live[place].segment,
                "expected": "",
                "tags": ["proposed"],
            }
        )
        for case_id, place in zip(ids, found.chosen, strict=True)
    )
    return Refresh(
        lines,
        tuple(live[place].segment for place in found.chosen),
        found.stands_for,
        found.before,
        found.after,
        len(live),
        float(traffic.sum()),
    )


def asked(case: SuiteCase) -> str:
    """What a case asks: the text of its last user message.

    Examples:
        >>> from undertow.records.suite import Check
        >>> asked(SuiteCase(case_id="a", messages=({"role": "user", "content": "Where is it?"},), check=Check(kind="judge")))
        'Where is it?'
    """
    for message in reversed(case.messages):
        if message.get("role") == "user":
            content = message.get("content")
            if isinstance(content, str):
                return content
            if isinstance(content, list):
                parts = [part.get("text") for part in content if isinstance(part, dict)]
                return "\n".join(part for part in parts if isinstance(part, str))
    return ""


def _fresh_ids(taken: set[str], count: int) -> list[str]:
    found: list[str] = []
    number = 1
    while len(found) < count:
        case_id = f"live-{number}"
        if case_id not in taken:
            found.append(case_id)
        number += 1
    return found
