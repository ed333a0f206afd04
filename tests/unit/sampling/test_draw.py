"""Draws: what matches, which rate holds, what the stratum is called. That shares come out right is in tests/statistical."""

import pytest

from undertow.records.sampling import Drawn, SampleRate, SamplingRates
from undertow.sampling.draw import CompiledRates, draw, uniform

REVIEW = {"for_review": True, "for_shadow": False}


def rates(*entries: SampleRate, **more: object) -> SamplingRates:
    return SamplingRates(rates=entries, **more)  # type: ignore[arg-type]


def probability(rates: SamplingRates, tier: str = "cheap", segment: dict[str, str] | None = None, score: float = 0.1):
    found = draw(rates, decision_id="d", tier=tier, segment=segment or {}, score=score, **REVIEW)
    return found[0].inclusion_probability if found else None


def id_with(low: float, high: float, salt: str = "undertow") -> str:
    """An id whose number lies in [low, high)."""
    return next(f"d-{n}" for n in range(100_000) if low <= uniform(salt, f"d-{n}") < high)


def test_the_numbers_are_pinned():
    """Another number for the same decision would be another sample: nobody could draw again what an older version drew."""
    assert uniform("undertow", "d-1") == 0.6542932835643132
    assert uniform("other", "d-1") != uniform("undertow", "d-1")
    assert uniform("s" * 65, "d-1") != uniform("s" * 66, "d-1")


def test_anybody_can_draw_again_with_the_standard_library():
    from hashlib import blake2b

    digest = blake2b(b"d-7", digest_size=8, key=b"undertow", person=b"undertow.draw").digest()
    assert uniform("undertow", "d-7") == (int.from_bytes(digest, "big") >> 11) / 2**53


def test_of_all_entries_that_match_the_largest_base_and_the_largest_extra_rate_hold():
    given = rates(
        SampleRate(tier="cheap", review=0.1, review_extra=0.02),
        SampleRate(tier="cheap", segment="intent=fraud", review=0.3),
        SampleRate(tier="cheap", segment="plan=pro", review=0.2, review_extra=0.4),
        SampleRate(tier="capable", review=0.9),
    )
    assert probability(given) == pytest.approx(0.12)
    assert probability(given, segment={"intent": "fraud"}) == pytest.approx(0.32)
    assert probability(given, segment={"intent": "fraud", "plan": "pro"}) == pytest.approx(0.7)
    assert probability(given, segment={"intent": "billing"}) == pytest.approx(0.12)
    assert probability(given, tier="capable") == 0.9
    assert probability(given, tier="unknown") is None


def test_entries_of_one_place_are_joined_and_an_entry_for_either_stratum_holds_in_both():
    given = rates(
        SampleRate(tier="cheap", review=0.1),
        SampleRate(tier="cheap", stratum="tail", review=0.5),
        SampleRate(tier="cheap", stratum="tail", review=0.4, review_extra=0.1),
        tail_cuts={"cheap": 0.4},
    )
    assert probability(given, score=0.4) == pytest.approx(0.6)
    assert probability(given, score=0.39) == pytest.approx(0.1)


def test_probabilities_stay_in_the_unit_interval():
    assert probability(rates(SampleRate(tier="cheap", review=0.8, review_extra=0.8))) == 1.0
    assert probability(rates(SampleRate(tier="cheap", review=7.0))) == 1.0
    assert probability(rates(SampleRate(tier="cheap", review=-1.0))) is None


def test_a_tier_without_a_cut_has_no_tail():
    given = rates(SampleRate(tier="cheap", review=1.0), tail_cuts={"capable": 0.0})
    assert draw(given, decision_id="d", tier="cheap", segment={}, score=1.0)[0].stratum == "whole"
    anew = rates(SampleRate(tier="cheap", review=1.0), tail_cuts={"capable": 0.0}, design=2)
    assert draw(anew, decision_id="d", tier="cheap", segment={}, score=1.0)[0].stratum == "whole"


def test_strata_are_named_by_design_and_by_what_alone_drew_them():
    entries = (
        SampleRate(tier="cheap", review=0.2),
        SampleRate(tier="cheap", segment="intent=fraud", review_extra=0.3),
    )

    def drawn(decision_id: str, segment: dict[str, str], **more: object) -> Drawn:
        (found,) = draw(rates(*entries, tail_cuts={"cheap": 0.5}, **more), decision_id=decision_id, tier="cheap", segment=segment, score=0.5, **REVIEW)  # fmt: skip
        return found

    fraud = {"intent": "fraud"}
    base, steered, neither = id_with(0.0, 0.2), id_with(0.2, 0.5), id_with(0.5, 1.0)
    assert drawn(base, fraud) == Drawn("review", "tail", 0.5, True)
    assert drawn(steered, fraud) == Drawn("review", "tail+intent=fraud", 0.5, True)
    assert drawn(neither, fraud) == Drawn("review", "tail", 0.5, False)
    assert drawn(steered, {}) == Drawn("review", "tail", 0.2, False)
    assert drawn(steered, fraud, design=3).stratum == "tail@3+intent=fraud"
    assert drawn(base, fraud, design=3).stratum == "tail@3"


def test_an_extra_rate_for_a_whole_tier_is_marked_by_the_sign_alone():
    given = rates(SampleRate(tier="cheap", review=0.2, review_extra=0.3))
    (found,) = draw(given, decision_id=id_with(0.2, 0.5), tier="cheap", segment={"a": "b"}, score=0.0, **REVIEW)
    assert found.stratum == "whole+"


def test_the_order_of_labels_changes_nothing():
    given = rates(*(SampleRate(tier="cheap", segment=f"{key}=1", review_extra=0.5) for key in "cab"))
    one = draw(given, decision_id=id_with(0.0, 0.5), tier="cheap", segment={"a": "1", "b": "1", "c": "1"}, score=0.0)
    other = draw(given, decision_id=id_with(0.0, 0.5), tier="cheap", segment={"c": "1", "b": "1", "a": "1"}, score=0.0)
    assert one == other
    assert one[0].stratum == "whole+a=1"


def test_what_must_never_be_sent_again_is_not_drawn_for_shadow():
    given = rates(SampleRate(tier="cheap", review=0.5, shadow=1.0), never_shadow=("intent=fraud",))
    purposes = {
        intent: [
            drawn.purpose for drawn in draw(given, decision_id="d", tier="cheap", segment={"intent": intent}, score=0.0)
        ]
        for intent in ("fraud", "billing")
    }
    assert purposes == {"fraud": ["review"], "billing": ["review", "shadow"]}


def test_only_the_purposes_that_are_possible_are_drawn():
    given = rates(SampleRate(tier="cheap", review=0.5, shadow=0.5), SampleRate(tier="capable", review=0.5))
    compiled = CompiledRates(given)
    numbers = compiled.number("d")

    def purposes(tier: str, *, for_review: bool, for_shadow: bool) -> list[str]:
        found = compiled.draw(numbers, tier, {}, 0.0, for_review=for_review, for_shadow=for_shadow)
        return [drawn.purpose for drawn in found]

    assert purposes("cheap", for_review=True, for_shadow=False) == ["review"]
    assert purposes("cheap", for_review=False, for_shadow=True) == ["shadow"]
    assert purposes("cheap", for_review=False, for_shadow=False) == []
    assert purposes("capable", for_review=True, for_shadow=True) == ["review"]


def test_whether_a_decision_can_be_chosen_at_all_is_known_beforehand():
    compiled = CompiledRates(
        rates(
            SampleRate(tier="cheap", review=0.1),
            SampleRate(tier="cheap", segment="intent=fraud", review=0.05, review_extra=0.2),
        )
    )
    assert compiled.may_choose(compiled.number(id_with(0.0, 0.3)))
    assert not compiled.may_choose(compiled.number(id_with(0.3, 1.0)))
    nothing = CompiledRates(rates())
    assert not nothing.may_choose(nothing.number("d"))
