"""Side-by-side reviews exist where a decision was drawn for review and for a second answer: their loss is the traffic's all the same.

One number decides both draws, so a pair is seen with the smaller of two probabilities. Weighed by the probability of the review
alone, segments that have few second answers (a budget that thins them) would count as if they hardly existed.
"""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from undertow.records.cells import AuditCells
from undertow.records.review import Material, ReviewRules
from undertow.records.sampling import SampleRate, SamplingRates
from undertow.records.watched import AnswerPair, SampledText, Vote
from undertow.reviewing.cases import cases_of
from undertow.reviewing.labels import signal_of
from undertow.reviewing.resolving import tally_votes
from undertow.sampling.draw import CompiledRates
from undertow.services.anchored import anchored_losses
from unit.adapters.duckdb.logs import START, at, decision, read, signal, write_jsonl

pytestmark = pytest.mark.statistical

DECISIONS, DAYS = 30_000, 10
SHARE = {"fraud": 0.3, "faq": 0.7}
LOSS = {"fraud": 0.5, "faq": 0.02}
REVIEW = {"fraud": 0.5, "faq": 0.05}
SHADOW = {"fraud": 0.1, "faq": 0.2}
JUDGED = 0.5
TRUE = sum(SHARE[name] * LOSS[name] for name in SHARE)
RULES = ReviewRules()


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> AuditCells:
    rng = np.random.default_rng(20261127)
    rates = CompiledRates(
        SamplingRates(
            salt="pairs",
            rates=tuple(
                SampleRate(tier="cheap", segment=f"intent={name}", review=REVIEW[name], shadow=SHADOW[name]) for name in SHARE
            ),
        )
    )  # fmt: skip
    log, signals = [decision(DECISIONS, tier="capable", model="large", cost_usd=0.04)], []
    for number in range(DECISIONS):
        name = "fraud" if rng.random() < SHARE["fraud"] else "faq"
        lost, flipped, is_judged = rng.random(3) < (LOSS[name], 0.1, JUDGED)
        hours = 24.0 * DAYS * number / DECISIONS
        log.append(decision(number, hours, segment={"intent": name}))
        drawn = {
            each.purpose: each
            for each in rates.draw(rates.number(f"d{number}"), "cheap", {"intent": name}, 0.0, for_review=True, for_shadow=True)
            if each.chosen
        }  # fmt: skip
        if "shadow" in drawn and is_judged:
            value = 0.0 if bool(lost) is not bool(flipped) else 1.0
            signals.append(
                signal(
                    number, hours + 0.1, signal_id=f"j{number}", kind="judge", name="quality", source="judge:m", value=value,
                    reference_value=1.0, inclusion_probability=drawn["shadow"].inclusion_probability * JUDGED, stratum="whole",
                )
            )  # fmt: skip
        if "review" in drawn:
            signals.append(reviewed(number, hours, drawn, 0.0 if lost else 1.0))
    folder: Path = tmp_path_factory.mktemp("pairs")
    return read(write_jsonl(folder / "d.jsonl", log), signals=(str(write_jsonl(folder / "s.jsonl", signals)),))


def reviewed(number, hours, drawn, value):
    """The signal that a reviewer's verdict becomes, by the parts of the product."""
    texts = {"event_time": at(hours), "tier": "cheap", "prompt": "?", "answer": "!"}
    shadow = drawn.get("shadow")
    text = SampledText(
        decision_id=f"d{number}", inclusion_probability=drawn["review"].inclusion_probability, stratum="whole",
        shadow_probability=None if shadow is None else shadow.inclusion_probability, **texts,
    )  # fmt: skip
    pairs = () if shadow is None else (
        AnswerPair(
            decision_id=f"d{number}", answered_at=at(hours), reference_tier="capable", reference_answer="other",
            inclusion_probability=shadow.inclusion_probability, stratum="whole", **texts,
        ),
    )  # fmt: skip
    case = cases_of(Material(sampled=(text,), pairs=pairs), RULES).by_id[f"d{number}"]
    vote = Vote(
        vote_id=f"v{number}", decision_id=case.decision_id, at=at(hours + 0.2), rater="ann", value=value,
        reference_value=None if case.reference_answer is None else 1.0,
    )  # fmt: skip
    tally = tally_votes([vote], RULES).by_id[case.decision_id]
    found = signal_of(case, tally, RULES, (START + timedelta(hours=hours + 1)).timestamp(), str)
    return {name: given for name in found.__struct_fields__ if (given := getattr(found, name)) is not None}


def test_the_loss_of_pairs_is_that_of_the_traffic(cells: AuditCells) -> None:
    code = cells.signals.index("review.accuracy")
    whole = cells.labels.take((cells.labels.segment == 0) & (cells.labels.signal == code))
    loss = whole.weighted_loss.sum() / whole.pair_weight.sum()
    # About 900 pairs of fraud decide it.
    error = SHARE["fraud"] * np.sqrt(0.25 / (DECISIONS * SHARE["fraud"] * SHADOW["fraud"])) + 0.005
    assert abs(loss - TRUE) < 4 * error
    by_review = {name: SHARE[name] * min(REVIEW[name], SHADOW[name]) / REVIEW[name] for name in SHARE}
    wrong = sum(by_review[name] * LOSS[name] for name in SHARE) / sum(by_review.values())
    assert abs(wrong - TRUE) > 6 * error, "with the probability of the review alone it would be seen"


def test_reviews_of_one_answer_and_of_two_together_are_the_traffics(cells: AuditCells) -> None:
    code = cells.signals.index("review.accuracy")
    whole = cells.labels.take((cells.labels.segment == 0) & (cells.labels.signal == code))
    assert whole.weight.sum() == pytest.approx(DECISIONS, rel=0.1)
    assert whole.weighted_failures.sum() / whole.weight.sum() == pytest.approx(TRUE, abs=0.02)


def test_what_people_and_a_judge_say_together_is_too(cells: AuditCells) -> None:
    found = next(row for row in anchored_losses(cells, 0.05, 0) if row.segment.is_whole)
    assert found.interval[0] <= TRUE <= found.interval[1]
    assert abs(found.loss - TRUE) < 0.03
    assert abs(found.judge_loss - TRUE) > 0.04, "the judge errs, and is corrected"
