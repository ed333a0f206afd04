"""Other ways to spend the same reviews, and what no way of spending them shows."""

from dataclasses import dataclass, replace

from undertow.records.power import Delay, Design

PAIRWISE_SENSITIVITY = 0.8
"""Share of confident failures that a reviewer sees who is shown both answers (STATISTICS: reviewer sensitivity)."""

DEFAULT_SHADOW_SHARE = 0.02
SOON_DAYS = 28


@dataclass(frozen=True, slots=True)
class Alternative:
    """A design to compare, what it is in words, and what it takes beside the same reviews."""

    what: str
    design: Design
    costs: str = ""


def alternatives(design: Design) -> tuple[Alternative, ...]:
    """Designs with the same number of reviews that differ from `design` in one respect, and one with all of them.

    Examples:
        >>> from undertow.records.power import Design
        >>> [a.what for a in alternatives(Design(30_000, 140, 0.6, (0.5, 0.5), 0.06, 0.8, shadow_per_day=650))]
        ['watch one segment key, with half as many segments']
    """
    found: list[Alternative] = []
    if design.tail_share < 0.4:
        found.append(
            Alternative(
                "take 60 % of the reviews from the long tail ([review] tail_share = 0.6)",
                replace(design, tail_share=0.6),
            )
        )
    if design.shadow_per_day <= 0.0:
        pairs = DEFAULT_SHADOW_SHARE * design.cheap_per_day
        found.append(
            Alternative(
                "let a judge compare shadow answers and steer the reviews ([shadow] share = 0.02, [judge] model)",
                replace(design, shadow_per_day=pairs),
                f"about {pairs:,.0f} shadow answers and verdicts a day",
            )
        )
    if design.sensitivity < PAIRWISE_SENSITIVITY:
        found.append(
            Alternative(
                "show reviewers both answers side by side ([review] side_by_side = true)",
                replace(design, sensitivity=PAIRWISE_SENSITIVITY),
                "a shadow answer for each review" if design.shadow_per_day <= 0 else "",
            )
        )
    if len(found) > 1:
        together = design
        for each in found:
            together = replace(
                together,
                tail_share=max(together.tail_share, each.design.tail_share),
                shadow_per_day=max(together.shadow_per_day, each.design.shadow_per_day),
                sensitivity=max(together.sensitivity, each.design.sensitivity),
            )
        found.append(
            Alternative("all of these together", together, "; ".join(each.costs for each in found if each.costs))
        )
    if len(design.segment_shares) > 1:
        half = design.segment_shares[: (len(design.segment_shares) + 1) // 2]
        found.append(
            Alternative("watch one segment key, with half as many segments", replace(design, segment_shares=half))
        )
    return tuple(found)


def share_text(share: float) -> str:
    """A share as people plan it, without decimals that nobody chose.

    Examples:
        >>> share_text(0.1), share_text(0.025)
        ('10 %', '2.5 %')
    """
    return f"{100 * share:.4g} %"


def unseen(design: Design, delays: tuple[Delay, ...], *, has_reference: bool) -> tuple[str, ...]:
    """What the set-up cannot see, a sentence each.

    Args:
        design: Who looks at what.
        delays: Losses simulated on it.
        has_reference: Whether something from elsewhere (holdout, pairs, a period before routing) is there to compare with.
    """
    said: list[str] = []
    missed = [each for each in delays if each.median_days is None]
    if missed:
        said.append(
            f"{len(missed)} of the {len(delays)} losses above are missed more often than seen within {design.horizon_days} days"
        )
    if not has_reference:
        said.append(
            "a tier that was bad from its first day never changes: without a holdout, pairs or a period before routing it looks "
            "like a good one (set [holdout] share)"
        )
    thin = sum(design.reviews_per_day * share < 1.0 for share in design.segment_shares)
    if thin:
        said.append(
            f"{thin} watched segment{'s get' if thin > 1 else ' gets'} less than one review a day: a loss that stays inside "
            "shows only in the tier as a whole ([review] min_per_segment)"
        )
    if design.sensitivity < 1.0:
        said.append(
            f"failures that reviewers do not see: {share_text(1 - design.sensitivity)} of confident ones pass as good, whatever their number"
        )
    said.append(
        "a change that stays within the day-to-day noise of the labels: days that move together cost some days more than the table says"
    )
    return tuple(said)
