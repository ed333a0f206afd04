"""What a log's decisions say of one tier's answers: served, withheld or only shadowed, with which evidence, at what cost. As SQL."""

from dataclasses import dataclass
from datetime import datetime

from undertow.adapters.duckdb.sql import literal, literals

STRATA = ("served", "withheld", "unasked", "holdout")
"""Where an answer of the tier can come from: the treatment arm's answers that were served and withheld, its requests that the tier was not asked
(shadowed, if at all), and the holdout arm."""

OUTSIDE = ("not_live", "too_old", "not_eligible")
"""Reasons for which a decision is none of the requests that a calibration is about."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is wanted of the log.

    Attributes:
        tier: Whose answers are judged.
        capable_tier: What they are compared with.
        origins: Of the decisions that count.
        since: Only decisions from then on (naive UTC), or None.
    """

    tier: str
    capable_tier: str
    origins: tuple[str, ...]
    since: datetime | None


def judged_sql(table: str, asked: Asked) -> str:
    """Decisions with what is known of their answer of the tier; `reason` says why one cannot be used.

    The features of a record are those of the answer that was judged last; those of cheaper tiers before it are called `TIER/NAME`. In a log
    without such names the calls tell that another tier's answer was judged last (a whole answer that was not served is `discarded`).
    An answer of tool calls alone may be served without a confidence, since its signature was checked: `is_always_served`.
    """
    tier, capable = literal(asked.tier), literal(asked.capable_tier)
    origins = literals(asked.origins)
    since = (
        "false" if asked.since is None else f"NOT coalesce(event_time >= TIMESTAMP {literal(str(asked.since))}, false)"
    )
    # What the answer cost, and what is not known of one call is not known of their sum.
    cheap = _sum_of_costs(f"c.tier = {tier} AND c.purpose IN ('serve', 'self_check', 'race')")
    dear = _sum_of_costs(
        f"c.tier = {capable} AND c.purpose IN ('serve', 'race', 'shadow') AND c.status IN ('ok', 'discarded')"
    )
    return f"""
        SELECT decision_id, event_time, segment, prompt, is_served, is_withheld, is_always_served, tier,
               CASE WHEN coalesce(arm, 'treatment') = 'holdout' THEN 'holdout' WHEN is_served THEN 'served' WHEN is_withheld THEN 'withheld'
                    ELSE 'unasked' END AS stratum,
               coalesce(CAST(floor(epoch(event_time) / 3600) AS BIGINT), 0) AS hour,
               map_from_entries(list_transform(list_filter(map_entries(features), lambda e: starts_with(e.key, {literal(asked.tier + "/")}) = has_own
                   AND (has_own OR NOT contains(e.key, '/'))), lambda e: {{'key': CASE WHEN has_own THEN substr(e.key, {len(asked.tier) + 2}) ELSE e.key END, 'value': e.value}})) AS features,
               CASE WHEN coalesce(confidence_kind, 'uncalibrated') = 'uncalibrated' AND isfinite(score) THEN score END AS score,
               coalesce({cheap}, CASE WHEN calls IS NULL AND is_served THEN cost_usd END) AS cheap_usd,
               coalesce({dear}, baseline_cost_usd) AS capable_usd,
               coalesce(CASE WHEN is_served THEN model END,
                        list_filter(coalesce(calls, []), lambda c: c.tier = {tier} AND c.model IS NOT NULL)[-1].model) AS answered_by,
               CASE WHEN coalesce(origin, 'live') NOT IN ({origins}) THEN 'not_live'
                    WHEN {since} THEN 'too_old'
                    WHEN NOT coalesce(eligible, true) THEN 'not_eligible'
                    WHEN NOT (is_served OR is_withheld OR is_shadowed) THEN 'no_cheap_answer'
                    WHEN is_elsewhere AND NOT has_own THEN 'another_tier_judged'
                    WHEN reason IN ('empty_answer', 'invalid_answer') THEN 'never_served'
                    WHEN NOT has_numbers AND NOT is_always_served AND coalesce(reason, '') <> 'no_confidence' THEN 'no_features' END AS reason
        FROM (SELECT *, coalesce(tier = {tier}, false) AS is_served,
                     coalesce(arm, 'treatment') <> 'holdout' AND coalesce(tier <> {tier}, false)
                     AND (coalesce(first_tier = {tier} AND coalesce(escalated, true), false) OR {_has_call(tier, "c.status = 'discarded'")}) AS is_withheld,
                     {_has_call(tier, "c.purpose = 'shadow'")} AS is_shadowed,
                     coalesce(tier = {tier} AND reason = 'confident', false) AND confidence IS NULL AND score IS NULL
                     AND confidence_kind IS NULL AS is_always_served,
                     coalesce(tier NOT IN ({tier}, {capable}), false)
                     OR {_has_call("", f"c.status = 'discarded' AND c.purpose <> 'shadow' AND c.tier NOT IN ({tier}, {capable})")} AS is_elsewhere,
                     len(list_filter(coalesce(map_keys(features), []), lambda k: starts_with(k, {literal(asked.tier + "/")}))) > 0 AS has_own,
                     coalesce(cardinality(features), 0) > 0 OR coalesce(isfinite(score), false) AS has_numbers
              FROM {table} QUALIFY row_number() OVER (PARTITION BY decision_id ORDER BY event_time, tier) = 1)
    """


def _has_call(tier: str, condition: str) -> str:
    of_tier = f"c.tier = {tier} AND " if tier else ""
    return f"coalesce(len(list_filter(calls, lambda c: {of_tier}{condition})) > 0, false)"


def _sum_of_costs(condition: str) -> str:
    chosen = f"list_filter(coalesce(calls, []), lambda c: {condition})"
    costs = f"list_transform({chosen}, lambda c: c.cost_usd)"
    return f"CASE WHEN len({chosen}) > 0 AND list_count({costs}) = len({chosen}) THEN list_sum({costs}) END"
