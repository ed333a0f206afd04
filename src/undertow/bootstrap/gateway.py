"""A serving plan made into a router with its upstreams, policies, classifiers and store: what serves in a worker and in a client.

Imports nothing heavy: no NumPy, no DuckDB, no pydantic.
"""

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from undertow.adapters.upstreams.build import build_passthrough, build_upstreams
from undertow.adapters.upstreams.passthrough import PassthroughUpstream
from undertow.adapters.upstreams.tier import TierUpstream
from undertow.adapters.wire import dialects
from undertow.bootstrap.controls import ControlsFile
from undertow.bootstrap.judging import Judges, ThresholdFile, load_judges
from undertow.bootstrap.redaction import redaction_hook
from undertow.bootstrap.sampling import SamplingFile
from undertow.errors import ConfigError, UndertowError
from undertow.policies.build import NO_JUDGES, build_policy
from undertow.ports.classifier import Classifier
from undertow.ports.decision_log import DecisionLog, SignalLog
from undertow.ports.wire import Dialect
from undertow.records.answer import AnswerFacts
from undertow.records.decision import DecisionRecord
from undertow.records.runtime_files import LENGTH_RATIOS, SAMPLING, THRESHOLDS, LengthRatios
from undertow.records.serving import PolicyPlan, ServingPlan
from undertow.records.unreadable import UNREADABLE
from undertow.services.admit import AUTO, Admission
from undertow.services.conversations import Conversations, Stickiness
from undertow.services.route import Router
from undertow.services.routing import Incoming, RouterParts

log = logging.getLogger("undertow.gateway")

OnRecord = Callable[[DecisionRecord, Incoming, AnswerFacts | None], None]
OnDrawn = Callable[[DecisionRecord, Incoming, AnswerFacts], None]
LOOK_AGAIN_S = 60.0
NO_SIDECARS: Mapping[str, str] = {}


class LengthRatioFile:
    """How much longer the capable tier answers, as the keeper last measured it; None for what it has not.

    Args:
        path: The keeper's file; it may come, change and go.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ratios: Mapping[str, Mapping[str, float]] = {}
        self._looked_s = -LOOK_AGAIN_S

    def refresh(self, now_s: float) -> None:
        """Read the file again if it is time to."""
        if now_s - self._looked_s < LOOK_AGAIN_S:
            return
        self._looked_s = now_s
        try:
            self._ratios = msgspec.json.decode(self._path.read_bytes(), type=LengthRatios).tiers
        except FileNotFoundError:
            self._ratios = {}
        except (OSError, *UNREADABLE):
            log.warning("length_ratios_unreadable", extra={"path": str(self._path)})

    def __call__(self, tier: str, segment: Mapping[str, str]) -> float | None:
        """The ratio of the most telling segment that was measured, else of the whole tier, else None."""
        ratios = self._ratios.get(tier)
        if ratios is None:
            return None
        # Labels in order of their names: the same request is priced alike whatever order its labels came in.
        for key in sorted(segment):
            ratio = ratios.get(f"{key}={segment[key]}")
            if ratio is not None:
                return ratio
        return ratios.get("")


@dataclass(slots=True)
class Engine:
    """All that serves.

    Attributes:
        plan: What it was built from.
        router: Routes requests.
        admission: Admits them.
        dialects: Wire formats by path.
        decisions: Where records go.
        signals: Where signals go.
        upstreams: By tier.
        passthrough: For unrouted paths, or None.
        ratios: For the baseline cost.
        classifiers: By policy, those that could be loaded.
        judges: Of calibrated cascades.
        thresholds: What has become of their thresholds.
        sampling: Rates by which decisions are drawn.
        controls: What restricts policies.
    """

    plan: ServingPlan
    router: Router
    admission: Admission
    dialects: Mapping[str, Dialect]
    decisions: DecisionLog
    signals: SignalLog
    upstreams: Mapping[str, TierUpstream]
    passthrough: PassthroughUpstream | None
    ratios: LengthRatioFile
    classifiers: Mapping[str, Classifier]
    judges: Judges
    thresholds: ThresholdFile
    sampling: SamplingFile
    controls: ControlsFile

    def refresh(self) -> None:
        """Look at files that others change; call it now and then."""
        now_s = time.monotonic()
        self.ratios.refresh(now_s)
        self.thresholds.refresh(now_s)
        self.sampling.refresh(now_s)
        if self.controls.refresh(now_s):
            self.admission.restrictions = self.controls.restrictions

    async def aclose(self) -> None:
        """Close all connections."""
        for upstream in self.upstreams.values():
            await upstream.aclose()
        if self.passthrough is not None:
            await self.passthrough.aclose()
        for classifier in self.classifiers.values():
            close = getattr(classifier, "aclose", None)  # only one that asks another process has something to close
            if close is not None:
                await close()


def build_engine(
    plan: ServingPlan,
    env: Mapping[str, str],
    *,
    decisions: DecisionLog,
    signals: SignalLog,
    on_record: OnRecord,
    on_drawn: OnDrawn | None = None,
    sidecars: Mapping[str, str] = NO_SIDECARS,
) -> Engine:
    """Build all that serves. Connects to nothing yet.

    Args:
        plan: The plan.
        env: Environment with the secrets that it names.
        decisions: Where records go.
        signals: Where signals go.
        on_record: Told of every record of a routed request.
        on_drawn: Told of decisions that were chosen for review or shadow, with the answer's text; None: nothing is drawn.
        sidecars: Policy -> socket of the process that holds its encoder; a policy with embeddings that has none is without its
            classifier, so the capable tier answers.

    Raises:
        ConfigError: A named variable is unset, a hook cannot be loaded, or a calibration is not what it should be.
    """
    upstreams = build_upstreams(plan, env)
    formats = dialects()
    speaks = {
        kind: frozenset(name for name, upstream in upstreams.items() if upstream.speaks(kind))
        for kind in ("openai", "anthropic")
    }
    ratios = LengthRatioFile(Path(plan.store.path) / LENGTH_RATIOS)
    ratios.refresh(time.monotonic())
    classifiers = _classifiers(plan.policies, sidecars)
    judges = load_judges(plan.policies)
    thresholds = ThresholdFile(Path(plan.store.path) / THRESHOLDS, judges)
    thresholds.refresh(time.monotonic())
    sampling = SamplingFile(Path(plan.store.path) / SAMPLING, plan)
    sampling.refresh(time.monotonic())
    conversations = Conversations()

    def told(record: DecisionRecord, incoming: Incoming, facts: AnswerFacts | None) -> None:
        conversations.note(record, time.perf_counter())
        on_record(record, incoming, facts)

    router = Router(
        RouterParts(
            plan=plan,
            upstreams=upstreams,
            decisions=decisions,
            classifiers=classifiers,
            now=time.perf_counter,
            on_record=told,
            length_ratio=ratios,
            keeps_text=plan.store.keeps_text,
            redact=redaction_hook(plan.store.redact),
            draws=sampling if on_drawn is not None else None,
            on_drawn=on_drawn,
        )
    )
    policies = {policy.name: build_policy(policy, judges.get(policy.name, NO_JUDGES)) for policy in plan.policies}
    if AUTO not in policies:
        raise ConfigError("the plan has no policy `auto`; compile it again")
    admission = Admission(
        plan, policies, speaks, _id_key(plan, env), Stickiness(plan, conversations, acceptance_by(judges))
    )
    controls = ControlsFile(plan.store.path, plan.policies)
    admission.restrictions = controls.restrictions
    return Engine(
        plan=plan,
        router=router,
        admission=admission,
        dialects=formats,
        decisions=decisions,
        signals=signals,
        upstreams=upstreams,
        passthrough=build_passthrough(plan, env),
        ratios=ratios,
        classifiers=classifiers,
        judges=judges,
        thresholds=thresholds,
        sampling=sampling,
        controls=controls,
    )


def acceptance_by(judges: Judges) -> Callable[[str, str, Mapping[str, str]], float | None]:
    """(policy, tier, labels) -> certified share of such requests that the tier's answers are served to; None where it is not known."""

    def acceptance(policy: str, tier: str, segment: Mapping[str, str]) -> float | None:
        judge = judges.get(policy, NO_JUDGES).get(tier)
        return None if judge is None else judge.acceptance(segment)

    return acceptance


def sidecar_artefacts(plan: ServingPlan) -> dict[str, str]:
    """Policy -> artefact of its classifier, where that needs a process of its own: those with an encoder, which the data plane does not load."""
    return {
        policy.name: artefact
        for policy in plan.policies
        if policy.method == "embedding" and (artefact := _artefact(policy)) is not None
    }


def _artefact(policy: PolicyPlan) -> str | None:
    """The classifier that a policy asks before any model runs, or None."""
    if policy.kind == "cascade":
        return policy.predictive
    return policy.artefact if policy.kind == "classifier" and policy.method != "rules" else None


def _classifiers(policies: tuple[PolicyPlan, ...], sidecars: Mapping[str, str]) -> dict[str, Classifier]:
    """The classifiers that can be loaded. Without it a classifier policy answers with the capable tier, and a cascade judges every answer."""
    found: dict[str, Classifier] = {}
    for policy in policies:
        artefact = _artefact(policy)
        if artefact is None:
            continue
        from undertow.adapters.classifiers.loading import load_classifier  # noqa: PLC0415 (most gateways have none)

        try:
            found[policy.name] = load_classifier(artefact, socket=sidecars.get(policy.name))
        except (UndertowError, OSError):
            log.exception("classifier_not_loaded", extra={"policy": policy.name})
    return found


def _id_key(plan: ServingPlan, env: Mapping[str, str]) -> bytes | None:
    name = plan.store.id_key_env
    if name is None:
        return None
    if not env.get(name):
        raise ConfigError(
            f"store.id_key_env names {name}, which is not set; without it ids would be written as they are"
        )
    return env[name].encode()


def writer_name(prefix: str) -> str:
    """Name of a writer of segments: what it is, and its process for people who look at the folder."""
    return f"{prefix}.{os.getpid()}"
