"""Judges answers by a calibration artefact: features -> score -> confidence -> served if it reaches the threshold of the request's group.

A certificate holds for requests like those that were labelled, answered by the model that was labelled. So whatever is not like them has no
confidence or is not served: another model, a feature that was not measured, a segment that was not certified, scores on another scale.
"""

from collections.abc import Iterator, Mapping

import msgspec

from undertow.policies.base import Judgement
from undertow.policies.confidence import Verdict, prefixed, raised, refused
from undertow.policies.evidence import (
    ON_REQUEST,
    PREFIX,
    evidence_for,
    features_of,
    joined,
    mean_log_probability,
    prefix_features_of,
)
from undertow.policies.novelty import novelty_of, unpack_seen
from undertow.policies.scale import ScaleWatch
from undertow.policies.scores import best_score, confidence_of, score_of
from undertow.policies.standing import Standing, standings_of
from undertow.records.answer import NO_EVIDENCE, AnswerFacts, Evidence
from undertow.records.calibration import Calibration, PolicyState
from undertow.records.request import RequestFacts

VERSION_CHARS = 12
"""Of the artefact's hash that stand in a record."""


class CalibratedJudge:
    """Judges the answers of one tier for one policy.

    Args:
        calibration: A sound one (`undertow.policies.calibration_check`).
        sha256: Its hash.
        strict: Serve nothing cheaply where a certificate is void, or where no group holds the request's label.
        commits: Streams may be served from their first tokens on. The certificate of the prefix is one of both ways to be served, early or
            whole, so its threshold then holds for whole answers too.
        needs: What answers should come with beside what the calibration needs.
        logged_prefix: Of how many first tokens features go into the log where the calibration has no prefix; 0: none.

    Attributes:
        needs: What answers should come with.
        prefix_tokens: How many first tokens it can judge; 0: none.
        version: What records call it: the beginning of the artefact's hash, and `+N` while tuned thresholds of version N are in force.

    Examples:
        >>> given = {
        ...     "tier": "cheap", "capable_tier": "capable", "fitted_at": "2026-01-01T00:00:00Z", "margin": 0.02, "delta": 0.1,
        ...     "fitted_on": {"source": "review", "labels": 500, "good": 400, "effective": 500.0},
        ...     "features": [{"name": "mean_logprob"}], "groups": [{"map": {"method": "platt"}, "threshold": 0.9}],
        ...     "distribution": {"edges": [], "mean": -0.2, "sd": 0.1, "n": 500},
        ... }
        >>> judge = CalibratedJudge(msgspec.convert(given, Calibration), "0123456789abcdef")
        >>> verdict = judge.judge(AnswerFacts(logprob_sum=-0.4, logprob_count=4), RequestFacts("messages", "auto"), {})
        >>> verdict.reason, round(verdict.judgement.confidence, 3), verdict.judgement.calibration_version
        ('confident', 0.905, '0123456789ab')
    """

    __slots__ = (
        "_calibration", "_commits", "_known_models", "_logged_prefix", "_seen", "_sha256", "_standings", "_state", "_strict",
        "_watch", "needs", "prefix_tokens", "version",
    )  # fmt: skip

    def __init__(
        self,
        calibration: Calibration,
        sha256: str,
        *,
        strict: bool = False,
        commits: bool = False,
        needs: Evidence = NO_EVIDENCE,
        logged_prefix: int = 0,
    ) -> None:
        self._calibration = calibration
        self._sha256 = sha256
        self._strict = strict
        self._commits = commits
        self._known_models = frozenset(calibration.served_models)
        prefix = calibration.prefix
        self._seen = unpack_seen(calibration.distribution.seen_words) if calibration.distribution.seen_words else None
        self._watch = ScaleWatch(calibration.distribution.edges)
        self._state: PolicyState | None = None
        self.prefix_tokens = prefix.tokens if prefix is not None else 0
        self._logged_prefix = self.prefix_tokens or logged_prefix
        needs = joined(needs, evidence_for(feature.name for feature in calibration.features))
        if prefix is not None:
            ahead = evidence_for(feature.name.removeprefix(PREFIX) for feature in prefix.features)
            needs = joined(needs, joined(ahead, Evidence(tokens=True)))
        self.needs = needs
        self._restate()

    # -- what is in force

    def apply(self, state: PolicyState | None) -> bool:
        """Put tuned thresholds and voided certificates in force; None: those of the artefact.

        Returns:
            Whether they are in force now; False for those of another artefact, which are ignored: the artefact's own hold.
        """
        is_ours = state is not None and _is_hash_of(state.calibration_version, self._sha256)
        self._state = state if is_ours else None
        self._restate()
        return state is None or is_ours

    @property
    def is_suspect(self) -> bool:
        """Scores of late are nothing like those that it was fitted on: nothing is served cheaply while that lasts."""
        return self._watch.is_suspect

    def standings(self) -> Iterator[Standing]:
        """How things stand for each group, for those who watch; the group of all other requests is among them."""
        yield from self._standings.values()

    def acceptance(self, segment: Mapping[str, str]) -> float | None:
        """Certified share of requests like these that are served cheaply, in [0, 1]; None where it is not known."""
        return 0.0 if self.is_suspect else self._standing(segment).acceptance

    def _restate(self) -> None:
        self.version = self._sha256[:VERSION_CHARS] + (f"+{self._state.version}" if self._state is not None else "")
        self._standings = standings_of(self._calibration, self._state, strict=self._strict, commits=self._commits)

    def _standing(self, segment: Mapping[str, str]) -> Standing:
        """A request without the label is one of the rest; one whose value no group holds was never certified, and counts to it unless strict."""
        key = self._calibration.group_key
        value = None if key is None else segment.get(key)
        found = self._standings.get(value)
        if found is not None:
            return found
        rest = self._standings[None]
        if self._strict and not rest.blocked:
            return msgspec.structs.replace(rest, blocked="uncertified", acceptance=0.0)
        return rest

    def _blocked(self, standing: Standing) -> str | None:
        return "calibration_void" if self._watch.is_suspect else standing.blocked

    # -- judging

    def judge(
        self, answer: AnswerFacts, facts: RequestFacts, measured: Mapping[str, float], raised_by: float = 0.0
    ) -> Verdict:
        """What becomes of a whole answer; see `undertow.policies.confidence.Judge`."""
        measured = self._with_novelty(facts, measured)
        features = features_of(answer, facts, measured)
        standing = self._standing(facts.segment)
        threshold = None if standing.threshold is None else raised(standing.threshold, raised_by)
        is_known = self._knows(answer)
        given = self._calibration
        score = score_of(given.features, given.intercept, features, standing.value) if is_known else None
        confidence = None
        if score is not None:
            self._watch.add(score)
            confidence = confidence_of(standing.map, given.link, score)
        shown = features
        if self._logged_prefix:
            ahead = prefix_features_of(answer, facts, measured, self._logged_prefix)
            shown = features | prefixed(ahead, self._logged_prefix)
        judgement = self._judgement(score, confidence, threshold, measured, shown)
        reason = refused(answer)
        if reason is None and not is_known:
            reason = "other_model"
        if reason is None and confidence is None:
            reason = self._why_no_confidence(answer, features, standing, threshold)
        if reason is None:
            reason = self._blocked(standing)
        if reason is not None:
            return Verdict(is_released=False, reason=reason, judgement=judgement)
        # No confidence, and no reason against it: tool calls alone, which were checked against their signatures instead.
        is_confident = confidence is None or (threshold is not None and confidence >= threshold)
        return Verdict(is_confident, "confident" if is_confident else "unsure", judgement)

    def is_within_reach(
        self, answer: AnswerFacts, facts: RequestFacts, measured: Mapping[str, float], raised_by: float = 0.0
    ) -> bool:
        """Whether the answer can still be served, whatever the further calls say: else they are not worth their price.

        The confidence rises with the score, and a self-check and an agreement lie in [0, 1]: the best score that is left shows it.
        """
        standing = self._standing(facts.segment)
        if refused(answer) is not None or not self._knows(answer) or self._blocked(standing) or not standing.threshold:
            return False
        given = self._calibration
        features = features_of(answer, facts, self._with_novelty(facts, measured))
        best = best_score(given.features, given.intercept, features, standing.value)
        if best is None:
            return False
        if ON_REQUEST.isdisjoint(feature.name for feature in given.features):
            return True  # they enter no confidence yet: asked for by the user, for the log of a calibration to come
        return confidence_of(standing.map, given.link, best) >= raised(standing.threshold, raised_by)

    def judge_prefix(
        self, answer: AnswerFacts, facts: RequestFacts, measured: Mapping[str, float], raised_by: float = 0.0
    ) -> Verdict:
        """What can be said of an answer by its first tokens; see `undertow.policies.confidence.Judge`."""
        prefix, standing = self._calibration.prefix, self._standing(facts.segment)
        measured = self._with_novelty(facts, measured)
        features = prefix_features_of(answer, facts, measured, self.prefix_tokens) if prefix is not None else {}
        threshold = None if standing.threshold is None else raised(standing.threshold, raised_by)
        score = confidence = None
        is_known = self._knows(answer)
        if prefix is not None and standing.prefix_map is not None and is_known:
            score = score_of(prefix.features, prefix.intercept, features, standing.value)
            confidence = None if score is None else confidence_of(standing.prefix_map, prefix.link, score)
        judgement = self._judgement(score, confidence, threshold, measured, prefixed(features, self.prefix_tokens))
        reason = refused(answer) or (None if is_known else "other_model") or self._blocked(standing)
        if reason is None and confidence is None:
            reason = "no_confidence"
        if reason is not None:
            return Verdict(is_released=False, reason=reason, judgement=judgement)
        is_confident = (
            standing.prefix_threshold is not None
            and confidence is not None
            and confidence >= raised(standing.prefix_threshold, raised_by)
        )
        return Verdict(is_confident, "confident" if is_confident else "unsure", judgement)

    def _why_no_confidence(
        self, answer: AnswerFacts, features: Mapping[str, float], standing: Standing, threshold: float | None
    ) -> str | None:
        given, blocked = self._calibration, self._blocked(standing)
        best = best_score(given.features, given.intercept, features, standing.value)
        if best is not None:
            # Only what costs a call is missing. Where it was not made, that was since no outcome of it could have served the answer.
            if blocked is not None or threshold is None:
                return blocked or "uncertified"
            is_open = confidence_of(standing.map, given.link, best) >= threshold
            return "no_confidence" if is_open else "unsure"
        is_checked = answer.is_tool_calls_only and answer.are_tool_calls_valid is True
        if is_checked and mean_log_probability(answer) is None:
            return blocked or ("uncertified" if self._strict else None)
        return "no_confidence"

    def _knows(self, answer: AnswerFacts) -> bool:
        return not self._known_models or answer.model in self._known_models

    def _with_novelty(self, facts: RequestFacts, measured: Mapping[str, float]) -> Mapping[str, float]:
        if self._seen is None or "novelty" in measured:
            return measured
        novelty = novelty_of(facts.text, self._seen)
        return measured if novelty is None else {**measured, "novelty": novelty}

    def _judgement(
        self,
        score: float | None,
        confidence: float | None,
        threshold: float | None,
        measured: Mapping[str, float],
        features: dict[str, float],
    ) -> Judgement:
        return Judgement(
            score=score,
            confidence=confidence,
            threshold=threshold,
            confidence_kind=None if confidence is None else "calibrated",
            calibration_version=self.version,
            novelty=measured.get("novelty"),
            features=features or None,
        )


def _is_hash_of(said: str, sha256: str) -> bool:
    """Whether what a state names is this artefact's hash, in full or as records show it."""
    return len(said) >= VERSION_CHARS and sha256.startswith(said)
