"""The columns of the canonical files: decision log, signals and draws (the contract between writers and readers).

Everything that writes or reads a canonical file takes its columns from here: the gateway's log writer, the importers,
the simulator, the DuckDB reader and the documentation. A column may be added, never renamed or retyped.

This module knows nothing of engines or files; `sql_type` uses DuckDB's names, which every supported engine understands.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a canonical file.

    Attributes:
        name: Column name, exactly as it stands in the file.
        sql_type: Type in DuckDB's spelling. Times are UTC, in milliseconds or finer.
        meaning: One sentence for people.
        required: A row without it is set aside.
        low: Smallest allowed value, or None.
        high: Largest allowed value, or None.
        low_open: The smallest value itself is not allowed (a probability of 0).
        choices: The closed list of allowed values, or empty when open.
    """

    name: str
    sql_type: str
    meaning: str
    required: bool = False
    low: float | None = None
    high: float | None = None
    low_open: bool = False
    choices: tuple[str, ...] = ()


CALLS_SQL_TYPE = (
    "STRUCT(tier VARCHAR, model VARCHAR, purpose VARCHAR, input_tokens BIGINT, cached_tokens BIGINT, "
    "output_tokens BIGINT, reasoning_tokens BIGINT, cost_usd DOUBLE, latency_ms DOUBLE, status VARCHAR)[]"
)

DRAWS_SQL_TYPE = "STRUCT(purpose VARCHAR, stratum VARCHAR, inclusion_probability DOUBLE, chosen BOOLEAN)[]"

DECISION_COLUMNS: tuple[Column, ...] = (
    Column("decision_id", "VARCHAR", "unique id of the routed request", required=True),
    Column("event_time", "TIMESTAMP", "when the request arrived, UTC", required=True),
    Column("conversation_id", "VARCHAR", "pseudonymous conversation, join key of late outcomes"),
    Column("user_id", "VARCHAR", "pseudonymous user, join key of late outcomes"),
    Column("segment", "MAP(VARCHAR, VARCHAR)", "labels known at decision time"),
    Column("policy", "VARCHAR", "name of the policy that decided"),
    Column("policy_version", "VARCHAR", "version of that policy"),
    Column("calibration_version", "VARCHAR", "version of the calibration artefact"),
    Column(
        "mode",
        "VARCHAR",
        "route: the policy's choice was served; observe: it was only logged",
        choices=("route", "observe"),
    ),
    Column("origin", "VARCHAR", "only live counts as traffic", choices=("live", "suite", "replay")),
    Column("eligible", "BOOLEAN", "constraints allowed the cheap tier, known before arm and score"),
    Column(
        "arm",
        "VARCHAR",
        "treatment: the policy decides; holdout: randomised to the capable tier",
        choices=("treatment", "holdout"),
    ),
    Column("arm_probability", "DOUBLE", "probability of that arm", low=0.0, high=1.0, low_open=True),
    Column(
        "propensity", "DOUBLE", "probability of the served tier given what was known", low=0.0, high=1.0, low_open=True
    ),
    Column("first_tier", "VARCHAR", "tier that answered first"),
    Column("tier", "VARCHAR", "tier whose answer was served; null: nothing was served"),
    Column("requested_model", "VARCHAR", "model that the caller asked for"),
    Column("model", "VARCHAR", "model that served"),
    Column("model_fingerprint", "VARCHAR", "the upstream's fingerprint of the model"),
    Column("escalated", "BOOLEAN", "a cheap answer was withheld and replaced"),
    Column("reason", "VARCHAR", "why this tier"),
    Column("score", "DOUBLE", "raw number that the confidence was calibrated from"),
    Column("confidence", "DOUBLE", "calibrated probability that the cheap answer is as good", low=0.0, high=1.0),
    Column("threshold", "DOUBLE", "confidence below which the policy escalates", low=0.0, high=1.0),
    Column(
        "confidence_kind", "VARCHAR", "whether the confidence was calibrated", choices=("calibrated", "uncalibrated")
    ),
    Column("novelty", "DOUBLE", "distance from the training distribution, 0 = centre", low=0.0),
    Column("input_tokens", "BIGINT", "prompt tokens of the served answer", low=0),
    Column("output_tokens", "BIGINT", "completion tokens of the served answer", low=0),
    Column("calls", CALLS_SQL_TYPE, "every upstream call that was made for the request"),
    Column("cost_usd", "DOUBLE", "cost of every call made for it", low=0.0),
    Column("baseline_cost_usd", "DOUBLE", "what the capable tier alone would have cost", low=0.0),
    Column("latency_ms", "DOUBLE", "time to the last byte", low=0.0),
    Column("ttft_ms", "DOUBLE", "time to the first token", low=0.0),
    Column("status", "VARCHAR", "how it ended", choices=("ok", "fallback", "error", "refused", "abandoned")),
    Column("finish_reason", "VARCHAR", "why the upstream stopped"),
    Column("prompt_hash", "VARCHAR", "hash of the system prompt template"),
    Column("prompt", "VARCHAR", "text, kept only as the retention setting allows"),
    Column("response", "VARCHAR", "text, kept only as the retention setting allows"),
)

GATEWAY_COLUMNS: tuple[Column, ...] = (
    Column("endpoint", "VARCHAR", "wire format of the request: chat.completions, messages, responses"),
    Column("key_name", "VARCHAR", "name of the gateway key that it came with"),
    Column("decided_tier", "VARCHAR", "tier that the policy chose; in mode observe it may differ from the one served"),
    Column("error", "VARCHAR", "what went wrong, in one word; null: nothing did"),
    Column("delivered_chars", "BIGINT", "characters of answer text that the caller was sent", low=0),
    Column("client_retry", "BIGINT", "how often the caller's own client had tried before", low=0),
    Column("trace_id", "VARCHAR", "trace that the request belongs to (W3C, 32 hex digits)"),
    Column("span_id", "VARCHAR", "span of this decision (16 hex digits)"),
    Column("parent_span_id", "VARCHAR", "span of the caller"),
    Column(
        "features",
        "MAP(VARCHAR, DOUBLE)",
        "numbers by which a held answer was judged, as calibration needs them (docs/concepts/confidence.md)",
    ),
    Column(
        "committed_tokens",
        "BIGINT",
        "tokens of the answer that had come when its beginning was served; null: it was judged whole, or not at all",
        low=0,
    ),
    Column(
        "draws",
        DRAWS_SQL_TYPE,
        "whether it was drawn for review and shadow, and with which probability; the same as in draws/",
    ),
)
"""What Undertow's own gateway writes beside the contract's columns; no other log has them. The audit reads `features` alone."""

AUDIT_COLUMNS: tuple[Column, ...] = (*DECISION_COLUMNS, *(c for c in GATEWAY_COLUMNS if c.name == "features"))
"""Columns of a decision log that the audit reads."""

LOG_COLUMNS: tuple[Column, ...] = DECISION_COLUMNS + GATEWAY_COLUMNS
"""Columns of a log that the gateway wrote, in order: the fields of `undertow.records.decision.DecisionRecord`."""

SIGNAL_KINDS: tuple[str, ...] = ("thumb", "rating", "review", "judge", "shadow", "suite", "implicit", "outcome")
SELECTIONS: tuple[str, ...] = ("census", "sampled", "volunteered", "unknown")

DEFAULT_SELECTION: dict[str, str] = {
    "review": "sampled",
    "judge": "sampled",
    "shadow": "sampled",
    "suite": "sampled",
    "outcome": "census",
    "implicit": "census",
    "thumb": "volunteered",
    "rating": "volunteered",
}
"""Selection of a signal whose file does not say: by its kind."""

SIGNAL_COLUMNS: tuple[Column, ...] = (
    Column("signal_id", "VARCHAR", "unique; a repeated id is the same signal", required=True),
    Column("event_time", "TIMESTAMP", "when it was observed, UTC", required=True),
    Column("decision_id", "VARCHAR", "the decision it is about"),
    Column("conversation_id", "VARCHAR", "the conversation it is about"),
    Column("user_id", "VARCHAR", "the user it is about"),
    Column("kind", "VARCHAR", "sort of signal", required=True, choices=SIGNAL_KINDS),
    Column("name", "VARCHAR", "what it measures: helpful, accuracy, csat, ticket, churn", required=True),
    Column(
        "value", "DOUBLE", "quality kinds: in [0, 1], 1 is best; outcomes: in the outcome's own unit", required=True
    ),
    Column("selection", "VARCHAR", "how it came to be given", choices=SELECTIONS),
    Column("inclusion_probability", "DOUBLE", "probability with which it was chosen", low=0.0, high=1.0, low_open=True),
    Column("received_at", "TIMESTAMP", "when the system had it; default event_time"),
    Column("source", "VARCHAR", "who or what gave it"),
    Column(
        "reference_value", "DOUBLE", "pairs: value of the other tier's answer to the same request", low=0.0, high=1.0
    ),
    Column(
        "stratum",
        "VARCHAR",
        "stratum in which it was drawn: `tail`, `common` (`whole` before its tier is divided), with `+` and a label where steering to that label alone drew it; absent: told by inclusion probabilities",
    ),
    Column(
        "pair_probability",
        "DOUBLE",
        "pairs: probability with which both answers were seen, where a second one is drawn more seldom; default inclusion_probability",
        low=0.0,
        high=1.0,
        low_open=True,
    ),
    Column(
        "revision",
        "BIGINT",
        "outcomes: which correction of the signal this is; of one id the highest holds, default 0",
        low=0,
    ),
    Column("deleted", "BOOLEAN", "outcomes: it did not happen after all (with the highest revision)"),
)

DRAW_COLUMNS: tuple[Column, ...] = (
    Column("decision_id", "VARCHAR", "the decision that was or was not drawn", required=True),
    Column("drawn_at", "TIMESTAMP", "when, UTC", required=True),
    Column("purpose", "VARCHAR", "what for", required=True, choices=("review", "shadow", "judge")),
    Column("stratum", "VARCHAR", "stratum it was drawn in"),
    Column(
        "inclusion_probability",
        "DOUBLE",
        "probability with which it was chosen",
        required=True,
        low=0.0,
        high=1.0,
        low_open=True,
    ),
    Column("chosen", "BOOLEAN", "whether it was", required=True),
)
