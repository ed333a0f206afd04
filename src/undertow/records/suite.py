"""A regression suite: its cases, what every tier answered to them in one run, and what a comparison of runs found."""

from typing import Literal

import msgspec

ROUTED = "routed"
"""Target that stands for "as the live policy routes it"; the other targets are tiers, by name."""

CheckKind = Literal["exact", "regex", "json_schema", "function", "judge"]
Normalisation = Literal["text", "none", "number"]
SuiteCause = Literal["routing", "provider", "grader", "unknown"]
ResultStatus = Literal["ok", "failed", "ungraded", "not_allowed"]


class Check(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How an answer is scored, in one shape for all kinds; what a kind does not have keeps its default.

    Attributes:
        kind: Which sort of check.
        expected: exact: answers that are right.
        normalise: exact: what may differ; see `undertow.suites.scoring`.
        pattern: regex: found anywhere in the answer.
        schema: json_schema: the schema, as JSON.
        function: function: `package.module:name`.
        rubric: judge: the question, or None: that of the settings.
        reference: judge: an answer that is right, or None.
    """

    kind: CheckKind
    expected: tuple[str, ...] = ()
    normalise: Normalisation = "text"
    pattern: str = ""
    schema: bytes = b""
    function: str = ""
    rubric: str | None = None
    reference: str | None = None


class SuiteCase(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request with a known right answer.

    Attributes:
        case_id: Unique in its suite.
        messages: The conversation, as the wire has it.
        segment: Labels, as live requests bear them.
        check: How its answer is scored.
        weight: How much it counts, above 0.
        tags: For people.
        digest: Of everything that a score depends on: a case that was edited is another case.
    """

    case_id: str
    messages: tuple[dict[str, object], ...]
    segment: dict[str, str] = {}
    check: Check
    weight: float = 1.0
    tags: tuple[str, ...] = ()
    digest: str = ""


class Suite(msgspec.Struct, frozen=True, kw_only=True):
    """A suite.

    Attributes:
        name: Its name: the file's, without ending.
        cases: In the order of the file.
        digest: Of all cases.
    """

    name: str
    cases: tuple[SuiteCase, ...]
    digest: str


class CaseResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one target answered to one case.

    Attributes:
        case_id, digest, weight, segment: Of the case.
        target: `routed`, or a tier.
        status: `ok`; `failed`: no answer came; `ungraded`: an answer came and could not be scored; `not_allowed`: a constraint keeps such
            requests from this tier.
        score: In [0, 1], 1 is best; None unless the status is `ok`.
        grader: What scored it: `exact`, `regex`, `json_schema`, `function:NAME#HASH` or `judge:MODEL`.
        answer_hash: Of the answer's text: tells an answer that stayed the same from one that changed. The text itself is not kept.
        decision_id: Of its record in the log.
        tier, model, fingerprint: What answered.
        cost_usd: Cost of all calls for it, or None: not known.
        retries: Attempts after the first.
        why: Of one without a score: why, in a few words.
    """

    case_id: str
    digest: str
    target: str
    status: ResultStatus
    weight: float = 1.0
    segment: dict[str, str] = {}
    score: float | None = None
    grader: str = ""
    answer_hash: str | None = None
    decision_id: str | None = None
    tier: str | None = None
    model: str | None = None
    fingerprint: str | None = None
    cost_usd: float | None = None
    retries: int = 0
    why: str | None = None


class SuiteRun(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The head of one run.

    Attributes:
        run_id: Unique; ids sort by time.
        suite: Name of the suite.
        digest: Of the suite's cases.
        began_at, ended_at: RFC 3339.
        tiers: Tiers that were asked directly, cheapest first.
        capable: The dearest tier of the settings.
        policy, policy_version, calibration_version: What routed.
        models: Target -> models that answered, with their fingerprints (`model`, or `model fingerprint`), sorted.
        graders: Graders that scored, sorted.
        cases: Cases that were asked.
        skipped: Cases that the budget left out.
        cost_usd: Of all requests, as far as prices are known.
        grading_usd: What the judge cost, as far as known.
        is_baseline: Comparisons begin anew here.
    """

    run_id: str
    suite: str
    digest: str
    began_at: str
    ended_at: str
    tiers: tuple[str, ...] = ()
    capable: str
    policy: str | None = None
    policy_version: str | None = None
    calibration_version: str | None = None
    models: dict[str, tuple[str, ...]] = {}
    graders: tuple[str, ...] = ()
    cases: int = 0
    skipped: int = 0
    cost_usd: float = 0.0
    grading_usd: float = 0.0
    is_baseline: bool = False


class RunResults(msgspec.Struct, frozen=True, kw_only=True):
    """One run with all its results."""

    run: SuiteRun
    results: tuple[CaseResult, ...]


class CellReport(msgspec.Struct, frozen=True, kw_only=True):
    """One target in one segment.

    Attributes:
        target: `routed`, or a tier.
        segment: `key=value`, or empty: the whole suite.
        n: Cases scored.
        quality: Weighted mean score, or None: no case was scored.
        interval: Of the quality, at the report's level in every run at once.
        unscored: Cases without a score, those that are not allowed left out.
        loss: Mean score of the capable tier minus this target's on the same cases of this run; None for the capable tier itself.
        loss_interval: Of the loss.
        loss_evidence: log10 of the evidence for a loss beyond the margin.
        change: Mean score now minus before on the same cases; None without earlier runs.
        change_interval: Of the change.
        change_evidence: log10 of the evidence that the target got worse.
        compared: Pairs of results behind the change.
        is_worse: The evidence of a change reached its line.
        is_beyond: The evidence of a loss reached its line.
    """

    target: str
    segment: str
    n: int
    quality: float | None
    interval: tuple[float, float] | None
    unscored: int
    loss: float | None = None
    loss_interval: tuple[float, float] | None = None
    loss_evidence: float | None = None
    change: float | None = None
    change_interval: tuple[float, float] | None = None
    change_evidence: float | None = None
    compared: int = 0
    is_worse: bool = False
    is_beyond: bool = False


class SuiteFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A loss that was shown, and why.

    Attributes:
        kind: `change`: worse than earlier runs; `level`: worse than the capable tier, beyond the margin.
        target, segment: Where.
        cause: What is to blame.
        why: One sentence for people.
        loss: Points lost, in [-1, 1].
        evidence: log10 of the evidence.
    """

    kind: Literal["change", "level"]
    target: str
    segment: str
    cause: SuiteCause
    why: str
    loss: float
    evidence: float


class SuiteReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one run shows beside the earlier ones.

    Attributes:
        run: The run.
        verdict: `loss`, `no_loss` or `inconclusive`.
        runs: Runs compared, this one included.
        cells: Whole suite first, then segments; targets in the order routed, then tiers.
        findings: Losses shown, strongest evidence first.
        alpha, margin, level: What the lines and intervals stand for.
        line: log10 of the evidence that shows a loss.
        changed: What else changed since the run before, in plain words.
        notes: What a reader must know.
    """

    run: SuiteRun
    verdict: Literal["loss", "no_loss", "inconclusive"]
    runs: int
    cells: tuple[CellReport, ...]
    findings: tuple[SuiteFinding, ...]
    alpha: float
    margin: float
    level: float
    line: float
    changed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class LiveText(msgspec.Struct, frozen=True, kw_only=True):
    """What live requests asked.

    Attributes:
        text: The last user message.
        segment: Labels of the request.
        traffic: Requests that it stands for.
        at: When it was last asked, RFC 3339.
    """

    text: str
    segment: dict[str, str]
    traffic: float
    at: str

    def __repr__(self) -> str:
        return f"LiveText({len(self.text)} characters)"
