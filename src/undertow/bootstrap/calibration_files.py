"""The files that a cascade names: whether they are there, sound, and about the tiers and models that they are named for.

A calibration of another model, or of more loss than the policy accepts, would serve under a certificate that says nothing: refused at start.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from undertow.adapters.calibrations import read_calibration
from undertow.adapters.classifiers.loading import read_artefact
from undertow.config import Settings
from undertow.config.contradictions import policies_of
from undertow.config.problems import Problem, dotted
from undertow.config.routing import CascadePolicy
from undertow.errors import ConfigError
from undertow.policies.evidence import ON_REQUEST
from undertow.records.calibration import Calibration
from undertow.records.trained import TrainedScores

SettingPath = tuple[str | int, ...]

_ROUNDING = 1e-9
_LARGEST_MARGIN = 0.99
"""A loss is below 1, so a margin is too."""


def calibration_files(policy: CascadePolicy) -> tuple[str, ...]:
    """The calibration artefacts that a policy names, as they are named.

    Examples:
        >>> calibration_files(CascadePolicy(calibration="c.json")), calibration_files(CascadePolicy())
        (('c.json',), ())
    """
    given = policy.calibration
    return () if given is None else (given,) if isinstance(given, str) else given


def cascade_problems(
    path: SettingPath, policy: CascadePolicy, settings: Settings, used: tuple[str, ...], folder: Path
) -> Iterator[Problem]:
    """What stands in the way of serving with the files of a cascade.

    Args:
        path: Of the policy in the settings.
        policy: The policy.
        settings: All settings, for the models of tiers.
        used: Tiers that the policy may use, cheapest first.
        folder: Where relative paths start.
    """
    found: list[Calibration] = []
    for file in calibration_files(policy):
        try:
            calibration, _ = read_calibration(folder / file)
        except ConfigError as error:
            yield Problem((*path, "calibration"), f"{dotted(path)}.calibration: {error}")
            continue
        for message in _misfits(calibration, policy, settings, used):
            yield Problem((*path, "calibration"), f"{dotted(path)}.calibration: {folder / file}: {message}")
        found.append(calibration)
    if len(found) == len(calibration_files(policy)):
        yield from _joint_problems(path, policy, found)
    if policy.predictive is not None:
        yield from _classifier_problems((*path, "predictive"), folder / policy.predictive)


def trained_scores(settings: Settings, folder: Path) -> TrainedScores | None:
    """The scores that the calibration of `[policy]` was fitted on, for an audit to compare a log with.

    None where the policy names no artefact or more than one (scores of several tiers have no common scale), it cannot be read, or its
    scores were constant.

    Args:
        settings: Settings as loaded.
        folder: Where relative paths in them start.

    Examples:
        >>> trained_scores(Settings(), Path()) is None
        True
    """
    _, policy = next(policies_of(settings))
    files = calibration_files(policy) if isinstance(policy, CascadePolicy) else ()
    return scores_of([str(folder / file) for file in files])


def scores_of(files: Sequence[str]) -> TrainedScores | None:
    """As `trained_scores`, for the artefacts of a policy.

    Examples:
        >>> scores_of([]) is None
        True
    """
    if len(files) != 1:
        return None
    try:
        calibration, _ = read_calibration(files[0])
    except ConfigError:
        return None
    distribution = calibration.distribution
    if not distribution.edges:
        return None
    return TrainedScores(distribution.edges, float(distribution.n), calibration.tier)


def with_certified_margin(settings: Settings, folder: Path) -> Settings:
    """The settings with `monitors.margin` from the calibrations of `[policy]`, margin / certified acceptance, where it is unset.

    Of several artefacts the largest holds: monitors watch each tier by itself. One that cannot be read does not count, since an audit needs none.

    Args:
        settings: Settings as loaded.
        folder: Where relative paths in them start.

    Examples:
        >>> with_certified_margin(Settings(), Path()).monitors_margin
        0.02
    """
    _, policy = next(policies_of(settings))
    if settings.monitors.margin is not None or not isinstance(policy, CascadePolicy):
        return settings
    margins: list[float] = []
    for file in calibration_files(policy):
        try:
            calibration, _ = read_calibration(folder / file)
        except ConfigError:
            continue
        if calibration.monitors_margin is not None:
            margins.append(min(calibration.monitors_margin, _LARGEST_MARGIN))
    if not margins:
        return settings
    monitors = settings.monitors.model_copy(update={"margin": max(margins)})
    return settings.model_copy(update={"monitors": monitors})


def _misfits(
    calibration: Calibration, policy: CascadePolicy, settings: Settings, used: tuple[str, ...]
) -> Iterator[str]:
    tier = calibration.tier
    if tier not in used[:-1]:
        cheap = ", ".join(map(repr, used[:-1])) or "none"
        yield f"it is of the tier {tier!r}; the tiers that this policy judges are {cheap}"
    elif calibration.model is not None and calibration.model != settings.tiers[tier].model:
        yield (
            f"it is of the model {calibration.model!r}, but tiers.{tier} asks for {settings.tiers[tier].model!r}; run `undertow calibrate` on "
            "answers of that one"
        )
    if used and calibration.capable_tier != used[-1]:
        yield f"it compares with the tier {calibration.capable_tier!r}, but this policy's capable tier is {used[-1]!r}"
    if calibration.delta > policy.delta + _ROUNDING:
        yield (
            f"its thresholds miss their margin with probability up to {calibration.delta:g}; delta allows {policy.delta:g}; run `undertow "
            "calibrate` again"
        )
    lacking = sorted(
        feature.name
        for feature in calibration.features
        if feature.name in ON_REQUEST and feature.missing_weight is None and not _is_measured(feature.name, policy)
    )
    if lacking:
        settings_for = {"p_true": "self_check = true", "agreement": "samples = 3"}
        wanted = " and ".join(settings_for[name] for name in lacking)
        yield f"it needs {' and '.join(lacking)} of each answer; set {wanted}"
    if any(f.name == "predicted" and f.missing_weight is None for f in calibration.features) and not policy.predictive:
        yield "it needs the classifier's probability (predicted); set predictive to the classifier that it was fitted with"


def _is_measured(name: str, policy: CascadePolicy) -> bool:
    return policy.self_check if name == "p_true" else policy.samples > 0


def _joint_problems(path: SettingPath, policy: CascadePolicy, found: list[Calibration]) -> Iterator[Problem]:
    where, tiers = dotted(path), [calibration.tier for calibration in found]
    for tier in sorted({tier for tier in tiers if tiers.count(tier) > 1}):
        yield Problem((*path, "calibration"), f"{where}.calibration names two artefacts of the tier {tier!r}; keep one")
    total = sum(calibration.margin for calibration in found)
    if total > policy.margin + _ROUNDING:
        parts = " + ".join(f"{calibration.margin:g}" for calibration in found)
        yield Problem(
            (*path, "calibration"),
            f"{where}.calibration: {parts}{f' = {total:g}' if len(found) > 1 else ''} of marginal loss is certified where {where}.margin "
            f"accepts {policy.margin:g}; calibrate with smaller margins that add up to it, or raise it",
        )
    if policy.strict and not found:
        yield Problem(
            (*path, "strict"),
            f"{where}.strict serves nothing cheaply that is not certified, and there is no calibration; run `undertow calibrate` and set "
            "calibration, or leave strict at false",
        )
    if policy.streaming != "hold" and all(calibration.prefix is None for calibration in found):
        yield Problem(
            (*path, "streaming"),
            f"{where}.streaming is {policy.streaming!r}, which judges the first tokens of an answer, and no calibration has a prefix; set "
            'prefix_tokens, gather labels, run `undertow calibrate`, and keep "hold" until then',
        )


def _classifier_problems(path: SettingPath, file: Path) -> Iterator[Problem]:
    try:
        artefact, _ = read_artefact(file)
    except ConfigError as error:
        yield Problem(path, f"{dotted(path)}: {error}")
        return
    if artefact.method != "text":
        yield Problem(
            path,
            f"{dotted(path)}: {file}: it is of method {artefact.method!r}; a cascade predicts with method 'text', which needs no process of "
            "its own",
        )
