"""Labelled requests under two policies, and checks of candidates, for tests of the gate."""

import numpy as np

from undertow.actions.gate import GateRules, PlaceInput
from undertow.records.gate import ComparedRows, Difference, GateReport
from undertow.records.segment import WHOLE, Segment
from undertow.services.gate import Evidence, gate_report

THRESHOLD = Difference("policy.threshold", "0.8", "0.6", "routing", line=7)


def rows(n, losing, *, newly=1.0, blind=0.0, rng=None, weight=None):
    """Requests that the candidate all serves cheaply, a share `newly` of them newly; `losing` is the added loss per request."""
    rng = rng or np.random.default_rng(1)
    is_new = rng.random(n) < newly
    fails = is_new & (rng.random(n) < losing / newly)
    known = ~(is_new & (rng.random(n) < blind))
    zero, most = np.zeros(n), is_new.astype(float)
    lost = fails.astype(float)
    weight = np.ones(n) if weight is None else weight
    return ComparedRows(np.where(known, lost, zero), np.where(known, lost, most), zero, most, np.ones(n), weight, known)


def place(compared, *, segment=WHOLE, share=1.0, changed=0.5, newly=None, blocked="", tier="cheap"):
    new = changed if newly is None else newly
    return PlaceInput(tier, segment, compared, share, 0.5, 0.8, changed, new, blocked)


def report(
    losing=0.2, *, differences=(THRESHOLD,), suite=None, basis="human", segment="intent=billing", n=1500, **more
):
    """A check with a whole tier and one segment in which `losing` of the new requests fail."""
    key, _, value = segment.partition("=")
    places = (
        place(rows(4 * n, losing / 4)),
        place(rows(n, losing, rng=np.random.default_rng(2)), segment=Segment(key, value), share=0.25),
    )
    evidence = Evidence(
        "replay", "why", places, "shadow pairs", basis, 120.0, ("2026-03-01T00:00:00Z", "2026-03-08T00:00:00Z"), 5 * n
    )
    return gate_report(evidence, differences, GateRules(), candidate="candidate.toml", suite=suite, **more)


def nothing() -> GateReport:
    return gate_report(Evidence("none", "nothing differs"), (), GateRules(), candidate="candidate.toml")
