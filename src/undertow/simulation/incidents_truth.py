"""What an incident plants: the true loss per segment and the money, by expectation rather than by draw.

For the notes beside a simulated log, for tests and for the demonstration; an audit never reads them.
"""

from dataclasses import dataclass

from undertow.simulation.incidents import IncidentParameters

DAYS_PER_MONTH = 30.4375


@dataclass(frozen=True, slots=True)
class PlantedLoss:
    """What was planted, in the words of the audit: true failure rates per segment once the change is complete.

    `loss` is the cheap tier's failure rate minus the capable tier's on the same queries, in [-1, 1], before any reviewer
    misses something.
    """

    segment: str
    share_of_cheap: float
    hidden_share: float
    loss: float


def planted_losses(parameters: IncidentParameters, hidden: float) -> tuple[PlantedLoss, ...]:
    """True loss of the cheap tier, whole (segment `""`) and per intent, when a share `hidden` of it is hidden intents.

    Examples:
        >>> from undertow.simulation.incidents import SUPPORT
        >>> for p in planted_losses(SUPPORT, 0.20)[:5]:
        ...     print(p.segment or "whole tier", round(p.share_of_cheap, 2), round(p.loss, 3))
        whole tier 1.0 0.18
        order_status 0.26 0.075
        account 0.22 0.087
        product_info 0.18 0.104
        billing 0.18 0.482
    """
    worse_normal = parameters.cheap_fail_normal - parameters.capable_fail
    worse_hidden = parameters.cheap_fail_hidden - parameters.capable_fail
    rows = [PlantedLoss("", 1.0, hidden, (1 - hidden) * worse_normal + hidden * worse_hidden)]
    for intent in parameters.intents:
        normal, concealed = (1 - hidden) * intent.share, hidden * intent.hidden_share
        share = normal + concealed
        rows.append(
            PlantedLoss(
                intent.name, share, concealed / share, (normal * worse_normal + concealed * worse_hidden) / share
            )
        )
    return tuple(rows)


@dataclass(frozen=True, slots=True)
class ExpectedMoney:
    """USD a month of the product once rollout and change are complete; expectations, not draws."""

    bill_before_usd: float
    bill_after_usd: float
    savings_usd: float
    downstream_usd: float


def expected_money(parameters: IncidentParameters) -> ExpectedMoney:
    """Expected monthly bill, savings and downstream cost of the fully developed incident.

    Examples:
        >>> from undertow.simulation.incidents import SUPPORT
        >>> m = expected_money(SUPPORT)
        >>> round(m.bill_before_usd, -3), round(m.savings_usd, -3), round(m.downstream_usd, -3)
        (167000.0, 95000.0, 450000.0)
    """
    p = parameters
    per_query = (
        p.capable_input_tokens * p.capable_input_usd_per_mtok + p.capable_output_tokens * p.capable_output_usd_per_mtok
    ) / 1e6
    month = p.represents_per_day * DAYS_PER_MONTH
    routed = month * p.eligible_share * p.rollout[-1] * (1 - p.holdout)
    bill = month * per_query
    savings = routed * per_query * (1 - p.cheap_token_ratio * p.cheap_price_ratio)
    worse_normal = (1 - p.hidden_after) * (p.cheap_fail_normal - p.capable_fail)
    worse_hidden = p.hidden_after * (p.cheap_fail_hidden - p.capable_fail)
    usd_normal = p.early_per_failure * p.early_usd + p.late_per_failure * p.late_usd
    usd_hidden = p.early_per_hidden_failure * p.early_usd + p.late_per_hidden_failure * p.late_usd
    return ExpectedMoney(
        bill, bill - savings, savings, routed * (worse_normal * usd_normal + worse_hidden * usd_hidden)
    )
