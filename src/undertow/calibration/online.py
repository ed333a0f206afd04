"""A threshold that follows its labels: adaptive conformal inference with a floor, and a bet that the floor has stopped holding.

The threshold lives on the scale of the confidence's log-odds. Each label moves it, in the order in which labels become known:

    x <- max(floor, x + step * w * (loss - margin))        loss = share * 1{confidence >= threshold in force and the cheap answer failed}

so a failure that was served raises it by about `step`, and every other label lowers it by `step * margin`, down to the floor: the lowest
threshold that a certificate vouches for. At the cap nothing is served.

**Guarantee.** With weights w <= W and labels 1..T, whatever they are and whoever chose them,

    sum w_t (loss_t - margin) <= (cap - x_1 + step * W * (1 - margin)) / step

and, with equal weights, the mean loss is at most `margin + (cap - x_1 + step) / (step * T)`. Proof: each move is at least
`step * w_t * (loss_t - margin)`, because floor and jumps only ever raise the threshold above it; so the sum is at most (x_{T+1} - x_1) / step.
And x stays below cap + step * W * (1 - margin): it rises only while it is below the cap, for at the cap nothing is served and no loss
occurs. Nothing is assumed of the labels, not even independence. It is a guarantee for the average over the labels in the order in which
they came, at the controller's threshold: for the traffic it holds as far as the labels are a sample of it, and for what workers serve as
soon as they have read the threshold.

**Bet on the floor.** The step alone answers a large shift slowly. Beside it runs an e-detector (CUSUM form, mean over several stakes) against
"the loss at the floor is at most the margin", which under that null reaches `line` only once in `line` labels on average, at most. When it
does, the certificate no longer describes the traffic: threshold and floor rise at once to the lowest threshold that the recent labels
certify (`certificates.choose_threshold` on the labels since the bet began, at least 100 and at most 300 of them), or above every failure
among them where they are too few, or too unequal in weight, to certify any. That says where to go, not that it is safe there: the evidence
chose the labels. What holds after it is the guarantee above.

**A lower floor** needs a certificate on labels of decisions since the last change of it, looked for at 400, 800, 1,600, ... of them. The j-th
look of a controller, whichever floor it is about, has the error probability delta / (j (j + 1)): over its whole life all of them together
err with probability at most delta, for requests like those that were labelled. The threshold then comes down by its own steps, so the
guarantee above needs no further term. Where only served answers are labelled, nothing is known of the others, and they count as failures:
a tenth of the margin may be spent on them, so the floor stays about where the threshold was while the labels were drawn.

On real confidences (docs/how-to/tune.md has the table) step .15 with line 1,000 brought losses of 1.4 to 3.4 times a margin of .03 back inside it
within a median of 35 to 240 labels, and kept 90 to 95 % of the fixed threshold's acceptance before the shift.

References:
    Gibbs and Candes (2021), Adaptive conformal inference under distribution shift, arXiv 2106.00170, proposition 4.1 (the bound for coverage).
    Feldman, Ringel, Bates, Romano (2023), Achieving risk control in online learning settings, TMLR, arXiv 2205.09095 (losses other than coverage).
    Angelopoulos, Candes, Tibshirani (2023), Conformal PID control for time series prediction, arXiv 2307.16895 (steps on the scale of the
    score; saturation at the cap). Angelopoulos, Barber, Bates (2024), Online conformal prediction with decaying step sizes, ICML: decaying
    steps converge where nothing changes; here things do, so the step is constant.
    Shin, Ramdas, Rinaldo (2022), E-detectors, arXiv 2203.03532.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from undertow.calibration.floors import APART, certified, confidence_at, log_odds, share_of
from undertow.records.tuning import ControllerState, TuningLabel

STEP = 0.15
LINE = 1000.0
CAP_ABOVE = 4.0
"""Log-odds above the certified threshold at which nothing is served any more."""

WEIGHT_CAP = 5.0
"""Most that one label counts, in typical labels. It bounds a step; a stratum drawn more rarely than that counts for less than it should."""

BET_MULTIPLES = (1.5, 2.0, 3.0)
"""Losses bet on, as multiples of the margin."""

LARGEST_STAKE = 0.9
"""Of the stake at which one label without a loss would lose everything."""

WINDOW = (100, 300)
FIRST_LOOK = 400
"""Labels. Fewer rarely certify anything, and each look costs the later ones a part of the error probability."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a controller is held to.

    Attributes:
        margin: Largest accepted marginal loss, in (0, 1).
        delta: Error probability of each certificate, in (0, 1).
        cap: Log-odds at which nothing is served.
        step: Log-odds per served failure, above 0.
        line: Evidence at which the floor is given up; labels between two false jumps, on average, at least.
    """

    margin: float
    delta: float
    cap: float
    step: float = STEP
    line: float = LINE

    @classmethod
    def of(cls, threshold: float, margin: float, delta: float, step: float = STEP) -> "Rules":
        """Rules of a certified threshold (a confidence)."""
        return cls(margin, delta, cap=log_odds(threshold) + CAP_ABOVE, step=step)


@dataclass(frozen=True, slots=True)
class Followed:
    """A controller after some labels.

    Attributes:
        state: Where it stands.
        evidence: Largest log10 of the evidence against the floor on the way.
        jumps: How often the floor was given up.
    """

    state: ControllerState
    evidence: float
    jumps: int


def begin(threshold: float, weight: float = 1.0) -> ControllerState:
    """A controller at a certified threshold.

    Args:
        threshold: A confidence.
        weight: 1 / inclusion probability of a typical label. Must not depend on how labels turned out.
    """
    at = log_odds(threshold)
    return ControllerState(
        log_odds=at,
        floor=at,
        weight=weight,
        wealth=(0.0,) * len(BET_MULTIPLES),
        ages=(0,) * len(BET_MULTIPLES),
    )


def threshold_of(state: ControllerState, rules: Rules) -> float | None:
    """The confidence from which on answers are served; None: nothing is."""
    return None if state.log_odds >= rules.cap else confidence_at(state.log_odds)


def is_served(label: TuningLabel, at: float, rules: Rules) -> bool:
    """Whether a threshold of so many log-odds serves a labelled answer."""
    return label.confidence is not None and at < rules.cap and log_odds(label.confidence) >= at


def follow(
    state: ControllerState,
    labels: Sequence[TuningLabel],
    rules: Rules,
    *,
    earlier: Sequence[TuningLabel] = (),
    may_loosen: bool = True,
    now: str | None = None,
) -> Followed:
    """Show a controller labels, one after the other.

    Args:
        state: Where it stands.
        labels: In the order in which they became known.
        rules: What it is held to.
        earlier: Labels before those, as many as there are up to 300: a jump looks back on them.
        may_loosen: False: the threshold does not come down either, not even to the floor.
        now: When what comes of them is in force, RFC 3339; None: as each of them becomes known.

    Examples:
        Twenty served failures in a row raise a threshold from 0.8 to where nothing like them is served:

        >>> failing = [TuningLabel(available_at=str(t), decision_id=str(t), confidence=0.9, is_failed=True) for t in range(20)]
        >>> rules = Rules.of(0.8, margin=0.03, delta=0.1)
        >>> threshold_of(follow(begin(0.8), failing, rules).state, rules) > 0.9
        True
    """
    least = -math.inf if may_loosen else state.log_odds
    at, floor, since = state.log_odds, state.floor, state.floor_since
    wealth, ages, looks = list(state.wealth), list(state.ages), state.looks
    stakes = _stakes(rules)
    past = [*earlier[-WINDOW[1] :], *labels]
    first = len(past) - len(labels)
    jumps, most = 0, -math.inf
    for place, label in enumerate(labels, first):
        w = min(label.weight / state.weight, WEIGHT_CAP)
        loss = label.share * (label.is_failed and is_served(label, at, rules))
        at = max(at + rules.step * w * (loss - rules.margin), floor, least)
        below = label.share * (label.is_failed and is_served(label, floor, rules))
        for j, stake in enumerate(stakes):
            if wealth[j] < 0.0:
                wealth[j], ages[j] = 0.0, 0
            wealth[j] += math.log1p(stake * w * (below - rules.margin))
            ages[j] += 1
        evidence = _log_mean_exp(wealth)
        most = max(most, evidence)
        if evidence >= math.log(rules.line):
            age = ages[wealth.index(max(wealth))]
            window = past[max(0, place + 1 - min(max(age, WINDOW[0]), WINDOW[1])) : place + 1]
            at = max(at, floor, min(_jump(window, rules), rules.cap))
            floor, since, looks, jumps = at, now or label.available_at, 0, jumps + 1
            wealth, ages = [0.0] * len(stakes), [0] * len(stakes)
    end = msgspec.structs.replace(
        state,
        log_odds=at,
        floor=floor,
        wealth=tuple(wealth),
        ages=tuple(ages),
        labels=state.labels + len(labels),
        floor_since=since,
        looks=looks,
    )
    return Followed(end, (most if labels else _log_mean_exp(wealth)) / math.log(10.0), jumps)


def relax(
    state: ControllerState,
    fresh: Sequence[TuningLabel],
    rules: Rules,
    *,
    withheld: Sequence[TuningLabel] | None = None,
    now: str | None = None,
) -> ControllerState:
    """The controller with a lower floor, where labels since the last change of the floor certify one.

    Args:
        state: Where it stands.
        fresh: Labels of decisions since `state.floor_since`, all of them.
        rules: What it is held to.
        withheld: Answers of the same time that were withheld and that labels could not be of; None: unknown. Where labels stand for a share
            of the requests, nobody knows then what a lower floor would serve, and it stays.
        now: When a lower floor is in force, RFC 3339; None: as the last label becomes known.

    Returns:
        With a lower floor, or with the look counted that found none; the same where it is not time to look.
    """
    looks = int(math.log2(len(fresh) / FIRST_LOOK)) + 1 if len(fresh) >= FIRST_LOOK else 0
    if looks <= state.looks or (share_of(fresh) < 1.0 and withheld is None):
        return state
    spent = state.spent + 1
    found = certified(fresh, rules.margin, rules.delta / (spent * (spent + 1)), withheld)
    if found is None or found >= state.floor:
        return msgspec.structs.replace(state, looks=looks, spent=spent)
    return msgspec.structs.replace(
        state,
        floor=found,
        floor_since=now or max(label.available_at for label in fresh),
        looks=0,
        spent=spent,
        wealth=(0.0,) * len(state.wealth),
        ages=(0,) * len(state.ages),
    )


def _jump(window: Sequence[TuningLabel], rules: Rules) -> float:
    """Where a floor that was given up goes: to what the window certifies; where it is too small for that, above all its failures."""
    found = certified(window, rules.margin, rules.delta)
    if found is not None:
        return found
    failing = [log_odds(label.confidence) for label in window if label.is_failed and label.confidence is not None]
    return max(failing) + APART if failing else -math.inf


def _stakes(rules: Rules) -> tuple[float, ...]:
    """Stakes lambda of the bets `1 + lambda w (loss - margin)`: the likelihood ratio of a multiple of the margin where w = 1."""
    largest = LARGEST_STAKE / (WEIGHT_CAP * rules.margin)
    return tuple(
        min((min(c * rules.margin, (1.0 + rules.margin) / 2.0) / rules.margin - 1.0) / (1.0 - rules.margin), largest)
        for c in BET_MULTIPLES
    )


def _log_mean_exp(values: Sequence[float]) -> float:
    top = max(values)
    return top + math.log(sum(math.exp(v - top) for v in values) / len(values))
