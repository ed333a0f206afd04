"""Quality signals of a simulated incident: reviews, thumbs, ratings, judge scores, what users did next, the weekly suite.

Each function looks at one day's requests and returns the signals about them. Reviews follow the plan of a careful team: split
by tier, the holdout reviewed on purpose, the long tail oversampled, a floor on the rest, every inclusion probability known.
"""

from dataclasses import dataclass

import numpy as np

from undertow.simulation.incidents import CAPABLE, CHEAP, UNSERVED, IncidentParameters
from undertow.simulation.incidents_traffic import DAY_MS, BoolArray, FloatArray, IntArray, Traffic

STRATA: tuple[str, ...] = (
    "cheap/tail", "cheap/body", "holdout/tail", "holdout/body", "eligible/tail", "eligible/body", "other",
)  # fmt: skip
"""Review strata; `eligible` is eligible traffic outside the holdout that the capable tier served (before or during rollout)."""

REVIEWERS = 12


@dataclass(frozen=True, slots=True)
class Signals:
    """Signals of one kind about one day's requests. All arrays have shape (n,)."""

    kind: str
    name: str
    key: str
    """`decision`, `conversation` or `user`: which id the row carries."""
    selection: str
    source: str
    day: int
    suite: bool
    row: IntArray
    """Position of the request in the day's `Traffic`."""
    time_ms: IntArray
    """Milliseconds since the first moment of the log."""
    value: FloatArray
    inclusion_probability: FloatArray
    """NaN where nothing was sampled."""

    def __len__(self) -> int:
        return len(self.row)

    def take(self, mask: BoolArray) -> "Signals":
        """The signals where `mask` holds."""
        return Signals(
            self.kind, self.name, self.key, self.selection, self.source, self.day, self.suite,
            self.row[mask], self.time_ms[mask], self.value[mask], self.inclusion_probability[mask],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReviewDraw:
    """Which requests of a day were drawn for review: stratum, probability and choice of every request. Shape (n,)."""

    stratum: IntArray
    """Points into `STRATA`; -1: not in the frame (nothing was served)."""
    inclusion_probability: FloatArray
    chosen: BoolArray


def _seen(
    traffic: Traffic, rng: np.random.Generator, sees_normal: float, sees_hidden: float, false_flag: float
) -> FloatArray:
    """1 where the checker found nothing wrong, else 0. A hidden failure is confident only when the cheap tier made it."""
    confident = traffic.hidden & (traffic.tier == CHEAP)
    sees = np.where(confident, sees_hidden, sees_normal)
    flagged = rng.random(len(traffic)) < np.where(traffic.failed, sees, false_flag)
    return np.where(flagged, 0.0, 1.0)


def review_strata(traffic: Traffic) -> IntArray:
    """Stratum of each request, pointing into `STRATA`; -1 where nothing was served."""
    body = (~traffic.tail).astype(np.int64)
    served_cheap = traffic.tier == CHEAP
    capable = traffic.tier == CAPABLE
    return np.select(
        [
            traffic.tier == UNSERVED,
            served_cheap,
            capable & traffic.eligible & traffic.holdout,
            capable & traffic.eligible,
        ],
        [np.full(len(traffic), -1), body, 2 + body, 4 + body],
        len(STRATA) - 1,
    )


def review_quota(parameters: IncidentParameters, sizes: IntArray) -> IntArray:
    """How many reviews each stratum gets on a day, given how many requests it holds. Shape (len(STRATA),).

    Reviews are split by tier, then the capable tier's between holdout and the rest, then each by tail and body. What a
    stratum cannot use, because it is too small, goes to the next group in the order cheap, holdout, eligible, other. Before
    routing the cheap tier's and the holdout's share goes to the eligible traffic.
    """
    p = parameters
    total = min(p.reviews_per_day, int(sizes.sum()))
    groups = {"cheap": (0, 1), "holdout": (2, 3), "eligible": (4, 5), "other": (6,)}
    held = {name: int(sizes[list(cells)].sum()) for name, cells in groups.items()}
    cheap = round(total * p.review_cheap_share)
    kept = round((total - cheap) * p.review_holdout_share)
    rest = total - cheap - kept
    if held["cheap"]:
        wanted = {"cheap": cheap, "holdout": kept, "eligible": rest // 2, "other": rest - rest // 2}
    else:
        wanted = {"cheap": 0, "holdout": 0, "eligible": cheap + kept, "other": rest}
    quota = np.zeros(len(STRATA), dtype=np.int64)
    over = 0
    for _ in range(2):  # the second pass places what the last groups could not use
        for name, cells in groups.items():
            room = held[name] - int(quota[list(cells)].sum())
            n = min(wanted[name] + over, room)
            over += wanted[name] - n
            wanted[name] = 0
            if len(cells) == 1:
                quota[cells[0]] += n
                continue
            tail, body = cells
            tail_n = min(round(n * p.review_tail_share), int(sizes[tail] - quota[tail]))
            body_n = min(n - tail_n, int(sizes[body] - quota[body]))
            quota[tail] += n - body_n
            quota[body] += body_n
    return quota


def draw_reviews(parameters: IncidentParameters, traffic: Traffic, rng: np.random.Generator) -> ReviewDraw:
    """Draw a day's reviews: a simple random sample of known size in each stratum, so the probability is n / N exactly."""
    stratum = review_strata(traffic)
    sizes = np.bincount(stratum[stratum >= 0], minlength=len(STRATA))
    quota = review_quota(parameters, sizes)
    probability = np.zeros(len(traffic))
    chosen = np.zeros(len(traffic), dtype=np.bool_)
    for code in range(len(STRATA)):
        if quota[code] == 0:
            continue
        members = np.flatnonzero(stratum == code)
        probability[members] = quota[code] / sizes[code]
        chosen[rng.choice(members, size=quota[code], replace=False, shuffle=False)] = True
    return ReviewDraw(stratum, probability, chosen)


def review_signals(
    parameters: IncidentParameters, traffic: Traffic, draw: ReviewDraw, rng: np.random.Generator
) -> Signals:
    """What the reviewers wrote about the requests drawn on a day, during the next working day."""
    p = parameters
    good = _seen(traffic, rng, p.review_sees_normal, p.review_sees_hidden, p.review_false_flag)
    row = np.flatnonzero(draw.chosen)
    at_ms = (traffic.day + 1) * DAY_MS + (rng.uniform(8.0, 18.0, len(row)) * 3_600_000).astype(np.int64)
    return Signals(
        "review", "accuracy", "decision", "sampled", "human", traffic.day, False,
        row, at_ms, good[row], draw.inclusion_probability[row],
    )  # fmt: skip


def _picked(
    traffic: Traffic, picked: BoolArray, delay_ms: FloatArray, value: FloatArray, kind: str, name: str, **how: str
) -> Signals:
    row = np.flatnonzero(picked)
    return Signals(
        kind, name, how.get("key", "decision"), how["selection"], how["source"], traffic.day, traffic.suite,
        row, traffic.time_ms[row] + delay_ms[row].astype(np.int64), value[row], np.full(len(row), np.nan),
    )  # fmt: skip


def thumb_signals(parameters: IncidentParameters, traffic: Traffic, rng: np.random.Generator) -> Signals:
    """Thumbs within a minute or so: about 3 down per 1,000, hardly more after a confident wrong answer."""
    p, n = parameters, len(traffic)
    served = traffic.tier != UNSERVED
    down = rng.random(n) < p.thumbs_down + p.thumbs_down_per_failure * traffic.failed
    up = (rng.random(n) < p.thumbs_up) & ~down
    delay = rng.exponential(60_000.0, n)
    value = up.astype(np.float64)
    return _picked(
        traffic, (down | up) & served, delay, value, "thumb", "helpful", selection="volunteered", source="user"
    )


def csat_signals(parameters: IncidentParameters, traffic: Traffic, rng: np.random.Generator) -> Signals:
    """Satisfaction ratings of conversations, two to nine days later, scaled to [0, 1] from five stars."""
    p, n = parameters, len(traffic)
    asked = (rng.random(n) < p.csat_share) & (traffic.tier != UNSERVED)
    stars = np.clip(np.rint(4.3 - 1.2 * traffic.failed + 0.9 * rng.standard_normal(n)), 1, 5)
    delay = rng.uniform(2.0, 9.0, n) * DAY_MS
    return _picked(
        traffic, asked, delay, (stars - 1) / 4, "rating", "csat",
        key="conversation", selection="volunteered", source="survey",
    )  # fmt: skip


def implicit_signals(parameters: IncidentParameters, traffic: Traffic, rng: np.random.Generator) -> Signals:
    """Whether the user asked the same again (0) or not (1), logged for a random share of requests."""
    p, n = parameters, len(traffic)
    watched = (rng.random(n) < p.implicit_share) & (traffic.tier != UNSERVED)
    noticed = np.where(
        traffic.hidden & (traffic.tier == CHEAP), 0.03, 0.25
    )  # who was answered confidently rarely asks again
    again = rng.random(n) < 0.08 + noticed * traffic.failed
    signals = _picked(
        traffic, watched, rng.exponential(400_000.0, n), np.where(again, 0.0, 1.0), "implicit", "not_asked_again",
        selection="sampled", source="gateway",
    )  # fmt: skip
    return _with_probability(signals, p.implicit_share)


def judge_signals(parameters: IncidentParameters, traffic: Traffic, rng: np.random.Generator) -> Signals:
    """A model judge's verdict on a random share of served requests, a few minutes later."""
    p, n = parameters, len(traffic)
    picked = (rng.random(n) < p.judge_share) & (traffic.tier != UNSERVED)
    good = _seen(traffic, rng, p.judge_sees_normal, p.judge_sees_hidden, p.judge_false_flag)
    signals = _picked(
        traffic, picked, rng.exponential(300_000.0, n), good, "judge", "quality", selection="sampled", source="judge"
    )
    return _with_probability(signals, p.judge_share)


def suite_signals(traffic: Traffic) -> Signals:
    """Verdicts of the regression suite: exact checks of every query of a run, an hour after it began."""
    served = traffic.tier != UNSERVED
    delay = np.full(len(traffic), 3_600_000.0)
    signals = _picked(
        traffic,
        served,
        delay,
        np.where(traffic.failed, 0.0, 1.0),
        "suite",
        "passed",
        selection="census",
        source="exact:suite",
    )
    return _with_probability(signals, 1.0)


def _with_probability(signals: Signals, probability: float) -> Signals:
    return Signals(
        signals.kind, signals.name, signals.key, signals.selection, signals.source, signals.day, signals.suite,
        signals.row, signals.time_ms, signals.value, np.full(len(signals), probability),
    )  # fmt: skip


def outcome_signals(
    parameters: IncidentParameters, traffic: Traffic, rng: np.random.Generator
) -> tuple[Signals, Signals]:
    """Events in other systems: the early outcome (tickets; by conversation) and the late one (churn; by user).

    Only events are here; nothing is said of requests that no event followed. An event that would come after its window is
    not written at all, so a mature exposure has all of its events.
    """
    p, n = parameters, len(traffic)
    served = traffic.tier != UNSERVED
    made = []
    for key, name, base, normal, concealed, least, lag, window in (
        (
            "conversation", p.early_name, p.early_base, p.early_per_failure, p.early_per_hidden_failure,
            0.1, p.early_lag_days, p.early_window_days,
        ),
        (
            "user", p.late_name, p.late_base, p.late_per_failure, p.late_per_hidden_failure,
            7.0, p.late_lag_days, p.late_window_days,
        ),
    ):  # fmt: skip
        chance = base + traffic.failed * np.where(traffic.hidden, concealed, normal)
        delay_days = least + rng.exponential(max(1e-6, lag - least), n)
        # Times past the window are folded back into it: the chance of an event stays as stated.
        folded = least + np.mod(delay_days - least, max(1e-6, 0.95 * window - least))
        happened = (rng.random(n) < chance) & served
        made.append(
            _picked(
                traffic,
                happened,
                folded * DAY_MS,
                np.ones(n),
                "outcome",
                name,
                key=key,
                selection="census",
                source="crm",
            )
        )
    return made[0], made[1]
