"""The gate with what it reads: settings of both sides, the log, tuned thresholds and the runs of a suite."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from undertow.actions.gate import GateRules
from undertow.adapters.calibrations import read_calibration
from undertow.adapters.importers import detect_format
from undertow.adapters.off_policy import read_off_policy
from undertow.adapters.store.watching_calls import store_roots
from undertow.adapters.suites.runs import StoreRuns
from undertow.adapters.training.answers import read_answers
from undertow.adapters.tuning.book import StoreBook
from undertow.bootstrap.audit import AuditRequest, export_log
from undertow.bootstrap.calibration_files import calibration_files, with_certified_margin
from undertow.bootstrap.plan import compile_plan
from undertow.bootstrap.replay import dotted_settings
from undertow.bootstrap.serving_check import AUTO, serving_order
from undertow.bootstrap.suite import read_suite_file
from undertow.config.load import LoadedSettings, load_settings
from undertow.config.routing import CascadePolicy, ClassifierPolicy, FixedPolicy, SplitPolicy
from undertow.config.settings import Settings
from undertow.errors import ConfigError, UsageError
from undertow.ports.audit_source import Progress, silent
from undertow.records.calibration import Calibration, PolicyState
from undertow.records.gate import Difference, GateReport, SuiteCheck
from undertow.records.labelled_answers import LabelledAnswers
from undertow.services.gate import (
    Evidence,
    gate_report,
    nothing_to_compare,
    off_policy_evidence,
    off_policy_problem,
    replay_evidence,
)
from undertow.services.gate_choices import Side, rule_of
from undertow.services.gate_differences import differences, routes_otherwise
from undertow.services.tuning_run import Target
from undertow.suites.verdict import report_on

MOST_RUNS = 128


@dataclass(frozen=True, slots=True)
class Candidate:
    """What may take the place of what is live.

    Attributes:
        name: Of its file, or what was set, for people.
        loaded: Its settings; those that are live where it is a calibration alone.
        calibration: Path of an artefact that replaces the live one of its tier, or None.
    """

    name: str
    loaded: LoadedSettings
    calibration: Path | None = None


@dataclass(frozen=True, slots=True)
class GateRequest:
    """What to compare, and how.

    Attributes:
        log: The log and the live settings with it.
        live: Live settings.
        candidate: Candidate.
        suite: Name or file of a suite, or None.
        min_labels: As in `GateRules`.
        trust_judge: A judge's word alone counts.
    """

    log: AuditRequest
    live: LoadedSettings
    candidate: Candidate
    suite: str | None = None
    min_labels: int = 0
    trust_judge: bool = False


def run_gate(request: GateRequest, progress: Progress = silent) -> GateReport:
    """Compare a candidate with what is live.

    Raises:
        ConfigError: A calibration cannot be read, or does not fit.
        LogError: Nothing readable.
        UsageError: The settings have no tiers to compare.
    """
    live = _side(request.live, request.log.inputs)
    candidate = _candidate_side(request, live)
    found = _differences(request, live, candidate)
    rules = gate_rules(request)
    evidence = nothing_to_compare(found)
    if routes_otherwise(found):
        with tempfile.TemporaryDirectory(prefix="undertow-check-") as folder:
            evidence = _evidence(request, live, candidate, Path(folder), progress)
    suite = None if request.suite is None else _suite(request, rules)
    return gate_report(
        evidence, found, rules, candidate=request.candidate.name, suite=suite, trust_judge=request.trust_judge
    )


def gate_rules(request: GateRequest) -> GateRules:
    """What is asked: always by the live settings, since a candidate must not set its own bar."""
    settings = with_certified_margin(request.live.settings, request.live.folder)
    monitors = settings.monitors
    return GateRules(
        alpha=monitors.alpha,
        margin=settings.rollout.margin or settings.monitors_margin,
        segment_margin=max(monitors.segment_margin, settings.rollout.margin or settings.monitors_margin),
        min_share=monitors.min_share,
        min_labels=request.min_labels,
    )


def _evidence(request: GateRequest, live: Side, candidate: Side, folder: Path, progress: Progress) -> Evidence:
    progress("reading the log", 0, None)
    decisions, signals = export_log(request.log, folder)
    keys = request.live.settings.monitors.segments
    before, after = rule_of(live), rule_of(candidate)
    if isinstance(before, str) or isinstance(after, str):
        why = before if isinstance(before, str) else str(after)
    elif live.tiers != candidate.tiers:
        why = "the two policies have other tiers"
    else:
        log = read_off_policy(decisions, signals, before, after, (live.tiers[0], live.tiers[1]), keys)
        problem = off_policy_problem(log)
        if problem is None:
            return off_policy_evidence(log, live.tiers[0])
        why = problem
    progress("sorting logged answers anew", 0, None)
    inputs, said = (str(decisions),), (str(signals),) if signals is not None else ()
    if _is_own(request.log):
        # A log of our own holds the evidence of each answer, which the checked copy has no column for.
        inputs, said = request.log.inputs, request.log.signals
    tiers = dict.fromkeys((*live.tiers[:-1], *candidate.tiers[:-1]))
    answers: dict[str, LabelledAnswers] = {
        tier: read_answers(inputs, tier=tier, capable_tier=candidate.tiers[-1], signals=said) for tier in tiers
    }
    return replay_evidence(answers, live, candidate, keys, f"not by propensities: {why}")


def _is_own(log: AuditRequest) -> bool:
    if log.format != "auto":
        return log.format == "undertow"
    return log.map_file is None and all(detect_format(name).format == "undertow" for name in log.inputs)


def _side(loaded: LoadedSettings, inputs: tuple[str, ...] = ()) -> Side:
    settings, policy = loaded.settings, loaded.settings.policy
    order = serving_order(settings)
    tiers = policy.tiers or order
    if tiers is None or len(tiers) < 2:
        raise UsageError(
            f"{loaded.path or 'the settings'}: a policy of fewer than two tiers decides nothing; name [tiers.NAME] as in undertow.toml"
        )
    never = tuple(settings.constraints.never_cheap)
    common = {"tiers": tuple(tiers), "never_cheap": never, "holdout": settings.holdout.share}
    match policy:
        case CascadePolicy():
            targets = _targets(policy, loaded.folder)
            return Side(
                "cascade",
                threshold=policy.threshold,
                targets=targets,
                states=_states(inputs),
                strict=policy.strict,
                **common,
            )
        case ClassifierPolicy():
            return Side(
                "classifier",
                threshold=policy.threshold,
                rules=policy.method == "rules",
                cheap_segments=policy.cheap_segments,
                **common,
            )
        case FixedPolicy():
            return Side("fixed", tier=policy.tier, **common)
        case SplitPolicy():
            return Side("split", shares=policy.shares, **common)


def _targets(policy: CascadePolicy, folder: Path) -> dict[str, Target]:
    found = {}
    for file in calibration_files(policy):
        calibration, version = read_calibration(folder / file)
        found[calibration.tier] = Target(AUTO, calibration, version, policy.streaming == "commit")
    return found


def _states(inputs: tuple[str, ...]) -> dict[str, PolicyState]:
    """Thresholds that were tuned in the store that is read, if it is one."""
    found: dict[str, PolicyState] = {}
    for root in store_roots(inputs):
        states = StoreBook(root).states()
        found |= {} if states is None else states.policies.get(AUTO, {})
    return found


def _candidate_side(request: GateRequest, live: Side) -> Side:
    side = _side(request.candidate.loaded, request.log.inputs)
    if request.candidate.calibration is None:
        return side
    calibration, version = read_calibration(request.candidate.calibration)
    problem = _misfit(calibration, request.live.settings, live)
    if problem is not None:
        raise ConfigError(f"{request.candidate.calibration}: {problem}")
    commits = any(target.commits for target in side.targets.values())
    target = Target(AUTO, calibration, version, commits)
    return replace(side, targets={**side.targets, calibration.tier: target})


def _misfit(calibration: Calibration, settings: Settings, live: Side) -> str | None:
    if live.kind != "cascade":
        return f"a calibration is for a cascade; the live policy is of kind {live.kind!r}"
    if calibration.tier not in live.tiers[:-1]:
        return f"it is of the tier {calibration.tier!r}; the live policy judges {', '.join(map(repr, live.tiers[:-1]))}"
    model = settings.tiers[calibration.tier].model
    if calibration.model is not None and model is not None and calibration.model != model:
        return f"it is of the model {calibration.model!r}, but tiers.{calibration.tier} asks for {model!r}"
    return None


def _differences(request: GateRequest, live: Side, candidate: Side) -> tuple[Difference, ...]:
    before = _decisive(request.live.settings, live)
    after = _decisive(request.candidate.loaded.settings, candidate)
    return differences(before, after, _lines(request.candidate.loaded))


def _decisive(settings: Settings, side: Side) -> dict[str, object]:
    """Settings by dotted name, calibrations by what is in them, tiers as they are used."""
    found = {name: value for name, value in dotted_settings(settings).items() if name != "policy.tiers"}
    found["policy.tiers"] = side.tiers
    found["policy.calibration"] = tuple(
        f"{tier} sha256 {target.version[:12]}" for tier, target in sorted(side.targets.items())
    )
    return found


def _lines(loaded: LoadedSettings) -> dict[str, int]:
    lines = {}
    for path, place in loaded.places.items():
        _, colon, line = place.rpartition(":")
        if colon and line.isdecimal():
            lines[".".join(map(str, path))] = int(line)
    return lines


def _suite(request: GateRequest, rules: GateRules) -> SuiteCheck:
    """The latest run of a suite with the candidate, beside the runs before it."""
    assert request.suite is not None, "asked for"
    digest = None
    name = request.suite
    if Path(name).is_file():
        suite = read_suite_file(Path(name))
        name, digest = suite.name, suite.digest
    roots = store_roots(request.log.inputs)
    book = StoreRuns(roots[0] if roots else request.live.folder / request.live.settings.store.path)
    version = _policy_version(request.candidate)
    mine = [head for head in book.heads(name) if head.policy_version == version]
    if not mine:
        return SuiteCheck(
            name,
            "hole",
            0,
            None,
            f"it has no run with the candidate (policy version {version}); `undertow suite run` makes one",
        )
    head = mine[-1]
    if digest is not None and head.digest != digest:
        return SuiteCheck(
            name, "hole", head.cases, head.run_id, "its cases were edited since the candidate's run; run it again"
        )
    monitors = request.live.settings.monitors
    report = report_on(
        book.runs(name, MOST_RUNS, until=head.run_id), alpha=rules.alpha, margin=rules.margin, level=monitors.level
    )
    if report.verdict == "loss":
        first = report.findings[0]
        where = f" in {first.segment}" if first.segment else ""
        return SuiteCheck(
            name,
            "loss",
            head.cases,
            head.run_id,
            f"{first.target}{where} loses {100 * first.loss:.1f} points: {first.why}",
        )
    if report.verdict == "inconclusive":
        return SuiteCheck(
            name, "hole", head.cases, head.run_id, "; ".join(report.notes[:1]) or "nothing can be said yet"
        )
    return SuiteCheck(name, "pass", head.cases, head.run_id, f"no loss in {report.runs} runs")


def _policy_version(candidate: Candidate) -> str:
    loaded = candidate.loaded
    settings = loaded.settings
    if candidate.calibration is not None and isinstance(settings.policy, CascadePolicy):
        calibration, _ = read_calibration(candidate.calibration)
        others = [
            file
            for file in calibration_files(settings.policy)
            if read_calibration(loaded.folder / file)[0].tier != calibration.tier
        ]
        policy = settings.policy.model_copy(update={"calibration": (*others, str(candidate.calibration.resolve()))})
        settings = settings.model_copy(update={"policy": policy})
    plan = compile_plan(settings, loaded.folder, datetime.now(UTC).date(), loaded.located)
    return next(policy.version for policy in plan.policies if policy.name == AUTO)


def read_candidate(
    file: Path | None, given: Mapping[str, str], live: LoadedSettings, env: Mapping[str, str]
) -> Candidate:
    """A candidate from a settings file, a calibration artefact, or single settings.

    Args:
        file: `.toml` or `.json`, or None: the live settings.
        given: Environment variables that set single settings.
        live: Live settings.
        env: The environment.

    Raises:
        ConfigError: The file cannot be read, or is wrong.
        UsageError: Neither a file nor a setting.
    """
    if file is None and not given:
        raise UsageError("no candidate; name a file with --candidate, or a setting with --set KEY=VALUE")
    if file is not None and file.suffix == ".json":
        return Candidate(str(file), load_settings(live.path, {**env, **given}), file)
    loaded = load_settings(live.path if file is None else file, {**env, **given})
    return Candidate("the live settings with --set" if file is None else str(file), loaded)
