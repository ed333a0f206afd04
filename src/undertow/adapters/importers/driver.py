"""Drives an import: files -> records -> rows -> canonical files, with everything counted that was not used as given.

Two passes over the rows, never all of them in memory: the first reads the foreign records and sums what each model did, the
second gives each row its tier, its cost where the log has none, and its baseline cost.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from undertow.adapters.importers.fields import Fields
from undertow.adapters.importers.files import Undecodable, expand, records
from undertow.adapters.importers.importer import Importer, Reading
from undertow.adapters.importers.labels import TIER_KEYS
from undertow.adapters.importers.mapping import MappingFile
from undertow.adapters.importers.result import ExplainedColumn, Explanation, ImportOptions, ImportResult, MissingColumn
from undertow.adapters.importers.rows import Context, Decision, Rejected, Row, Signal
from undertow.adapters.importers.staging import Staging, merge
from undertow.adapters.importers.tables import TABLE
from undertow.adapters.importers.tiers import ModelUse, TierKey, TierTable, assign, matched, price_of
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
    out_dir.mkdir(parents=True, exist_ok=True)
    with Staging(out_dir / ".staging") as staging:
        return _Run(importer, out_dir, options, staging, progress=progress).run(paths)


class _Run:
    """One import: its staging files, its counts, and the steps."""

    def __init__(
        self, importer: Importer, out_dir: Path, options: ImportOptions, staging: Staging, *, progress: Progress
    ) -> None:
        mapping = options.mapping or MappingFile()
        self.importer, self.out_dir, self.options, self.staging, self.progress = (
            importer,
            out_dir,
            options,
            staging,
            progress,
        )
        self.tier_models = {**mapping.tiers, **options.tier_models}
        self.reading = Reading(
            Fields(options.timezone or mapping.timezone, naive_is_utc=importer.naive_is_utc),
            frozenset(self.tier_models),
            mapping,
        )
        self.read = 0
        self.reasons: Counter[str] = Counter()
        self.uses: dict[TierKey, ModelUse] = {}
        self.decisions = 0
        self.columns: Counter[str] = Counter()
        self.segment_keys: set[str] = set()
        self.signals: Counter[str] = Counter()
        self.computed_cost = 0
        self.computed_baseline = 0

    def run(self, paths: Sequence[str]) -> ImportResult:
        """All steps, in order."""
        for path in expand(tuple(paths)):
            self._stage(path)
        staged = self.staging.counts
        if not staged["decisions"] and not staged["signals"]:
            raise LogError(_nothing_usable(self.importer, paths, self.read, self.reasons))
        if self.importer.latest_wins or (staged["contexts"] and staged["links"]):
            packed = self._merged()
        else:
            packed = (row for row, _ in self.staging.decisions(latest_wins=False))
        table = assign(self.uses, self.tier_models)
        decisions, signals = self.out_dir / "decisions.jsonl", self.out_dir / "signals.jsonl"
        self._write_decisions(decisions, packed, table)
        self._write_signals(signals, table)
        self.reasons.update(self.reading.fields.issues)
        return ImportResult(
            decisions=decisions,
            signals=signals if self.signals else None,
            draws=None,
            read=self.read,
            reasons={reason: n for reason, n in sorted(self.reasons.items()) if n},
            notes=(*table.notes, *self._notes(table)),
            explanation=self._explain(table),
            tier_source=table.source,
            tier_order=table.order,
            segment_keys=tuple(sorted(self.segment_keys)),
            rows=self.decisions,
            signal_rows=self.signals.total(),
        )

    def _stage(self, path: Path) -> None:
        """Read the records of one file."""
        source = records(
            path, max_record_bytes=self.options.max_record_bytes, max_document_bytes=self.options.max_document_bytes
        )
        for record in _flattened(source):
            self.read += 1
            if self.read % REPORT_EVERY == 0:
                self.progress(f"reading {path.name}", self.read, None)
            if isinstance(record, Undecodable):
                self.reasons[record.reason] += 1
            elif not isinstance(record, dict):
                self.reasons["not_an_object"] += 1
            else:
                for row in self.importer.rows(record, self.reading):
                    try:
                        self._stage_row(row)
                    except UnicodeEncodeError:
                        self.reasons["bad_text"] += 1

    def _stage_row(self, row: Row) -> None:
        match row:
            case Decision():
                self.staging.add_decision(row)
                if row.served:
                    self._count_use(TierKey(row.logged_tier, row.names, row.provider, row.proxy_tier), row.row)
            case Signal():
                self.staging.add_signal(row)
                for model in row.pair or ():
                    # A shadow model may have served nothing itself, but its price tells the classes apart.
                    self.uses.setdefault(
                        TierKey(None, (model,), None, None), ModelUse(last_day=_day(row.row["event_time"]))
                    )
            case Context():
                self.staging.add_context(row)
            case Rejected():
                self.reasons[row.reason] += 1

    def _count_use(self, key: TierKey, row: Mapping[str, Any]) -> None:
        use = self.uses.get(key)
        if use is None:
            use = self.uses[key] = ModelUse()
        use.add(row.get("input_tokens"), row.get("output_tokens"), _own_cost(row), _day(row["event_time"]))

    def _merged(self) -> Iterator[dict[str, Any]]:
        """Join contexts into their decisions and keep the latest of each id; sums model use anew."""
        for key in [key for key, use in self.uses.items() if use.rows]:
            del self.uses[key]
        target = self.out_dir / ".staging" / "merged.tsv"
        total, kept = self.staging.counts["decisions"], 0
        with target.open("wb", buffering=1 << 20) as file:
            for row, contexts in self.staging.decisions(latest_wins=self.importer.latest_wins):
                packed = merge(row, contexts)
                kept += 1
                if kept % REPORT_EVERY == 0:
                    self.progress("joining", kept, total)
                if packed["s"]:
                    self._count_use(_key(packed), packed["r"])
                file.write(_encode(packed) + b"\n")
        self.reasons["duplicate_record"] += total - kept
        return _lines_of(target)

    def _write_decisions(self, path: Path, packed: Iterator[dict[str, Any]], table: TierTable) -> None:
        with path.open("wb", buffering=1 << 20) as file:
            for item in packed:
                row = item["r"]
                if item["l"] is not None and "segment" in row:
                    # A label that was read as the tier is no segment beside it.
                    row["segment"] = {k: v for k, v in row["segment"].items() if k not in TIER_KEYS or v != item["l"]}
                if item["s"]:
                    key = _key(item)
                    if (tier := table.tier.get(key)) is not None:
                        row["tier"] = tier
                    self._price(row, item["c"] or 0, key, table)
                for column, value in row.items():
                    if value is not None and value != {}:
                        self.columns[column] += 1
                if len(self.segment_keys) < MAX_SEGMENT_KEYS:
                    self.segment_keys.update(row.get("segment", ()))
                file.write(_encode(row) + b"\n")
                self.decisions += 1
                if self.decisions % REPORT_EVERY == 0:
                    self.progress("writing", self.decisions, None)

    def _price(self, row: dict[str, Any], cached: int, key: TierKey, table: TierTable) -> None:
        """Fill `cost_usd` and `baseline_cost_usd` where tokens and prices allow."""
        tokens_in, tokens_out = row.get("input_tokens"), row.get("output_tokens")
        known = tokens_in is not None and tokens_out is not None
        day = _day(row["event_time"])
        if row.get("cost_usd") is None and known and (price := price_of(key, day)) is not None:
            row["cost_usd"] = price.cost_usd(tokens_in, tokens_out, cached)
            self.computed_cost += 1
        if (
            row.get("baseline_cost_usd") is not None
            or row.get("tier") is None
            or not table.order
            or len(table.order) < 2
        ):
            return
        if row["tier"] == table.order[-1]:
            if (own := _own_cost(row)) is not None:
                row["baseline_cost_usd"] = own
        elif known and (price := table.capable_price(day)) is not None:
            row["baseline_cost_usd"] = price.cost_usd(tokens_in, tokens_out, cached)
            self.computed_baseline += 1

    def _write_signals(self, path: Path, table: TierTable) -> None:
        by_model = {key.model: tier for key, tier in table.tier.items() if key.model and tier}
        path.unlink(missing_ok=True)
        staged, seen = self.staging.counts["signals"], 0
        if not staged:
            return
        with path.open("wb", buffering=1 << 20) as file:
            for packed, contexts, decision_id in self.staging.signals(latest_wins=self.importer.latest_wins):
                seen += 1
                if packed["p"]:
                    tiers = {matched((model,), self.tier_models) or by_model.get(model) for model in packed["p"]}
                    if len(tiers) == 1 and None not in tiers:
                        self.reasons["pair_within_one_tier"] += 1
                        continue
                row = self._resolved(packed, contexts, decision_id)
                if not any(row.get(column) for column in _IDS):
                    self.reasons["signal_about_nothing"] += 1
                    continue
                self.signals[f"{row['kind']}.{row['name']}"] += 1
                file.write(_encode(row) + b"\n")
        self.reasons["duplicate_record"] += staged - seen
        if not self.signals:
            path.unlink(missing_ok=True)

    def _resolved(
        self, packed: dict[str, Any], contexts: list[dict[str, Any]], decision_id: str | None
    ) -> dict[str, Any]:
        """A signal with its context filled in and its decision named."""
        row: dict[str, Any] = merge({"r": packed["r"], "n": (), "v": None}, contexts)["r"]
        for column in ("calls", "segment", "policy_version"):
            row.pop(column, None)
        if row.get("inclusion_probability") is not None and row.get("selection") == "unknown":
            row["selection"] = "sampled"
        if decision_id is not None:
            row["decision_id"] = decision_id
        elif packed["f"] and not any(row.get(column) for column in _IDS):
            row["decision_id"] = packed["f"][0].partition(":")[2]
            self.reading.remark(
                "{n} signals name a decision that is not in this log; they are kept and count as unjoined"
            )
        return row

    def _notes(self, table: TierTable) -> list[str]:
        remarks = self.reading.remarks
        if self.computed_cost:
            remarks["{n} costs were computed from list prices and tokens, because the log names none"] = (
                self.computed_cost
            )
        if self.computed_baseline:
            remarks[
                f"{{n}} baseline costs were computed: the row's own tokens at the list price of {table.capable_model} (same length of answer assumed)"
            ] = self.computed_baseline
        if taken := self.reading.fields.naive_taken_as_utc:
            remarks[
                "{n} times named no zone and were taken as UTC, as this tool documents; --timezone says otherwise"
            ] = taken
        notes = [sentence.replace("{n}", f"{n:,}") for sentence, n in remarks.items()]
        for purpose, usd in self.reading.unattached_usd.items():
            notes.append(
                f"${usd:,.4f} of internal spend ({purpose}) names no request; it is in the ledger only where the shadow evaluation tables name it"
            )
        return notes

    def _explain(self, table: TierTable) -> Explanation:
        columns: list[ExplainedColumn] = []
        missing: list[MissingColumn] = []
        for column in DECISION_COLUMNS:
            n = self.columns[column.name]
            if n:
                source, note = self._origin_of(column.name, table)
                columns.append(ExplainedColumn(column.name, source, n / max(self.decisions, 1), note))
            elif column.name not in {"prompt", "response"}:
                missing.append(
                    MissingColumn(column.name, self.importer.hints.get(column.name, GENERAL_HINTS.get(column.name, "")))
                )
        return Explanation(
            self.importer.format, tuple(columns), tuple(missing), table.models, dict(sorted(self.signals.items()))
        )

    def _origin_of(self, column: str, table: TierTable) -> tuple[str, str]:
        """Source and note of one column."""
        source = self.importer.sources.get(column, "")
        if self.importer.format == TABLE.format and column in self.reading.taken:
            source = self.reading.taken[column]
        if column == "tier":
            rule = {
                "logged": "the log's own tier",
                "mapped": "name patterns",
                "inferred": "inferred from model prices",
            }[table.source]
            return rule, "see the table of tiers"
        if column == "cost_usd" and self.computed_cost:
            return source, f"{self.computed_cost:,} computed from list prices and tokens"
        if column == "baseline_cost_usd" and self.computed_baseline:
            return (
                source or "computed",
                f"{self.computed_baseline:,} computed: own tokens at the list price of {table.capable_model}",
            )
        if column == "baseline_cost_usd" and not source:
            return "cost of the dearest tier's own answer", ""
        return source, ""


def _own_cost(row: Mapping[str, Any]) -> float | None:
    """Cost of the answer alone, without what classifying and watching it cost."""
    served = [call.get("cost_usd") for call in row.get("calls", ()) if call.get("purpose") == "serve"]
    known = [usd for usd in served if usd is not None]
    return sum(known) if known else row.get("cost_usd")


_IDS = ("decision_id", "conversation_id", "user_id")


def _flattened(source: Iterator[Any]) -> Iterator[Any]:
    """Lists among the records (one array a line) count as their elements."""
    for record in source:
        if isinstance(record, list):
            yield from record
        else:
            yield record


def _lines_of(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for line in file:
            yield msgspec.json.decode(line)


def _day(stamp: str) -> date:
    return date(int(stamp[:4]), int(stamp[5:7]), int(stamp[8:10]))


def _key(packed: Mapping[str, Any]) -> TierKey:
    return TierKey(packed["l"], tuple(packed["n"]), packed["v"], packed["p"])


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
    "policy": "log which router or policy decided",
    "policy_version": "log the router's configuration version: changes of quality are dated against it",
    "calibration_version": "log the version of the confidence's calibration, if there is one",
    "mode": "route, or observe where the choice was only logged",
    "reason": "log why the router chose the tier",
    "first_tier": "log the tier that answered first, if answers can be escalated",
    "escalated": "log whether a cheap answer was withheld and replaced",
    "threshold": "log the confidence below which the router escalates",
    "confidence_kind": "comes with a confidence",
    "novelty": "distance from the training distribution; only Undertow's own gateway logs it",
    "calls": "one entry for each upstream call: what classifying and watching cost",
    "latency_ms": "log the time to the last byte",
    "ttft_ms": "log the time to the first token",
    "finish_reason": "log why the upstream stopped",
    "requested_model": "log the model or alias that the caller asked for",
    "model": "log the model that served",
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
    ordered = sorted(reasons.items(), key=lambda item: -item[1])[:4]
    counted = ", ".join(f"{reason} {n:,}" for reason, n in ordered)
    advice = next(
        (REASON_ADVICE[reason] for reason, _ in ordered if reason in REASON_ADVICE),
        "see undertow audit --explain for what each format needs",
    )
    return f"none of the {read:,} records in {where} is a routed request in the format {importer.format!r} ({counted}); {advice}"


REASON_ADVICE = {
    "metrics_only": "metrics are totals, not requests: export traces too",
    "missing_time": "a request needs the time at which it arrived",
    "comment_feedback": "comments are text: give the inference and metric feedback tables too",
    "demonstration_feedback": "demonstrations carry no score: give the inference and metric feedback tables too",
    "preference_pair_without_tier": "preference pairs do not say which model gave which answer: give stored completions or a gateway's log",
    "fine_tuning_row": "training rows are not traffic: give stored completions or a gateway's log",
    "batch_input": "these are questions without answers: give the batch's output file",
    "stream_chunk": "these are pieces of one streamed answer: give stored completions or a gateway's log",
    "log_line_without_time": "the routing_decision log line has no time, tokens or cost: give the records of GET /v1/router_replay",
    "no_tier_and_no_model": "name the column of the tier or the model in a mapping file (--map)",
    "unknown_record": "is it the right --format?",
}
