"""What lies beside a simulated log: its settings (`undertow.toml`), what was planted (`truth.json`) and a README.

The truth is for people and tests; `undertow audit` reads none of it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from undertow.simulation.incidents import IncidentParameters, hidden_share
from undertow.simulation.incidents_truth import expected_money, planted_losses


def write_notes(parameters: IncidentParameters, out: Path, *, seed: int, written: Mapping[str, int]) -> None:
    """Write the three files into a store's root folder."""
    (out / "undertow.toml").write_text(settings_text(parameters), encoding="utf-8")
    truth = truth_of(parameters, seed=seed, written=written)
    (out / "truth.json").write_text(json.dumps(truth, indent=2) + "\n", encoding="utf-8")
    (out / "README.md").write_text(readme_text(parameters, seed=seed, written=written), encoding="utf-8")


def settings_text(parameters: IncidentParameters) -> str:
    """The `undertow.toml` of a simulated log: tiers with prices, outcomes with their cost and windows."""
    p = parameters
    capable_in, capable_out = p.capable_input_usd_per_mtok * p.scale, p.capable_output_usd_per_mtok * p.scale
    cheap_in, cheap_out = capable_in * p.cheap_price_ratio, capable_out * p.cheap_price_ratio
    return f"""# Settings of a simulated log ({p.incident}). One request of this log stands for {p.scale:g} of the product,
# so every amount of money here and in the log is {p.scale:g} times that of one request, ticket or user.

[tiers.cheap]
models = ["sim-small-*"]
rank = 0
prices = {{ input_usd_per_mtok = {cheap_in:.6g}, output_usd_per_mtok = {cheap_out:.6g} }}

[tiers.capable]
models = ["sim-large-*"]
rank = 1
prices = {{ input_usd_per_mtok = {capable_in:.6g}, output_usd_per_mtok = {capable_out:.6g} }}

[monitors]
segments = ["intent"]

[outcomes.{p.early_name}]
usd = {p.early_usd * p.scale:.6g}           # {p.early_usd:g} each
direction = "bad"
attribution_days = {p.early_window_days:g}
maturity_days = {p.early_window_days:g}

[outcomes.{p.late_name}]
usd = {p.late_usd * p.scale:.6g}          # {p.late_usd:g} each
direction = "bad"
attribution_days = {p.late_window_days:g}
maturity_days = {p.late_window_days:g}

[holdout]
share = {p.holdout:g}
unit = "user"

[review]
per_day = {p.reviews_per_day}
"""


def truth_of(parameters: IncidentParameters, *, seed: int, written: Mapping[str, int]) -> dict[str, Any]:
    """What was planted, as JSON values."""
    p = parameters
    money = expected_money(p)
    return {
        "simulated": True,
        "incident": p.incident,
        "healthy": p.healthy,
        "seed": seed,
        "log_from": f"{p.start.isoformat()}T00:00:00Z",
        "routing_from": p.routing_from.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "onset": None if p.onset is None else p.onset.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "log_until": p.ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "cause": None if p.healthy else "routing",
        "tier": None if p.healthy else "cheap",
        "worst_segment": None if p.healthy else {"intent": p.target_intent},
        "hidden_share_at_end": hidden_share(p, p.days - 1),
        "true_loss_at_end": [asdict(loss) for loss in planted_losses(p, hidden_share(p, p.days - 1))],
        "expected_usd_month_at_end": asdict(money),
        "requests_per_logged_request": p.scale,
        "parameters": json.loads(json.dumps(asdict(p), default=str)),
        "rows": dict(written),
    }


STORIES: dict[str, str] = {
    "support": (
        "A support assistant with four million monthly users puts a classifier in front of its model: 65 % of the traffic "
        'is taken for simple and goes to a cheap tier. Hidden intents ("where is this charge from" that is a fraud case) '
        "grow from a few per cent to a fifth of that traffic while the rollout goes on, and the cheap tier answers them "
        "fluently and wrongly."
    ),
    "success": (
        "A customer-success assistant routes by embedding similarity: what looks like a known how-to question goes to the "
        'cheap tier. "How do I export all our data" looks like one and is a customer about to leave. What it loses is '
        "two and a half to three times what it saves."
    ),
    "fintech": (
        'A fintech assistant is careful and routes only the 20 % "informational" queries. A few of those carry regulatory '
        "weight (advice, complaints, insurance cover) and are answered wrongly from the first day: nothing ever changes, "
        "so only a comparison with the holdout or with the weeks before routing shows it."
    ),
}


def readme_text(parameters: IncidentParameters, *, seed: int, written: Mapping[str, int]) -> str:
    """The README of a simulated log: the story, what was planted, what is simplified."""
    p = parameters
    money = expected_money(p)
    if p.healthy:
        planted = (
            "This is the healthy twin: the same traffic, with no loss. Hidden intents stay at "
            f"{p.hidden_before:.0%} of the eligible traffic, and the cheap tier fails every query, hidden or not, exactly as "
            f"often as the capable tier does ({p.capable_fail:.0%}). An alarm on this log is a false alarm."
        )
    else:
        assert p.onset is not None
        planted = (
            f"Onset: {p.onset:%Y-%m-%d}. Tier: cheap. Worst segment: intent={p.target_intent}. Hidden intents: "
            f"{p.hidden_before:.0%} of the eligible traffic before, {p.hidden_after:.0%} after. The cheap tier fails "
            f"{p.cheap_fail_hidden:.0%} of them and {p.cheap_fail_normal:.0%} of the others, the capable tier "
            f"{p.capable_fail:.0%} of everything. Expected at the end: {money.savings_usd:,.0f} USD a month saved, "
            f"{money.downstream_usd:,.0f} USD a month lost downstream."
        )
    rows = ", ".join(f"{n:,} {kind}" for kind, n in written.items())
    return f"""# A simulated log: {p.incident}{" (healthy)" if p.healthy else ""}

Everything here is simulated (seed {seed}); texts were written for the project. Read it with `undertow audit` and this folder.

{STORIES[p.incident]}

## What was planted

{planted}

Routing starts on {p.routing_from:%Y-%m-%d} after {p.pre_weeks} weeks on the capable tier alone; the rollout goes
{", ".join(f"{share:.0%}" for share in p.rollout)} by week; {p.holdout:.0%} of users are held out at random.
`truth.json` has every parameter and the true loss of each segment.

## What to know

- One request of this log stands for {p.scale:g} requests of the product ({p.represents_per_day:,} a day). Costs in the
  log and amounts in `undertow.toml` are scaled by that; counts, rates and sample sizes are not.
- `eligible` is fixed by the request; the router's confidence is known for eligible requests only. Before routing it only
  observed (`mode = observe`), so the same segments have a history on the capable tier.
- Reviews are drawn a day at a time in strata of tier, arm and long tail; `draws/` has the probability of every request,
  drawn or not. The weekly regression suite (`origin = suite`) is static and goes through the router.
- Text is there for decisions drawn for review, unless the log was made with another `--text`.
- `calls` lists the upstream calls of requests that a judge scored; the others made one call, which is in `cost_usd`.
- Simplified: users who leave are replaced by others under the same id, and a user's requests fail independently.

Rows: {rows}.
"""
