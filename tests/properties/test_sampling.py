"""Draws are pure and nest; quotas keep to a day's reviews, keep every cell in sight, and give nothing outside [0, 1], whatever the traffic."""

from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.records.sampling import SampleRate, SamplingRates
from undertow.records.serving import ReviewPlan, ShadowPlan
from undertow.sampling.draw import CompiledRates, draw
from undertow.sampling.quotas import STRATA, Suspect, Volume, most_reviews, plan_rates

TIERS = ("cheap", "middle", "capable")
LABELS = ("a=1", "a=2", "b=1")
shares = st.floats(0, 1)
entries = st.lists(
    st.builds(
        SampleRate,
        tier=st.sampled_from(TIERS),
        segment=st.sampled_from(("", *LABELS)),
        stratum=st.sampled_from(("", *STRATA)),
        review=shares,
        shadow=shares,
        review_extra=shares,
        shadow_extra=shares,
    ),
    max_size=8,
)
decisions = st.fixed_dictionaries(
    {
        "decision_id": st.text(min_size=1, max_size=40),
        "tier": st.sampled_from(TIERS),
        "segment": st.dictionaries(st.sampled_from("ab"), st.sampled_from("12")),
        "score": shares,
    }
)


def sampling(rates, **more):
    return SamplingRates(rates=tuple(rates), tail_cuts={"cheap": 0.5, "capable": 0.2}, **more)


@given(entries, decisions, st.integers(1, 3))
def test_a_draw_is_a_pure_function_of_rates_and_decision(rates, decision, design):
    one, other = (draw(sampling(rates, design=design), **decision) for _ in range(2))
    assert one == other
    shuffled = {**decision, "segment": dict(reversed(decision["segment"].items()))}
    assert draw(sampling(reversed(rates), design=design), **shuffled) == one
    for drawn in one:
        assert 0.0 < drawn.inclusion_probability <= 1.0


@given(entries, decisions)
def test_the_plain_sample_is_the_same_with_and_without_steering(rates, decision):
    plain = [
        SampleRate(tier=rate.tier, segment=rate.segment, stratum=rate.stratum, review=rate.review, shadow=rate.shadow)
        for rate in rates
    ]
    steered = {drawn.purpose: drawn for drawn in draw(sampling(rates), **decision)}
    for drawn in draw(sampling(plain), **decision):
        with_extra = steered[drawn.purpose]
        assert drawn.chosen == (with_extra.chosen and "+" not in with_extra.stratum)
        assert with_extra.inclusion_probability >= drawn.inclusion_probability
        assert with_extra.stratum.partition("+")[0] == drawn.stratum


@given(entries, decisions)
def test_what_is_chosen_could_have_been(rates, decision):
    """Text is collected only of decisions that could be: one that was chosen without would have none."""
    compiled = CompiledRates(sampling(rates))
    if any(drawn.chosen for drawn in draw(sampling(rates), **decision)):
        assert compiled.may_choose(compiled.number(decision["decision_id"]))


@st.composite
def traffic(draw_):
    """Volumes of tiers, and of labels that are parts of them."""
    amounts = st.one_of(st.just(0.0), st.floats(0.01, 1e7))
    volumes = []
    for tier in draw_(st.lists(st.sampled_from(TIERS), unique=True)):
        whole = {stratum: draw_(amounts) for stratum in STRATA}
        volumes += [Volume(tier, "", stratum, per_day) for stratum, per_day in whole.items()]
        for label in draw_(st.lists(st.sampled_from(LABELS), unique=True)):
            volumes += [Volume(tier, label, stratum, draw_(shares) * whole[stratum]) for stratum in STRATA]
    return volumes


reviews = st.builds(
    ReviewPlan,
    per_day=st.integers(1, 10_000),
    min_per_segment=st.integers(0, 50),
    cheap_share=shares,
    tail_share=shares,
    stakes=st.dictionaries(st.sampled_from(LABELS), st.floats(0.1, 100), max_size=2),
)
shadows = st.builds(ShadowPlan, share=shares, budget_usd_day=st.floats(0, 1e4))
suspects = st.lists(
    st.builds(Suspect, tier=st.sampled_from(TIERS), segment=st.sampled_from(("", *LABELS)), stratum=st.sampled_from(("", *STRATA))),
    max_size=3,
)  # fmt: skip


def volume_of(volumes, tier, segment, stratum):
    return sum(v.per_day for v in volumes if (v.tier, v.segment, v.stratum) == (tier, segment, stratum))


def rate_of(rates, tier, segment, stratum, what="review"):
    """What a decision with this one label is drawn with."""
    return max(
        (getattr(rate, what) for rate in rates.rates if rate.tier == tier and rate.segment in ("", segment) and rate.stratum in ("", stratum)),
        default=0.0,
    )  # fmt: skip


def floors_of(review, volumes):
    """Most that the least numbers can take: for each tier and each of its labels."""
    places = {(v.tier, v.segment) for v in volumes}
    return len(places) * review.min_per_segment


@settings(max_examples=300)
@given(reviews, shadows, traffic(), suspects)
def test_quotas_keep_to_a_day_and_leave_nothing_out(review, shadow, volumes, suspected):
    rates = plan_rates(review, shadow, volumes, tiers=TIERS, suspects=suspected)
    for entry in rates.rates:
        for what in ("review", "shadow", "review_extra", "shadow_extra"):
            assert 0.0 <= getattr(entry, what) <= 1.0
    # A little for floors, which are rounded up.
    assert (
        most_reviews(rates, volumes)
        <= max(review.per_day, floors_of(review, volumes) * max([*review.stakes.values(), 1.0])) * 1.001
    )
    for tier in TIERS:
        for stratum in STRATA:
            assert rate_of(rates, tier, "", stratum) > 0.0, "no cell is blind"


@settings(max_examples=300)
@given(reviews, traffic(), suspects)
def test_each_tier_and_segment_has_its_least_number(review, volumes, suspected):
    rates = plan_rates(review, ShadowPlan(), volumes, tiers=TIERS, suspects=suspected)
    for tier, segment in {(v.tier, v.segment) for v in volumes}:
        if sum(volume_of(volumes, tier, "", stratum) for stratum in STRATA) == 0:
            continue
        there = {stratum: volume_of(volumes, tier, segment, stratum) for stratum in STRATA}
        expected = sum(rate_of(rates, tier, segment, stratum) * volume for stratum, volume in there.items())
        assert expected >= min(review.min_per_segment, sum(there.values())) * (1 - 1e-6)


@given(st.floats(0.001, 1), st.floats(0.01, 1e4), st.floats(1e-6, 1), traffic())
def test_second_answers_keep_to_share_and_budget(share, budget, usd, volumes):
    rates = plan_rates(
        ReviewPlan(), ShadowPlan(share=share, budget_usd_day=budget), volumes, tiers=TIERS, capable_usd=usd
    )
    cheap = {(tier, stratum): volume_of(volumes, tier, "", stratum) for tier in TIERS[:-1] for stratum in STRATA}
    answers = sum(rate_of(rates, tier, "", stratum, "shadow") * volume for (tier, stratum), volume in cheap.items())
    assert answers <= share * sum(cheap.values()) * (1 + 1e-9)
    assert answers * usd <= budget * (1 + 1e-9)
    for (tier, stratum), volume in cheap.items():
        assert rate_of(rates, tier, "", stratum, "shadow") > 0.0 or volume == 0.0
    assert rate_of(rates, TIERS[-1], "", "tail", "shadow") == 0.0
