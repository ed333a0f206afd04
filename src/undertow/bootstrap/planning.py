"""The design that `undertow plan` and the dashboard plan with: from the settings, the log where there is one, and what somebody asks for instead."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from undertow.config.settings import Settings
from undertow.planning.options import PAIRWISE_SENSITIVITY, share_text
from undertow.records.cells import AuditCells
from undertow.records.power import Assumption, Design
from undertow.services.measured_design import BLIND_SENSITIVITY, measured_design
from undertow.services.power import watching

CHEAP_PER_DAY = 32_500.0
"""Answers of the cheaper tiers a day where no log says otherwise: the reference incident's, scaled to what one machine simulates."""
FAILURE_RATE = 0.06
SEGMENT_SHARES = (0.3, 0.25, 0.2, 0.1, 0.1, 0.05)


def settings_design(settings: Settings, sensitivity: float | None = None) -> tuple[Design, list[Assumption]]:
    """A design from the settings, and where its numbers come from.

    Args:
        settings: All settings.
        sensitivity: Share of the failures to come that reviewers see; None: as they are shown the answers.

    Examples:
        >>> settings_design(Settings())[0].reviews_per_day
        140.0
    """
    review, shadow = settings.review, settings.shadow
    has_judge = (settings.judge.model is not None or settings.judge.function is not None) and shadow.share > 0
    is_side_by_side = review.side_by_side and shadow.share > 0
    levels = ("level", "level_segment") if settings.holdout.share > 0 or is_side_by_side else ()
    shown = PAIRWISE_SENSITIVITY if is_side_by_side else BLIND_SENSITIVITY
    seen = shown if sensitivity is None else sensitivity
    design = Design(
        cheap_per_day=CHEAP_PER_DAY,
        reviews_per_day=review.per_day * review.cheap_share,
        tail_share=review.tail_share,
        segment_shares=SEGMENT_SHARES,
        failure_rate=FAILURE_RATE,
        sensitivity=seen,
        shadow_per_day=CHEAP_PER_DAY * shadow.share if has_judge else 0.0,
        alpha=settings.monitors.alpha,
        horizon_days=settings.monitors.horizon_days,
        margin=settings.monitors_margin,
        # What a log without a holdout, pairs or texts has none of takes no part of the budget.
        other_roles=(("capable",) if settings.holdout.share > 0 else ()) + levels,
    )
    said = [
        Assumption("answers of the cheaper tiers", f"{CHEAP_PER_DAY:,.0f} a day", "assumed"),
        Assumption(
            "reviews of the cheaper tiers",
            f"{design.reviews_per_day:,.0f} a day, {share_text(review.tail_share)} of the long tail",
            "settings",
        ),
        Assumption("share of them that say failed", share_text(FAILURE_RATE), "assumed"),
        Assumption(
            "failures to come that reviewers see",
            share_text(seen) + (", side by side" if is_side_by_side else ""),
            "assumed",
        ),
        Assumption(
            "judge",
            f"{design.shadow_per_day:,.0f} verdicts a day" if has_judge else "none, so nothing steers",
            "settings",
        ),
        Assumption("watched segments", f"{len(SEGMENT_SHARES)}", "assumed"),
        *watching(design, "assumed"),
        Assumption("largest accepted loss", share_text(design.margin), "settings"),
        Assumption("false-alarm budget", f"{share_text(design.alpha)} in {design.horizon_days} days", "settings"),
    ]
    return design, said


def logged_design(
    cells: AuditCells, design: Design, said: Iterable[Assumption]
) -> tuple[Design, list[Assumption], bool]:
    """The same with what a log says of it, and whether there is something to compare levels with.

    Args:
        cells: The log's sufficient statistics.
        design: From the settings.
        said: Where its numbers come from.
    """
    found, measured, has_reference = measured_design(cells, design)
    return found, merged(said, measured), has_reference


def asked_design(
    design: Design,
    said: Iterable[Assumption],
    cheap_share: float,
    *,
    labels_per_day: float | None = None,
    requests_per_day: float | None = None,
    failure_rate: float | None = None,
    sensitivity: float | None = None,
    margin: float | None = None,
    alpha: float | None = None,
    horizon_days: int | None = None,
) -> tuple[Design, list[Assumption]]:
    """The same with what somebody asks for instead; None leaves a number as it is.

    Args:
        design: As it is.
        said: Where its numbers come from.
        cheap_share: Share of the reviews that are of the cheaper tiers.
        labels_per_day: Reviews of all tiers.
        requests_per_day: Answers of the cheaper tiers.
        failure_rate: As in `Design`.
        sensitivity: As in `Design`.
        margin: As in `Design`.
        alpha: As in `Design`.
        horizon_days: As in `Design`.
    """
    given: list[Assumption] = []
    if labels_per_day is not None:
        design = replace(design, reviews_per_day=labels_per_day * cheap_share)
        value = f"{design.reviews_per_day:,.0f} a day of {labels_per_day:,.0f} in all"
        given.append(Assumption("reviews of the cheaper tiers", value, "option"))
    if requests_per_day is not None:
        design = replace(design, cheap_per_day=requests_per_day)
        given.append(Assumption("answers of the cheaper tiers", f"{requests_per_day:,.0f} a day", "option"))
    shares = {
        "failure_rate": ("share of them that say failed", failure_rate),
        "sensitivity": ("failures to come that reviewers see", sensitivity),
        "margin": ("largest accepted loss", margin),
        "alpha": ("false-alarm budget", alpha),
    }
    for field, (name, value) in shares.items():
        if value is not None:
            changed: dict[str, Any] = {field: value}
            design = replace(design, **changed)
            given.append(Assumption(name, share_text(value), "option"))
    if horizon_days is not None:
        design = replace(design, horizon_days=horizon_days)
    if alpha is not None or horizon_days is not None:
        budget = f"{share_text(design.alpha)} in {design.horizon_days} days"
        given.append(Assumption("false-alarm budget", budget, "option"))
    return design, merged(said, given)


def merged(said: Iterable[Assumption], later: Iterable[Assumption]) -> list[Assumption]:
    """Assumptions with the later ones in the place of those with the same name.

    Examples:
        >>> old, new = Assumption("judge", "none", "settings"), Assumption("judge", "9 verdicts a day", "log")
        >>> merged([old], [new]) == [new]
        True
    """
    return list(({each.name: each for each in said} | {each.name: each for each in later}).values())
