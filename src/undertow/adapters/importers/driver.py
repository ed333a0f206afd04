"""Drives an import: files -> records -> rows -> canonical files, with everything counted that was not used as given.

Two passes over the rows, never all of them in memory: the first reads the foreign records and sums what each model did, the
second gives each row its tier, its cost where the log has none, and its baseline cost.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from undertow.adapters.importers.fields import Fields
from undertow.adapters.importers.files import Undecodable, expand, records
from undertow.adapters.importers.importer import Importer, Reading
from undertow.adapters.importers.mapping import MappingFile
from undertow.adapters.importers.prices import list_price
from undertow.adapters.importers.result import ExplainedColumn, Explanation, ImportOptions, ImportResult, MissingColumn
from undertow.adapters.importers.rows import Context, Decision, Rejected, Row, Signal
from undertow.adapters.importers.staging import Staging, merge
from undertow.adapters.importers.tiers import ModelUse, TierKey, TierTable, assign, matched
from undertow.errors import LogError
from undertow.ports.audit_source import Progress, silent
from undertow.records.columns import DECISION_COLUMNS

REPORT_EVERY = 5000
MAX_SEGMENT_KEYS = 500
_encode = msgspec.json.encode


def run_import(
    importer: Importer, paths: Sequence[str], out_dir: Path, options: ImportOptions, progress: Progress = silent
) -> ImportResult:
    """Import foreign files into `out_dir/decisions.jsonl` and `out_dir/signals.jsonl`.

    Raises:
        LogError: nothing in the files could be used; the message says why and what to do.
    """
    mapping = options.mapping or MappingFile()
    tier_models = {**mapping.tiers, **options.tier_models}
    reading = Reading(
        Fields(options.timezone or mapping.timezone, naive_is_utc=importer.naive_is_utc),
        frozenset(tier_models),
        mapping,
    )
    reasons: Counter[str] = Counter()
    out_dir.mkdir(parents=True, exist_ok=True)
    with Staging(out_dir / ".staging") as staging:
        uses: dict[TierKey, ModelUse] = {}
        read = _stage(importer, expand(tuple(paths)), options, reading, staging, reasons, uses, progress)
        if not staging.counts["decisions"] and not staging.counts["signals"]:
            raise LogError(_nothing_usable(importer, paths, read, reasons))
        joined = importer.latest_wins or bool(staging.counts["contexts"] and staging.counts["links"])
        packed: Callable[[], Iterator[dict[str, Any]]]
        if joined:
            merged = out_dir / ".staging" / "merged.tsv"
            kept = _merge_all(staging, importer, merged, uses, progress)
            reasons["duplicate_record"] += staging.counts["decisions"] - kept

            def packed() -> Iterator[dict[str, Any]]:
                with merged.open("rb") as file:
                    for line in file:
                        yield msgspec.json.decode(line)
        else:

            def packed() -> Iterator[dict[str, Any]]:
                for row, _ in staging.decisions(latest_wins=False):
                    yield row

        table = assign(uses, tier_models)
        written = _Written()
        decisions = out_dir / "decisions.jsonl"
        _write_decisions(decisions, packed(), table, reading, written, progress)
        signals = out_dir / "signals.jsonl"
        _write_signals(signals, staging, importer, table, tier_models, uses, reasons, written, reading)
    reasons.update(reading.fields.issues)
    if reading.fields.naive_taken_as_utc:
        reading.remarks[
            "{n} times named no zone and were taken as UTC, as this tool documents; --timezone says otherwise"
        ] = reading.fields.naive_taken_as_utc
    notes = tuple(sentence.replace("{n}", f"{n:,}") for sentence, n in reading.remarks.items())
    return ImportResult(
        decisions=decisions,
        signals=signals if written.signals else None,
        draws=None,
        read=read,
        reasons={reason: n for reason, n in sorted(reasons.items()) if n},
        notes=(*table.notes, *notes),
        explanation=_explain(importer, written, table),
        tier_source=table.source,
        tier_order=table.order,
        segment_keys=tuple(sorted(written.segment_keys)),
        rows=written.decisions,
        signal_rows=sum(written.signals.values()),
    )


class _Written:
    """Counts of what was written."""

    def __init__(self) -> None:
        self.decisions = 0
        self.columns: Counter[str] = Counter()
        self.segment_keys: set[str] = set()
        self.signals: Counter[str] = Counter()
        self.computed_cost = 0
        self.computed_baseline = 0


def _stage(
    importer: Importer,
    files: list[Path],
    options: ImportOptions,
    reading: Reading,
    staging: Staging,
    reasons: Counter[str],
    uses: dict[TierKey, ModelUse],
    progress: Progress,
) -> int:
    """Read all records once; returns how many there were."""
    read = 0
    for path in files:
        source = records(path, max_record_bytes=options.max_record_bytes, max_document_bytes=options.max_document_bytes)
        for record in _flattened(source):
            read += 1
            if read % REPORT_EVERY == 0:
                progress(f"reading {path.name}", read, None)
            if isinstance(record, Undecodable):
                reasons[record.reason] += 1
                continue
            if not isinstance(record, dict):
                reasons["not_an_object"] += 1
                continue
            for row in importer.rows(record, reading):
                try:
                    _stage_row(row, staging, reasons, uses)
                except UnicodeEncodeError:
                    reasons["bad_text"] += 1
    return read


def _flattened(source: Iterator[Any]) -> Iterator[Any]:
    """Lists among the records (one array a line) count as their elements."""
    for record in source:
        if isinstance(record, list):
            yield from record
        else:
            yield record


def _stage_row(row: Row, staging: Staging, reasons: Counter[str], uses: dict[TierKey, ModelUse]) -> None:
    match row:
        case Decision():
            staging.add_decision(row)
            if row.served:
                key = TierKey(row.logged_tier, row.names, row.provider, row.proxy_tier)
                _count_use(uses, key, row.row)
        case Signal():
            staging.add_signal(row)
            for model in row.pair or ():
                # A shadow model may have served nothing itself, but its price tells the classes apart.
                uses.setdefault(TierKey(None, (model,), None, None), ModelUse(last_day=_day(row.row["event_time"])))
        case Context():
            staging.add_context(row)
        case Rejected():
            reasons[row.reason] += 1


def _count_use(uses: dict[TierKey, ModelUse], key: TierKey, row: Mapping[str, Any]) -> None:
    use = uses.get(key)
    if use is None:
        use = uses[key] = ModelUse()
    use.add(row.get("input_tokens"), row.get("output_tokens"), row.get("cost_usd"), _day(row["event_time"]))


def _day(stamp: str) -> date:
    return date(int(stamp[:4]), int(stamp[5:7]), int(stamp[8:10]))


def _key(packed: Mapping[str, Any]) -> TierKey:
    return TierKey(packed["l"], tuple(packed["n"]), packed["v"], packed["p"])


def _merge_all(
    staging: Staging, importer: Importer, target: Path, uses: dict[TierKey, ModelUse], progress: Progress
) -> int:
    """Join contexts into their decisions and keep the latest of each id; sums model use anew. Returns the rows kept."""
    for key in [key for key, use in uses.items() if use.rows]:
        del uses[key]
    kept = 0
    with target.open("wb", buffering=1 << 20) as file:
        for row, contexts in staging.decisions(latest_wins=importer.latest_wins):
            packed = merge(row, contexts)
            kept += 1
            if kept % REPORT_EVERY == 0:
                progress("joining", kept, staging.counts["decisions"])
            if packed["s"]:
                _count_use(uses, _key(packed), packed["r"])
            file.write(_encode(packed) + b"\n")
    return kept


def _write_decisions(
    path: Path,
    packed: Iterator[dict[str, Any]],
    table: TierTable,
    reading: Reading,
    written: _Written,
    progress: Progress,
) -> None:
    several = table.order is not None and len(table.order) > 1
    with path.open("wb", buffering=1 << 20) as file:
        for item in packed:
            row = item["r"]
            if item["s"]:
                key = _key(item)
                tier = table.tier.get(key)
                if tier is not None:
                    row["tier"] = tier
                _price(row, item, key, table, several=several, written=written)
            for column, value in row.items():
                if value is not None and value != {}:
                    written.columns[column] += 1
            if len(written.segment_keys) < MAX_SEGMENT_KEYS:
                written.segment_keys.update(row.get("segment", ()))
            file.write(_encode(row) + b"\n")
            written.decisions += 1
            if written.decisions % REPORT_EVERY == 0:
                progress("writing", written.decisions, None)
    if written.computed_cost:
        reading.remarks["{n} costs were computed from list prices and tokens, because the log names none"] = (
            written.computed_cost
        )
    if written.computed_baseline:
        reading.remarks[
            f"{{n}} baseline costs were computed: the row's own tokens at the list price of {table.capable_model} "
            "(same length of answer assumed)"
        ] = written.computed_baseline


def _price(
    row: dict[str, Any], item: Mapping[str, Any], key: TierKey, table: TierTable, *, several: bool, written: _Written
) -> None:
    """Fill `cost_usd` and `baseline_cost_usd` where tokens and prices allow."""
    tokens_in, tokens_out = row.get("input_tokens"), row.get("output_tokens")
    known = tokens_in is not None and tokens_out is not None
    day = _day(row["event_time"])
    if row.get("cost_usd") is None and known and key.model:
        price = list_price(key.model, key.provider, day)
        if price is not None:
            row["cost_usd"] = price.cost_usd(tokens_in, tokens_out, item["c"] or 0)
            written.computed_cost += 1
    if row.get("baseline_cost_usd") is not None or not several or row.get("tier") is None:
        return
    if table.order and row["tier"] == table.order[-1]:
        served = [c.get("cost_usd") for c in row.get("calls", ()) if c.get("purpose") == "serve"]
        own = served[0] if len(served) == 1 and served[0] is not None else row.get("cost_usd")
        if own is not None:
            row["baseline_cost_usd"] = own
    elif known and (price := table.capable_price(day)) is not None:
        row["baseline_cost_usd"] = price.cost_usd(tokens_in, tokens_out, item["c"] or 0)
        written.computed_baseline += 1


def _write_signals(
    path: Path,
    staging: Staging,
    importer: Importer,
    table: TierTable,
    tier_models: Mapping[str, tuple[str, ...]],
    uses: Mapping[TierKey, ModelUse],
    reasons: Counter[str],
    written: _Written,
    reading: Reading,
) -> None:
    by_model = {key.model: tier for key, tier in table.tier.items() if key.model and tier}
    path.unlink(missing_ok=True)
    if not staging.counts["signals"]:
        return
    seen = 0
    with path.open("wb", buffering=1 << 20) as file:
        for packed, contexts, decision_id in staging.signals(latest_wins=importer.latest_wins):
            seen += 1
            row = merge({"r": packed["r"], "n": (), "v": None}, contexts)["r"]
            row.pop("calls", None)
            row.pop("segment", None)
            if packed["p"]:
                tiers = {matched((m,), tier_models) or by_model.get(m) for m in packed["p"]}
                if len(tiers) == 1 and None not in tiers:
                    reasons["pair_within_one_tier"] += 1
                    continue
            if row.get("inclusion_probability") is not None and row.get("selection") == "unknown":
                row["selection"] = "sampled"
            if decision_id is not None:
                row["decision_id"] = decision_id
            elif packed["f"] and not any(row.get(c) for c in ("decision_id", "conversation_id", "user_id")):
                row["decision_id"] = packed["f"][0].partition(":")[2]
                reading.remark(
                    "{n} signals name a decision that is not in this log; they are kept and count as unjoined"
                )
            if not any(row.get(c) for c in ("decision_id", "conversation_id", "user_id")):
                reasons["signal_about_nothing"] += 1
                continue
            written.signals[f"{row['kind']}.{row['name']}"] += 1
            file.write(_encode(row) + b"\n")
    if importer.latest_wins and staging.counts["signals"] > seen:
        reasons["duplicate_record"] += staging.counts["signals"] - seen
    if not written.signals:
        path.unlink(missing_ok=True)


def _explain(importer: Importer, written: _Written, table: TierTable) -> Explanation:
    columns: list[ExplainedColumn] = []
    missing: list[MissingColumn] = []
    for column in DECISION_COLUMNS:
        n = written.columns[column.name]
        if n:
            source, note = importer.sources.get(column.name, ""), ""
            if column.name == "tier":
                source, note = _tier_source(table), "see the table of tiers"
            elif column.name == "cost_usd" and written.computed_cost:
                note = f"{written.computed_cost:,} computed from list prices and tokens"
            elif column.name == "baseline_cost_usd" and written.computed_baseline:
                source = source or "computed"
                note = f"{written.computed_baseline:,} computed: own tokens at the list price of {table.capable_model}"
            elif column.name == "baseline_cost_usd" and not source:
                source = "cost of the dearest tier's own answer"
            columns.append(ExplainedColumn(column.name, source, n / max(written.decisions, 1), note))
        elif column.name not in {"prompt", "response"}:
            missing.append(
                MissingColumn(column.name, importer.hints.get(column.name, GENERAL_HINTS.get(column.name, "")))
            )
    return Explanation(
        importer.format, tuple(columns), tuple(missing), table.models, dict(sorted(written.signals.items()))
    )


def _tier_source(table: TierTable) -> str:
    return {"logged": "the log's own tier", "mapped": "name patterns", "inferred": "inferred from model prices"}[
        table.source
    ]


GENERAL_HINTS = {
    "arm": "a randomised holdout: nothing but one makes the comparison causal",
    "arm_probability": "comes with a randomised holdout",
    "propensity": "probability of the served tier; no gateway logs it, so the audit is observational",
    "eligible": "whether constraints allowed the cheap tier",
    "conversation_id": "send a session or conversation id with each request: late outcomes are joined by it",
    "user_id": "send a pseudonymous user id with each request: tickets and churn are joined by it",
    "segment": "attach metadata or tags (intent, product, language) to requests: losses are found per segment",
    "confidence": "log the router's confidence: its drift is the earliest warning",
    "score": "log the router's raw score",
    "cost_usd": "log the cost, or token counts and a model name that the price list knows",
    "baseline_cost_usd": "needs token counts and a price of the capable model",
    "input_tokens": "log token usage (for streams: include_usage)",
    "output_tokens": "log token usage (for streams: include_usage)",
    "tier": "map models to tiers: [tiers.cheap] models = [...]",
    "model_fingerprint": "log the upstream's system_fingerprint: silent model changes show in it",
    "prompt_hash": "log the prompt template's name and version",
}


def _nothing_usable(importer: Importer, paths: Sequence[str], read: int, reasons: Mapping[str, int]) -> str:
    where = repr(str(paths[0])) + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")
    if not read:
        return f"{where} holds no records"
    if reasons.get("naive_time") and reasons["naive_time"] == max(reasons.values()):
        return (
            f"all {reasons['naive_time']:,} times in {where} name no time zone; say which one they are in with --timezone, "
            "for example --timezone UTC or --timezone Europe/Berlin"
        )
    if "daily_aggregate" in reasons:
        return (
            f"{where} holds daily totals (OpenRouter activity), not single requests: no quality can be told from them; "
            "export requests with Broadcast (OTLP) and give that file"
        )
    counted = ", ".join(f"{reason} {n:,}" for reason, n in sorted(reasons.items(), key=lambda item: -item[1])[:4])
    return f"none of the {read:,} records in {where} is a routed request in the format {importer.format!r} ({counted}); see undertow audit --explain"
