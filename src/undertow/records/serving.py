"""The serving plan: all that the data plane needs, compiled from the settings by `undertow.bootstrap.plan`.

The data plane must stay small, so it does not load the settings' models (pydantic), the price list or the engine: it reads
this one JSON document. Secrets are not in it, only the names of the environment variables that hold them.
"""

from typing import Literal

import msgspec

from undertow.records.review import ReviewRules

SCHEMA = "undertow.plan/1"

UiRole = Literal["viewer", "reviewer", "operator"]
"""What somebody may do in the dashboard; each may do what those before it may."""


class TokenPrices(msgspec.Struct, frozen=True, kw_only=True):
    """USD per token of each sort; prices above a length of prompt replace all of these.

    Attributes:
        above_input_tokens: These prices hold from this many prompt tokens on.
        input_usd: Prompt tokens that are none of the sorts below.
        cached_usd: Prompt tokens read from the provider's cache.
        cache_write_usd: Prompt tokens written to it.
        audio_input_usd: Audio among the prompt.
        output_usd: Completion tokens, reasoning included unless `reasoning_usd` is given.
        audio_output_usd: Audio among the completion.
        reasoning_usd: Reasoning tokens among the completion, where they have a price of their own; None: as `output_usd`.
        request_usd: Price of a request beside its tokens, in USD.
    """

    above_input_tokens: int = 0
    input_usd: float
    cached_usd: float
    cache_write_usd: float
    audio_input_usd: float
    output_usd: float
    audio_output_usd: float
    reasoning_usd: float | None = None
    request_usd: float = 0.0


class EndpointPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One address of a tier.

    Attributes:
        base_url: Up to and including /v1.
        kind: Wire format that it speaks.
        api_key_env: Environment variable with its key, or None: no key is sent.
        ca_file: Certificate authorities to trust instead of the system's, or None.
    """

    base_url: str
    kind: Literal["openai", "anthropic"] = "openai"
    api_key_env: str | None = None
    ca_file: str | None = None


class TierPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One tier.

    Attributes:
        name: Its name.
        model: Model that the upstream is asked for.
        endpoints: Its addresses, tried in turn.
        parameters: Sent with each request, over the caller's own; part of what the tier is.
        prices: By length of prompt, shortest first; empty: unknown.
        context_tokens: Longest prompt and answer together, or None: unknown.
    """

    name: str
    model: str
    endpoints: tuple[EndpointPlan, ...]
    parameters: dict[str, object] = {}
    prices: tuple[TokenPrices, ...] = ()
    context_tokens: int | None = None


class PolicyPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One policy, all kinds in one shape; what a kind does not have keeps its default.

    Attributes:
        name: `auto`, or its name under [policies].
        version: Short hash over the policy, its tiers and constraints: changes whenever a decision could.
        kind: Which kind.
        mode: `route` or `observe`.
        tiers: Tiers it may use, cheapest first; at least one.
        threshold: Cascade: escalate below; classifier: cheap at or above.
        tier: Fixed: the tier.
        shares: Split: share by tier.
        method: Classifier: `text`, `embedding` or `rules`.
        artefact: Classifier: absolute path of its file, or None.
        cheap_segments: Classifier, method rules: `key=value` labels that go to the cheap tier.
        deadline_ms: Classifier, and that of `predictive`: later than this is ignored.
        calibrations: Cascade: absolute paths of calibration artefacts, one a tier at most.
        strict: Cascade: serve nothing cheaply where a certificate is void or was never given.
        streaming: Cascade: `hold`, `commit` or `race`.
        race_below: Cascade, race: confidence of first tokens below which the capable tier is started, or None: half the threshold.
        self_check: Cascade: ask the cheap tier whether its own answer is right.
        samples: Cascade: further answers of the cheap tier to compare its answer with.
        predictive: Cascade: absolute path of a classifier that is asked before any tier, or None.
        skip_below: Cascade, predictive: probability of being easy below which the capable tier is asked at once.
        hysteresis: Cascade: added to the threshold where another tier answered the conversation's last turn.
        stay_turns: Cascade: turns for which a conversation stays with the capable tier after it came to it.
        evidence: Cascade: what is measured of held answers at least: `sum`, `tokens` or `alternatives`.
        prefix_tokens: Cascade: of how many first tokens features go into the log; 0: none.
    """

    name: str
    version: str
    kind: Literal["cascade", "classifier", "fixed", "split"]
    mode: Literal["route", "observe"] = "route"
    tiers: tuple[str, ...]
    threshold: float = 0.7
    tier: str | None = None
    shares: dict[str, float] = {}
    method: Literal["text", "embedding", "rules"] = "text"
    artefact: str | None = None
    cheap_segments: tuple[str, ...] = ()
    deadline_ms: float = 30.0
    calibrations: tuple[str, ...] = ()
    strict: bool = False
    streaming: Literal["hold", "commit", "race"] = "hold"
    race_below: float | None = None
    self_check: bool = False
    samples: int = 0
    predictive: str | None = None
    skip_below: float = 0.1
    hysteresis: float = 0.02
    stay_turns: int = 3
    evidence: Literal["sum", "tokens", "alternatives"] = "sum"
    prefix_tokens: int = 0


class ConstraintsPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is settled before any score; see `[constraints]`."""

    never_cheap: tuple[str, ...] = ()
    cheap_max_input_tokens: int | None = None
    cheap_tools: bool = True
    cheap_images: bool = False


class HoldoutPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Randomised traffic that stays on the capable tier; see `[holdout]`."""

    share: float = 0.05
    unit: Literal["user", "conversation", "decision"] = "user"
    salt: str = "undertow"


class KeyPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One gateway key; see `[keys.NAME]`.

    Attributes:
        name: Its name, as in records and metrics.
        key_id: The public part of the key (`ut_<key_id>_<secret>`).
        sha256: Hex digest of the whole key.
        budget_usd_day: Most that its requests may cost a UTC day, or None.
        requests_per_minute: Most requests a minute, or None.
        tiers: Tiers it may use, empty: all.
        labels: Labels added to the segment of its requests; a caller cannot override them.
        ui: What it opens of the dashboard, or None: nothing.
    """

    name: str
    key_id: str
    sha256: str
    budget_usd_day: float | None = None
    requests_per_minute: int | None = None
    tiers: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    ui: UiRole | None = None


class LimitsPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of the gateway, callers and upstreams; see `[gateway]` and `[upstream]`."""

    max_body_bytes: int = 20_000_000
    max_header_bytes: int = 32_768
    max_headers: int = 100
    max_nesting: int = 100
    header_timeout_s: float = 10.0
    body_timeout_s: float = 60.0
    idle_timeout_s: float = 75.0
    max_connections: int = 2_000
    max_in_flight: int = 1_000
    drain_timeout_s: float = 30.0
    max_answer_bytes: int = 50_000_000
    connect_timeout_s: float = 5.0
    first_byte_timeout_s: float = 120.0
    total_timeout_s: float = 600.0
    max_retries: int = 2
    retry_budget: float = 0.1
    breaker_failures: int = 5
    breaker_open_s: float = 10.0
    connections_per_upstream: int = 512


class StorePlan(msgspec.Struct, frozen=True, kw_only=True):
    """Where records go, and what is done to ids and text; see `[store]` and `[retention]`."""

    path: str = "undertow-data"
    id_key_env: str | None = None
    keeps_text: bool = False
    redact: str | None = None
    text_sketch: bool = False
    segment_bytes: int = 64_000_000
    segment_s: float = 300.0


class ImplicitPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Signals read off conversations; see `[implicit]` and docs/concepts/implicit-signals.md.

    Attributes:
        enabled: Compute them.
        window_s: How long after an answer the caller's next message still counts, in seconds.
        repeat_similarity: Jaccard similarity in (0, 1] from which two messages ask the same thing.
        human_words: Words or phrases, beside the built-in ones, that ask for a person.
        handover_tools: Names of tools whose call hands the conversation to a person.
    """

    enabled: bool = True
    window_s: float = 1800.0
    repeat_similarity: float = 0.8
    human_words: tuple[str, ...] = ()
    handover_tools: tuple[str, ...] = ()


class TelemetryPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Traces and logs that leave the process; see `[telemetry]`.

    Attributes:
        traces: The keeper exports a span for each decision.
        otlp_endpoint: Base URL of an OTLP/HTTP receiver; None: OTEL_EXPORTER_OTLP_ENDPOINT, else the exporter's default.
        service_name: `service.name` of the spans.
        log_level: Least severe level that is logged.
        log_format: JSON lines, or lines for people.
        metrics: Serve /metrics.
    """

    traces: bool = False
    otlp_endpoint: str | None = None
    service_name: str = "undertow"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] = "json"
    metrics: bool = True


class TuningPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Thresholds that follow their labels, by the keeper; see `[tuning]`.

    Attributes:
        enabled: Whether the keeper tunes.
        every_minutes: Between two runs.
        step: Log-odds of confidence by which one served failure raises a threshold.
        max_step: Most that one run moves a threshold, in log-odds.
        window_days: Days of decisions whose labels are looked at.
        monitors_margin, alpha, bucket, segments: Of `[monitors]`, for the audit that looks for open alarms.
    """

    enabled: bool = False
    every_minutes: float = 60.0
    step: float = 0.15
    max_step: float = 1.0
    window_days: float = 30.0
    monitors_margin: float = 0.02
    alpha: float = 0.05
    bucket: Literal["1d", "1h"] = "1d"
    segments: tuple[str, ...] | None = None


class ShadowPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Second answers of the capable tier; see `[shadow]`.

    Attributes:
        share: Mean share of cheap-served decisions that is answered again; 0: none.
        budget_usd_day: Most that is spent a UTC day.
        never: `key=value` labels whose requests are never sent again.
        max_waiting: Requests that may wait, at the worker and at the keeper.
        concurrency: Calls at a time.
    """

    share: float = 0.0
    budget_usd_day: float = 4.0
    never: tuple[str, ...] = ()
    max_waiting: int = 200
    concurrency: int = 4


class ReviewPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The queue for people; see `[review]`.

    Attributes:
        per_day: Reviews a day; 0: no decision is drawn for review and no text is kept for it.
        min_per_segment: Reviews a day that each tier and segment gets at least.
        cheap_share: Share of the reviews for tiers below the capable one.
        tail_share: Share of those for the long tail.
        stakes: How many times more often requests with a label are drawn.
        text_days: Days that texts drawn for review or shadow are kept.
    """

    per_day: int = 0
    min_per_segment: int = 2
    cheap_share: float = 0.7
    tail_share: float = 0.6
    stakes: dict[str, float] = {}
    text_days: float = 14.0


class JudgePlan(msgspec.Struct, frozen=True, kw_only=True):
    """A judge; see `[judge]`.

    Attributes:
        model, endpoint: Model and where it answers; None with a function.
        function: `module:function`, or None.
        parameters: Sent with each request to the model.
        name: The signal is `judge.NAME`.
        rubric: What is asked.
        rubrics: What is asked of requests with a label instead.
        both_orders: Ask twice, with the answers exchanged.
        share: Share of the pairs that is judged.
        budget_usd_day: Most that is spent a UTC day.
        timeout_s: Longest wait for a verdict.
        max_chars: Longest text that is shown.
        usd_per_call: Cost of a verdict, or None: by `prices`.
        prices: Of the model, as of a tier.
        anchors: Absolute path of the anchor file, or None.
        anchors_per_day: Anchors judged a day.
    """

    model: str | None = None
    endpoint: EndpointPlan | None = None
    function: str | None = None
    parameters: dict[str, object] = {}
    name: str = "quality"
    rubric: str = ""
    rubrics: dict[str, str] = {}
    both_orders: bool = True
    share: float = 1.0
    budget_usd_day: float = 3.0
    timeout_s: float = 60.0
    max_chars: int = 24_000
    usd_per_call: float | None = None
    prices: tuple[TokenPrices, ...] = ()
    anchors: str | None = None
    anchors_per_day: int = 20


class GuardPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is done at an alarm; see `[guard]`, whose fields these are."""

    route_back: Literal["off", "suggest", "automatic"] = "suggest"
    tighten: Literal["off", "suggest", "automatic"] = "off"
    roll_back: Literal["off", "suggest", "automatic"] = "suggest"
    stop_rollout: Literal["off", "suggest", "automatic"] = "automatic"
    segments: dict[str, Literal["off", "suggest", "automatic"]] = {}
    failure_usd: float | None = None
    tighten_by: float = 0.05
    max_actions_per_day: int = 6
    cooldown_hours: float = 24.0
    restore_after_days: float | None = None


class RolloutPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How a new policy version is exposed; see `[rollout]`, whose fields these are. `margin` is resolved."""

    enabled: bool = False
    stages: tuple[float, ...] = (0.05, 0.10, 0.25, 0.50, 1.0)
    margin: float = 0.02
    risk_budget: float = 0.02
    pool_segments: bool = True
    automatic: bool = True


class AlertsPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Who is told; see `[alerts]`, whose fields these are. Secrets are named by their environment variables."""

    slack_url_env: str | None = None
    pagerduty_key_env: str | None = None
    pagerduty_url: str = "https://events.pagerduty.com/v2/enqueue"
    alertmanager_url: str | None = None
    webhook_url: str | None = None
    webhook_secret_env: str | None = None
    email_to: tuple[str, ...] = ()
    email_from: str = "undertow@localhost"
    smtp_url_env: str | None = None
    dead_man_url_env: str | None = None
    link_url: str | None = None
    allow_internal: bool = False
    repeat_hours: float = 24.0

    @property
    def is_anybody_told(self) -> bool:
        """Whether a channel is named."""
        return bool(
            self.slack_url_env or self.pagerduty_key_env or self.alertmanager_url or self.webhook_url or self.email_to
        )


class SourcePlan(msgspec.Struct, frozen=True, kw_only=True):
    """Where outcomes come from; see `[sources.NAME]`, whose fields these are. Paths are absolute."""

    name: str
    kind: Literal["files", "zendesk", "intercom", "sql"] = "files"
    path: str | None = None
    url_env: str | None = None
    query: str | None = None
    outcome: str | None = None
    currency: str = "USD"
    timezone: str | None = None
    columns: dict[str, str] = {}
    every_minutes: float = 60.0


class UiPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The dashboard under /ui; see `[ui]`, whose fields these are.

    Attributes:
        is_open_here: Whoever asks from this machine itself may do everything: neither keys nor a proxy could say who he is, and nothing is
            said to stand before the gateway.
    """

    enabled: bool = True
    refresh_s: float = 30.0
    session_hours: float = 12.0
    public_hosts: tuple[str, ...] = ()
    user_header: str | None = None
    trusted_proxies: tuple[str, ...] = ()
    roles: dict[str, UiRole] = {}
    default_role: UiRole | None = None
    is_open_here: bool = False


class ServingPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the data plane is told.

    Attributes:
        schema: Version of this document.
        tiers: All tiers that can serve, cheapest first. The last one is the capable tier.
        policies: All policies; the first is `auto`.
        constraints: Before any score.
        holdout: The randomised arm.
        keys: Gateway keys; empty: callers need none.
        limits: Of callers and upstreams.
        store: Where records go.
        passthrough: Upstream for paths that are not routed, or None.
        traces: Propagate `traceparent` and give every decision a span.
        implicit: Signals read off conversations, by the keeper.
        telemetry: Traces and logs.
        tuning: Thresholds that follow their labels.
        shadow: Second answers of the capable tier.
        review: The queue for people.
        judge: Who compares answers, or None.
        review_rules: How decisions are reviewed.
        guard: What is done at an alarm.
        rollout: How a new policy version is exposed.
        alerts: Who is told.
        sources: Where outcomes come from.
        monitor_minutes: Minutes between two looks of the keeper at its own log; 0: never.
        ui: The dashboard.
    """

    schema: str = SCHEMA
    tiers: tuple[TierPlan, ...]
    policies: tuple[PolicyPlan, ...]
    constraints: ConstraintsPlan = ConstraintsPlan()
    holdout: HoldoutPlan = HoldoutPlan()
    keys: tuple[KeyPlan, ...] = ()
    limits: LimitsPlan = LimitsPlan()
    store: StorePlan = StorePlan()
    passthrough: EndpointPlan | None = None
    traces: bool = False
    implicit: ImplicitPlan = ImplicitPlan()
    telemetry: TelemetryPlan = TelemetryPlan()
    tuning: TuningPlan = TuningPlan()
    shadow: ShadowPlan = ShadowPlan()
    review: ReviewPlan = ReviewPlan()
    judge: JudgePlan | None = None
    review_rules: ReviewRules = ReviewRules()
    guard: GuardPlan = GuardPlan()
    rollout: RolloutPlan = RolloutPlan()
    alerts: AlertsPlan = AlertsPlan()
    sources: tuple[SourcePlan, ...] = ()
    monitor_minutes: float = 0.0
    ui: UiPlan = UiPlan()


def encode_plan(plan: ServingPlan) -> bytes:
    """The plan as a JSON document."""
    return msgspec.json.encode(plan)


def decode_plan(document: bytes) -> ServingPlan:
    """A plan from its JSON document.

    Raises:
        msgspec.ValidationError: It is no plan of this version.
    """
    plan = msgspec.json.decode(document, type=ServingPlan)
    if plan.schema != SCHEMA:
        raise msgspec.ValidationError(f"the plan is of schema {plan.schema!r}; this version reads {SCHEMA!r}")
    return plan
