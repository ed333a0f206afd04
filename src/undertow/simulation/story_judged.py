"""The support incident with a judge, steered labels and imperfect reviewing: joint counts, drawn day by day.

`undertow.simulation.story` draws whole runs at once. Where the next day's labels depend on what was seen, days must be drawn one by
one: the functions here draw one round (a day or a part of one) for all runs, given how many labels each cell gets. A cell is a
segment and a risk stratum, in the order segment 0 common, segment 0 tail, segment 1 common, ...

Also here: what goes wrong with labels. Reviewers differ in strictness and share the days unequally; labels come late or never,
depending on their stratum or on what they say.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from undertow.simulation.story import StoryModel, baseline, cells, hidden_share, rollout

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def drifted(model: StoryModel, day: int, points: float, from_day: int = 30) -> StoryModel:
    """The model with a judge that flags `points` more good answers from a day on; people stay as they are.

    Examples:
        >>> round(drifted(StoryModel(), 30, 0.04).judge_flagged_falsely, 2), drifted(StoryModel(), 29, 0.04).judge_flagged_falsely
        (0.12, 0.08)
    """
    if day < from_day:
        return model
    return replace(model, judge_flagged_falsely=model.judge_flagged_falsely + points)


def joint_rates(model: StoryModel, hidden: float) -> FloatArray:
    """Probability of (reviewer flags y, judge flags f) for an answer of each cell.

    Given whether the answer failed and of which kind it is, reviewer and judge err independently.

    Args:
        model: The scenario.
        hidden: Share of hidden intents.

    Returns:
        Probabilities, sum 1 over the last two axes. Shape (S, 2, 2, 2): segment, stratum, y, f.

    Examples:
        >>> model = StoryModel()
        >>> bool(np.allclose(joint_rates(model, 0.1)[..., 1, :].sum(-1), cells(model, 0.1).flag_rate))
        True
    """
    by_stratum = np.array([[1.0 - model.tail_share, model.tail_share], [1.0 - model.tail_hidden, model.tail_hidden]])
    normal = (1.0 - hidden) * np.asarray(model.segment_shares)[:, None] * by_stratum[0]
    bad = hidden * np.asarray(model.hidden_segment_shares)[:, None] * by_stratum[1]
    total = normal + bad

    def _table(fail: float, seen: float, judge_seen: float) -> FloatArray:
        table = np.zeros((2, 2))
        pairs = ((fail, seen, judge_seen), (1.0 - fail, model.flagged_falsely, model.judge_flagged_falsely))
        for probability, person, judge in pairs:
            table += probability * np.outer([1.0 - person, person], [1.0 - judge, judge])
        return table

    of_normal = _table(model.fail_normal, model.seen_normal, model.judge_seen_normal)
    of_bad = _table(model.fail_hidden, model.seen_hidden, model.judge_seen_hidden)
    mixed = normal[..., None, None] * of_normal + bad[..., None, None] * of_bad
    return mixed / total[..., None, None]


def shadow_pairs(model: StoryModel, day: int) -> float:
    """Pairs that the judge compares on a day: `shadow_share` of what the cheap tier serves.

    Examples:
        >>> shadow_pairs(StoryModel(), 0)
        650.0
    """
    return model.queries_per_day * model.eligible_share * rollout(model, day) * model.shadow_share


def draw_joint(n: IntArray, joint: FloatArray, rng: np.random.Generator) -> IntArray:
    """Counts of (y, f) among answers that have both a label and a verdict.

    Args:
        n: Answers per run and cell. Shape (R, C).
        joint: From `joint_rates`, cells flattened. Shape (C, 2, 2).
        rng: Source of randomness.

    Returns:
        Counts. Shape (R, C, 2, 2).
    """
    return rng.multinomial(n, joint.reshape(-1, 4)).reshape(*n.shape, 2, 2)


def draw_verdicts(
    pairs: float, shares: FloatArray, rates: FloatArray, runs: int, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Judge's flags on shadow pairs, drawn by rates: how many there are varies, too.

    Args:
        pairs: Expected pairs of the round.
        shares: How they divide over cells, sum 1. Shape (C,).
        rates: Judge's flag rate of each cell. Shape (C,).
        runs: R.
        rng: Source of randomness.

    Returns:
        Flags and pairs. Shapes (R, C).
    """
    n = rng.poisson(pairs * shares, (runs, len(shares)))
    return rng.binomial(n, rates), n


@dataclass(frozen=True, slots=True)
class Reviewers:
    """Reviewers of different strictness; the defaults average to the model's single one.

    Attributes:
        flagged_falsely: Share of good answers that each flags.
        seen: Each one's multiple of the model's sensitivity to failures (at most 1 after multiplication).
        usual_shares: Share of the labels that each does in the long run, sum 1.
        evenness: Concentration of the Dirichlet distribution of a day's shares; small: each day one or two do it all.
    """

    flagged_falsely: tuple[float, ...] = (0.005, 0.01, 0.02, 0.05)
    seen: tuple[float, ...] = (0.8, 1.0, 1.05, 1.1)
    usual_shares: tuple[float, ...] = (0.25, 0.25, 0.3, 0.2)
    evenness: float = 1.0

    def flag_rates(self, model: StoryModel, hidden: float) -> FloatArray:
        """Flag rate of each reviewer in each cell. Shape (K, C)."""
        return np.stack(
            [
                cells(
                    replace(
                        model,
                        flagged_falsely=false,
                        seen_normal=min(1.0, model.seen_normal * seen),
                        seen_hidden=min(1.0, model.seen_hidden * seen),
                    ),
                    hidden,
                ).flag_rate.ravel()
                for false, seen in zip(self.flagged_falsely, self.seen, strict=True)
            ]
        )

    def draw(
        self, n: IntArray, rates: FloatArray, shares: FloatArray, rng: np.random.Generator
    ) -> tuple[IntArray, IntArray]:
        """Flags and labels of each reviewer.

        Args:
            n: Labels per run and cell. Shape (R, C).
            rates: From `flag_rates`. Shape (K, C).
            shares: The day's shares of each run. Shape (R, K).
            rng: Source of randomness.

        Returns:
            Flags and labels. Shapes (R, C, K).
        """
        each = rng.multinomial(n, shares[:, None, :])
        return rng.binomial(each, rates.T), each

    def day_shares(self, runs: int, rng: np.random.Generator) -> FloatArray:
        """Who does how much today. Shape (R, K)."""
        return rng.dirichlet(self.evenness * np.asarray(self.usual_shares), runs)


@dataclass(frozen=True, slots=True)
class Returns:
    """How labels come back: late, or not at all.

    Attributes:
        flagged_delays, unflagged_delays: Probability of coming 0, 1, 2, ... days after the draw, sum 1, same length.
        flagged_missing, unflagged_missing: Share that never comes back, in the common and in the tail stratum.
        from_day: First day of the missing ones; what is late is late from the beginning.
    """

    flagged_delays: tuple[float, ...] = (1.0,)
    unflagged_delays: tuple[float, ...] = (1.0,)
    flagged_missing: tuple[float, float] = (0.0, 0.0)
    unflagged_missing: tuple[float, float] = (0.0, 0.0)
    from_day: int = 0

    @property
    def window_days(self) -> int:
        """Days after which nothing more comes."""
        return len(self.flagged_delays) - 1

    def draw(self, flags: IntArray, n: IntArray, day: int, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
        """Flagged and unflagged labels that come back, by days of delay.

        Args:
            flags: Flags given to the labels of a day. Shape (R, C).
            n: Labels drawn. Shape (R, C).
            day: Day on which they were drawn.
            rng: Source of randomness.

        Returns:
            Flagged and unflagged labels. Shapes (window_days + 1, R, C).
        """
        out = []
        for count, delays, missing in (
            (flags, self.flagged_delays, self.flagged_missing),
            (n - flags, self.unflagged_delays, self.unflagged_missing),
        ):
            kept = 1.0 - np.tile(missing if day >= self.from_day else (0.0, 0.0), n.shape[-1] // 2)
            back = rng.binomial(count, kept)
            out.append(np.moveaxis(rng.multinomial(back, delays), -1, 0))
        return out[0], out[1]


def _entropy(p: FloatArray, q: FloatArray) -> FloatArray:
    return p * np.log(p / q) + (1.0 - p) * np.log((1.0 - p) / (1.0 - q))


def best_cell_information(model: StoryModel, labels: int) -> FloatArray:
    """Relative entropy (nats) of a day's human labels if all of them went to the cell that shows most: the bound of steering.

    Args:
        model: The scenario.
        labels: Human labels of cheap answers a day.

    Returns:
        Nats per day, 0 before onset. Shape (days,).

    Examples:
        >>> best_cell_information(replace(StoryModel(), hidden_after=0.08, onset_day=30, ramp_days=1), 140)[[0, 30]].round(1).tolist()
        [0.0, 7.4]
    """
    before = baseline(model).cells.flag_rate
    return np.array(
        [
            labels * np.max(_entropy(cells(model, hidden_share(model, day)).flag_rate, before))
            for day in range(model.days)
        ]
    )


def judged_information(model: StoryModel, labels: FloatArray) -> FloatArray:
    """Nats per day of human labels divided over cells as given, plus those of the judge's verdicts on `shadow_pairs` of the traffic.

    What a detector that trusts its judge could use (row d).

    Args:
        model: The scenario.
        labels: Human labels by cell. Shape (S, 2).

    Returns:
        Nats per day. Shape (days,).
    """
    before = baseline(model).cells
    out = np.zeros(model.days)
    for day in range(model.days):
        now = cells(model, hidden_share(model, day))
        verdicts = shadow_pairs(model, day) * now.share
        out[day] = np.sum(labels * _entropy(now.flag_rate, before.flag_rate))
        out[day] += np.sum(verdicts * _entropy(now.judge_rate, before.judge_rate))
    return out


def anchored_information(model: StoryModel, quotas: tuple[int, int]) -> FloatArray:
    """Nats per day of human labels whose mean is narrowed by the judge (row e), strata as fixed quotas.

    Semiparametric: per stratum the entropy of the human flag rate, times how much less the prediction-powered mean varies than the
    labels' own; at least the labels' information by cell (row c).

    Args:
        model: The scenario.
        quotas: Human labels of the common and of the tail stratum a day.

    Returns:
        Nats per day. Shape (days,).
    """
    before = baseline(model).cells
    joint = joint_rates(model, model.hidden_before)
    out = np.zeros(model.days)
    for day in range(model.days):
        now = cells(model, hidden_share(model, day))
        narrowed = plain = 0.0
        for stratum, labels in enumerate(quotas):
            within = before.share[:, stratum] / before.share[:, stratum].sum()
            (_, _), (_, both) = table = np.einsum("s,sij->ij", within, joint[:, stratum])
            m, flagged = table[1].sum(), table[:, 1].sum()
            tau = (both - m * flagged) / (flagged * (1.0 - flagged))
            pi = labels / (labels + shadow_pairs(model, day) * now.share[:, stratum].sum())
            values = np.array([0.0, tau - tau / pi, 1.0 / pi, tau + (1.0 - tau) / pi])
            spread = (1.0 - pi) * tau**2 * flagged + pi * (table.ravel() @ values**2) - m**2
            here = now.share[:, stratum] / now.share[:, stratum].sum()
            rate = float(here @ now.flag_rate[:, stratum])
            narrowed += labels / pi * float(_entropy(np.asarray(rate), np.asarray(m))) * m * (1.0 - m) / spread
            plain += labels * float(here @ _entropy(now.flag_rate[:, stratum], before.flag_rate[:, stratum]))
        out[day] = max(narrowed, plain)
    return out
