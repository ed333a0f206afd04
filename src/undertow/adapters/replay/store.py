"""Writes a replay of real outcomes as a store that `undertow audit` reads, with a note of what is real and what is scripted."""

import json
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from undertow.adapters.simulated.canonical import (
    connect,
    listed,
    prepare_folder,
    quoted,
    write_decisions,
    write_signals,
)
from undertow.ports.audit_source import Progress, silent
from undertow.simulation.arrival import CHEAP, ArrivalPlan, Arrivals, OutcomeTable, draw_arrivals

START = date(2026, 1, 5)
"""First day of every replay's scripted time line, a Monday."""


def write_replay(
    table: OutcomeTable,
    plan: ArrivalPlan,
    out: Path,
    *,
    seed: int = 1,
    overwrite: bool = False,
    progress: Progress = silent,
) -> int:
    """Replay a table of real outcomes as routed traffic and write it as a store.

    Args:
        table: From `undertow.adapters.replay.tables` or `.recording`.
        plan: The script.
        out: Root folder of the store; made if needed.
        seed: Seed of the script.
        overwrite: Replace a log that is there.
        progress: Told after each week.

    Returns:
        Decisions written.
    """
    prepare_folder(out, overwrite=overwrite)
    arrivals = draw_arrivals(table, plan, np.random.default_rng([seed, 99]))
    connection = connect()
    for day in range(plan.days):
        rows = np.flatnonzero(arrivals.day == day)
        folder = out / "decisions" / f"date={(START + timedelta(days=day)).isoformat()}"
        write_decisions(
            connection,
            folder / "live.parquet",
            _decision_arrays(table, arrivals, rows),
            _decision_sql(table, plan, day),
        )
        progress("writing days", day + 1, plan.days)
    _write_labels(connection, table, plan, arrivals, out)
    _write_notes(table, plan, arrivals, out, seed)
    return len(arrivals)


def _times(milliseconds: Any) -> Any:
    return np.datetime64(START, "us") + milliseconds.astype("timedelta64[ms]").astype("timedelta64[us]")


def _decision_arrays(table: OutcomeTable, arrivals: Arrivals, rows: Any) -> dict[str, Any]:
    prompt, tier = arrivals.prompt[rows], arrivals.tier[rows]
    arrays: dict[str, Any] = {
        "i": rows,
        "moment": _times(arrivals.time_ms[rows]),
        "who": arrivals.user[rows],
        "segment_code": table.segment[prompt],
        "eligible": arrivals.eligible[rows],
        "holdout": arrivals.holdout[rows],
        "tier": tier,
        "propensity": arrivals.propensity[rows],
        "confidence": table.confidence[prompt],
        "input_tokens": table.input_tokens[prompt, tier],
        "output_tokens": table.output_tokens[prompt, tier],
        "cost_usd": arrivals.cost_usd[rows],
        "baseline_cost_usd": arrivals.baseline_cost_usd[rows],
    }
    if table.prompts is not None and table.responses is not None:
        texts, answers = np.array(table.prompts, dtype=object), np.array(table.responses, dtype=object)
        kept = arrivals.labelled[rows]
        arrays["prompt"] = np.where(kept, texts[prompt], None)
        arrays["response"] = np.where(kept, answers[prompt, tier], None)
    return arrays


def _decision_sql(table: OutcomeTable, plan: ArrivalPlan, day: int) -> dict[str, str]:
    routing = day >= plan.pre_days
    share = float(plan.rollout_share(np.array([day]))[0])
    tier = "['cheap', 'capable'][tier + 1]"
    changed = table.provider_value is not None and day >= plan.shift_day
    has_confidence = "NOT isnan(confidence)"
    sql = {
        "decision_id": "'r' || lpad(CAST(i AS VARCHAR), 7, '0')",
        "event_time": "moment",
        "user_id": "'u' || lpad(CAST(who AS VARCHAR), 5, '0')",
        "segment": f"MAP {{{quoted(table.segment_key)}: {listed(table.segments)}[segment_code + 1]}}",
        "policy": "'classifier'",
        "policy_version": quoted(f"rollout-{share:.0%}" if routing else "observing"),
        "mode": quoted("route" if routing else "observe"),
        "origin": "'live'",
        "eligible": "eligible",
        "arm": "CASE WHEN holdout THEN 'holdout' ELSE 'treatment' END",
        "arm_probability": f"CASE WHEN holdout THEN {plan.holdout!r} ELSE {1 - plan.holdout!r} END",
        "propensity": "propensity",
        "first_tier": tier,
        "tier": tier,
        "requested_model": "'auto'",
        "model": f"{listed(table.models)}[tier + 1]",
        "model_fingerprint": f"['fp_cheap', '{'fp_capable_later' if changed else 'fp_capable'}'][tier + 1]",
        "escalated": "FALSE",
        "reason": f"CASE WHEN NOT eligible THEN 'constraint' WHEN {'FALSE' if routing else 'TRUE'} THEN 'observe' "
        f"WHEN holdout THEN 'holdout' WHEN tier = {CHEAP} THEN 'confident' ELSE 'rollout' END",
        "confidence": f"CASE WHEN {has_confidence} THEN confidence END",
        "confidence_kind": f"CASE WHEN {has_confidence} THEN 'uncalibrated' END",
        "input_tokens": "input_tokens",
        "output_tokens": "output_tokens",
        "cost_usd": "cost_usd",
        "baseline_cost_usd": "baseline_cost_usd",
        "status": "'ok'",
        "finish_reason": "'stop'",
    }
    if table.threshold is not None:
        sql["threshold"] = repr(table.threshold)
    if table.prompts is not None:
        sql |= {"prompt": "prompt", "response": "response"}
    return sql


def _write_labels(connection: Any, table: OutcomeTable, plan: ArrivalPlan, arrivals: Arrivals, out: Path) -> None:
    """Labels of the requests that were drawn, an hour after they were asked; nothing past the log's end."""
    hour_ms = 3_600_000
    row = np.flatnonzero(arrivals.labelled & (arrivals.time_ms + hour_ms < plan.days * 86_400_000))
    arrays = {
        "i": row,
        "moment": _times(arrivals.time_ms[row] + hour_ms),
        "quality": arrivals.value[row],
        "reference": arrivals.reference[row],
    }
    sql = {
        "signal_id": f"{quoted(table.label_kind)} || '-r' || lpad(CAST(i AS VARCHAR), 7, '0')",
        "event_time": "moment",
        "decision_id": "'r' || lpad(CAST(i AS VARCHAR), 7, '0')",
        "kind": quoted(table.label_kind),
        "name": quoted(table.label_name),
        "value": "quality",
        "selection": "'census'" if plan.label_share == 1.0 else "'sampled'",
        "inclusion_probability": repr(plan.label_share),
        "received_at": "moment",
        "source": quoted(table.label_source),
    }
    if table.pairs:
        sql["reference_value"] = "reference"
    write_signals(connection, out / "signals" / f"{table.label_kind}.parquet", arrays, sql)


def _names(table: OutcomeTable, prompts: Any) -> list[str]:
    return [table.segments[code] for code in np.unique(table.segment[prompts]).tolist()]


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 4)


def _write_notes(table: OutcomeTable, plan: ArrivalPlan, arrivals: Arrivals, out: Path, seed: int) -> None:
    usual, shifted = table.usual & table.eligible, table.shifted & table.eligible
    shift = START + timedelta(days=plan.shift_day)
    provider = table.provider_value is not None
    truth = {
        "simulated": False,
        "arrival": "scripted",
        "table": table.name,
        "title": table.title,
        "seed": seed,
        "routing_from": f"{START + timedelta(days=plan.pre_days)}T00:00:00Z",
        "shift_from": f"{shift}T00:00:00Z",
        "onset": f"{shift}T00:00:00Z",
        "cause": "provider" if provider else "routing",
        "usual_segments": _names(table, usual),
        "shifted_segments": _names(table, shifted),
        "real_loss_usual": _rounded(table.loss(usual)),
        "real_loss_shifted": _rounded(table.loss(shifted)),
        "confidence": table.confidence_note,
        "notes": list(table.notes),
        "plan": asdict(plan),
        "rows": {"decisions": len(arrivals), table.label_kind: int(arrivals.labelled.sum())},
    }
    (out / "truth.json").write_text(json.dumps(truth, indent=2) + "\n", encoding="utf-8")
    (out / "undertow.toml").write_text(_settings(table, plan), encoding="utf-8")
    change = (
        f"From {shift} the capable tier's answers are those of its later snapshot."
        if provider
        else f"From {shift} the mix of the eligible traffic shifts: {plan.shifted_before:.0%} -> {plan.shifted_after:.0%} "
        f"come from {', '.join(_names(table, shifted)[:4])}, where the cheap tier's real loss is "
        f"{100 * table.loss(shifted):.1f} points; on the usual mix it is {100 * table.loss(usual):.1f}."
    )
    lines = "\n".join(f"- {note}" for note in table.notes)
    (out / "README.md").write_text(
        f"# Real outcomes, scripted arrival: {table.title}\n\n{lines}\n- Confidence: {table.confidence_note}.\n\n{change}\n\n"
        "There are no business outcomes in this log, so an audit of it can find a quality loss but no Pareto trap.\n",
        encoding="utf-8",
    )


def _settings(table: OutcomeTable, plan: ArrivalPlan) -> str:
    """Settings of the replay; the margin is what a user of such a pair of models might accept."""
    parts = [f"# Real outcomes, scripted arrival: {table.title}\n"]
    for name, rank in (("cheap", 0), ("capable", 1)):
        usd_in, usd_out = table.price_usd_per_mtok[rank]
        parts.append(
            f'[tiers.{name}]\nmodels = ["{table.models[rank]}"]\nrank = {rank}\n'
            f"prices = {{ input_usd_per_mtok = {usd_in:g}, output_usd_per_mtok = {usd_out:g} }}\n"
        )
    parts.append(f'[monitors]\nsegments = ["{table.segment_key}"]\nmargin = {table.margin:g}\n')
    parts.append(f'[holdout]\nshare = {plan.holdout:g}\nunit = "user"\n')
    return "\n".join(parts)
