"""What routing saves and what its losses cost in the support incident, by day and segment.

Two figures are given: the full rollout saves $100,000 a month, split over cheap-served requests alike; and the loss at the end of the story
(hidden share 2 -> 20 % of cheap traffic) costs $450,000 a month, the middle of the $400,000 to $500,000 that it is told with, split over
failing requests alike. So a point of hidden share costs $25,000 a month, a cheap request saves 10 cents, and a failure costs about 3 USD.

Damage of a day is what failures beyond the rate before the onset cost, of what is still served cheap, plus the savings of what is not.
"""

from dataclasses import dataclass

import numpy as np

from undertow.simulation.story import StoryModel, cells, hidden_share, rollout, scenario

SAVINGS_USD_MONTH = 100_000.0
LOSS_USD_MONTH = 450_000.0
DAYS_A_MONTH = 365.25 / 12
HORIZON_DAYS = 112


def failing(model: StoryModel, hidden: float) -> np.ndarray:
    """Failing requests of each segment, as shares of cheap traffic."""
    normal = (1.0 - hidden) * np.asarray(model.segment_shares) * model.fail_normal
    return normal + hidden * np.asarray(model.hidden_segment_shares) * model.fail_hidden


def saved_usd_request(model: StoryModel) -> float:
    """Savings of a cheap-served request."""
    return SAVINGS_USD_MONTH / (DAYS_A_MONTH * model.queries_per_day * model.eligible_share)


def failure_usd() -> float:
    """Cost of a failing request."""
    story = scenario("story")
    more = (failing(story, story.hidden_after) - failing(story, story.hidden_before)).sum()
    return LOSS_USD_MONTH / (DAYS_A_MONTH * story.queries_per_day * story.eligible_share * more)


def seen_of_failures(model: StoryModel, *, judge: bool = False) -> float:
    """Flags per failing request, of those that hidden intents add: a reviewer's sensitivity, which seeded failures measure."""
    normal, hidden, false = (
        (model.judge_seen_normal, model.judge_seen_hidden, model.judge_flagged_falsely)
        if judge
        else (model.seen_normal, model.seen_hidden, model.flagged_falsely)
    )
    flags = (model.fail_hidden - model.fail_normal) * -false + model.fail_hidden * hidden - model.fail_normal * normal
    return flags / (model.fail_hidden - model.fail_normal)


@dataclass(frozen=True)
class Stakes:
    """USD of each day and segment if all of it is served cheap. Shapes (days, S).

    Attributes:
        savings: Saved.
        loss: Lost by failures beyond the rate before the onset.
    """

    savings: np.ndarray
    loss: np.ndarray

    def damage(self, exposed: np.ndarray) -> np.ndarray:
        """Damage of runs, from the share of each day and segment that was served cheap. Shape (days, R, S); result (R,)."""
        return (self.loss[:, None] * exposed + self.savings[:, None] * (1.0 - exposed)).sum((0, 2))

    @property
    def unguarded(self) -> float:
        """Damage if nobody does anything."""
        return float(self.loss.sum())

    @property
    def oracle(self) -> float:
        """Damage of one that knows the truth: each segment is routed back on each day on which its loss exceeds its savings."""
        return float(np.minimum(self.loss, self.savings).sum())

    def avoided(self, damage: np.ndarray) -> np.ndarray:
        """Share of the avoidable damage that was avoided. Shape (R,)."""
        return (self.unguarded - damage) / (self.unguarded - self.oracle)


def stakes(model: StoryModel, days: int = HORIZON_DAYS) -> Stakes:
    """What is at stake on each day."""
    per_request, per_failure = saved_usd_request(model), failure_usd()
    usual = failing(model, model.hidden_before)
    savings, loss = [], []
    for day in range(days):
        hidden = hidden_share(model, day)
        requests = model.queries_per_day * model.eligible_share * rollout(model, day)
        savings.append(requests * per_request * cells(model, hidden).share.sum(1))
        loss.append(requests * per_failure * (failing(model, hidden) - usual))
    return Stakes(np.array(savings), np.array(loss))
