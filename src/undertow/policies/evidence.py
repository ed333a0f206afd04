"""Features of a held answer: the numbers that a calibration makes a confidence of, by name.

What was not measured is absent, never a number that stands for it. Every number is finite. Each feature with its source and its cost:
docs/concepts/confidence.md.
"""

import math
import re
from collections.abc import Iterable, Mapping
from heapq import nsmallest

from undertow.policies.words import has_refusal_words, hedging, option_of
from undertow.records.answer import AnswerFacts, Evidence, TokenEvidence
from undertow.records.request import RequestFacts

ROUNDING = 1e-6
"""Servers that compute in 32 bits report log-probabilities a hair above 0; anything beyond is no log-probability."""

ALTERNATIVES = 5
"""How many alternatives of each token are asked for where margins or entropies are wanted: the most that most servers give."""

LOW_SHARE = 0.1

MEASURED = frozenset({"p_true", "agreement", "predicted", "novelty"})
"""Features that come of a further call, of a classifier or of a calibration, and are handed in."""

ON_REQUEST = frozenset({"p_true", "agreement"})
"""Those among them that cost a call, made only where it can matter."""

OF_SUM = frozenset({"mean_logprob", "sum_logprob"})
OF_TOKENS = frozenset({"content_logprob", "min_logprob", "low_logprob", "first_logprob"})
OF_ALTERNATIVES = frozenset({"mean_margin", "min_margin", "mean_entropy", "max_entropy"})
OF_TEXT = frozenset({"hedging", "refusal_words"})
OF_FORM = frozenset({"answer_log_tokens", "answer_log_chars", "format_valid", "cut_short"})
OF_REQUEST = frozenset({"query_log_chars"})
NAMES = MEASURED | OF_SUM | OF_TOKENS | OF_ALTERNATIVES | OF_TEXT | OF_FORM | OF_REQUEST
"""All features but the options, `answer=X`."""

IN_PREFIX = OF_SUM | OF_TOKENS | OF_ALTERNATIVES | OF_REQUEST | {"predicted", "novelty"}
"""Features that the first tokens of an answer have."""

CONSTANT = "constant"
"""The feature that is 1 for every answer: what a group adds to the score by itself. It is in no log."""

PREFIX = "prefix."
"""Stands before the names of features of an answer's first tokens; `prefix.tokens` says how many those are."""

_OPTION = re.compile(r"answer=([a-z0-9]{1,2}|yes|no|true|false)", re.ASCII)
_CUT = frozenset({"length", "max_tokens", "max_output_tokens"})


def is_feature(name: str) -> bool:
    """Whether a feature of this name exists.

    Examples:
        >>> is_feature("min_logprob"), is_feature("answer=b"), is_feature("vibes")
        (True, True, False)
    """
    return name in NAMES or _OPTION.fullmatch(name) is not None


def evidence_for(names: Iterable[str]) -> Evidence:
    """What answers must come with for these features to be measured. Always log-probabilities: they cost nothing.

    Examples:
        >>> evidence_for(["mean_logprob"])
        Evidence(logprobs=True, alternatives=0, tokens=False, text=False)
        >>> evidence_for(["min_margin", "answer=a"])
        Evidence(logprobs=True, alternatives=5, tokens=True, text=True)
    """
    wanted = set(names)
    has_alternatives = not wanted.isdisjoint(OF_ALTERNATIVES)
    return Evidence(
        logprobs=True,
        alternatives=ALTERNATIVES if has_alternatives else 0,
        tokens=has_alternatives or not wanted.isdisjoint(OF_TOKENS),
        text=not wanted.isdisjoint(OF_TEXT | ON_REQUEST) or any(name.startswith("answer=") for name in wanted),
    )


def joined(one: Evidence, other: Evidence) -> Evidence:
    """What satisfies both.

    Examples:
        >>> joined(Evidence(logprobs=True, alternatives=5), Evidence(text=True))
        Evidence(logprobs=True, alternatives=5, tokens=False, text=True)
    """
    return Evidence(
        logprobs=one.logprobs or other.logprobs,
        alternatives=max(one.alternatives, other.alternatives),
        tokens=one.tokens or other.tokens,
        text=one.text or other.text,
    )


def mean_log_probability(answer: AnswerFacts) -> float | None:
    """Mean log-probability of the answer's tokens, at most 0; None where it was not measured or cannot be right.

    Examples:
        >>> mean_log_probability(AnswerFacts(logprob_sum=-1.0, logprob_count=4))
        -0.25
        >>> mean_log_probability(AnswerFacts(logprob_sum=float("nan"), logprob_count=4)) is None
        True
    """
    if answer.logprob_sum is None or answer.logprob_count <= 0:
        return None
    mean = answer.logprob_sum / answer.logprob_count
    return min(mean, 0.0) if math.isfinite(mean) and mean <= ROUNDING else None


def features_of(answer: AnswerFacts, facts: RequestFacts, measured: Mapping[str, float]) -> dict[str, float]:
    """Features of a whole answer.

    Args:
        answer: The answer.
        facts: The request.
        measured: What was measured beside it, by names of `MEASURED`; what is not finite counts as not measured.

    Examples:
        >>> request = RequestFacts("chat.completions", "auto", text="Is it red?")
        >>> sorted(features_of(AnswerFacts(logprob_sum=-0.5, logprob_count=2, chars=3, text="Yes"), request, {"p_true": 0.9}))
        ['answer=yes', 'answer_log_chars', 'answer_log_tokens', 'hedging', 'mean_logprob', 'p_true', 'query_log_chars', 'refusal_words', 'sum_logprob']
    """
    found = _of_request(facts, measured)
    mean = mean_log_probability(answer)
    if mean is not None and answer.logprob_sum is not None:
        found["mean_logprob"] = mean
        found["sum_logprob"] = min(answer.logprob_sum, 0.0)
    if answer.tokens is not None:
        _add_tokens(found, answer.tokens)
    _add_form(found, answer)
    if answer.text is not None and answer.text:
        share = hedging(answer.text)
        if share is not None:
            found["hedging"] = share
        found["refusal_words"] = float(has_refusal_words(answer.text))
        option = option_of(answer.text)
        if option is not None:
            found[f"answer={option}"] = 1.0
    return found


def prefix_features_of(
    answer: AnswerFacts, facts: RequestFacts, measured: Mapping[str, float], tokens: int
) -> dict[str, float]:
    """Features of an answer's first tokens, whether more of it has come or not; empty where fewer have.

    Args:
        answer: The answer, or what has come of it.
        facts: The request.
        measured: As for `features_of`; what costs a call has no place in a prefix and is left out.
        tokens: How many tokens are looked at, at least 1.

    Examples:
        >>> so_far = AnswerFacts(tokens=TokenEvidence((-0.5, -0.1, -9.0), (True, True, True)))
        >>> prefix_features_of(so_far, RequestFacts("messages", "auto"), {}, 2)["min_logprob"]
        -0.5
    """
    given = answer.tokens
    if given is None or len(given.logprobs) < tokens:
        return {}
    found = {name: value for name, value in _of_request(facts, measured).items() if name in IN_PREFIX}
    first = TokenEvidence(
        given.logprobs[:tokens], given.is_content[:tokens], given.margins[:tokens], given.entropies[:tokens]
    )
    total = math.fsum(first.logprobs)
    if math.isfinite(total) and max(first.logprobs) <= ROUNDING:
        found["mean_logprob"] = min(total / tokens, 0.0)
        found["sum_logprob"] = min(total, 0.0)
    _add_tokens(found, first)
    return found


def _of_request(facts: RequestFacts, measured: Mapping[str, float]) -> dict[str, float]:
    found = {name: value for name, value in measured.items() if math.isfinite(value)}
    if facts.text:
        found["query_log_chars"] = math.log1p(len(facts.text))
    return found


def _add_tokens(found: dict[str, float], tokens: TokenEvidence) -> None:
    """Least and mean over the tokens that carry the answer: white space and brackets are certain and say nothing."""
    content = [value for value, counts in zip(tokens.logprobs, tokens.is_content, strict=False) if counts]
    if content and all(map(math.isfinite, content)) and max(content) <= ROUNDING:
        found["content_logprob"] = min(math.fsum(content) / len(content), 0.0)
        found["min_logprob"] = min(*content, 0.0)
        low = nsmallest(max(1, int(len(content) * LOW_SHARE)), content)
        found["low_logprob"] = min(math.fsum(low) / len(low), 0.0)
        found["first_logprob"] = min(content[0], 0.0)
    if tokens.margins and all(map(math.isfinite, tokens.margins)):
        found["mean_margin"] = math.fsum(tokens.margins) / len(tokens.margins)
        found["min_margin"] = min(tokens.margins)
    if tokens.entropies and all(map(math.isfinite, tokens.entropies)):
        found["mean_entropy"] = math.fsum(tokens.entropies) / len(tokens.entropies)
        found["max_entropy"] = max(tokens.entropies)


def _add_form(found: dict[str, float], answer: AnswerFacts) -> None:
    tokens = answer.logprob_count
    if tokens <= 0 and answer.usage is not None:
        tokens = answer.usage.output_tokens
    if tokens > 0:
        found["answer_log_tokens"] = math.log1p(tokens)
    if answer.chars > 0:
        found["answer_log_chars"] = math.log1p(answer.chars)
    checks = [check for check in (answer.is_format_valid, answer.are_tool_calls_valid) if check is not None]
    if checks:
        found["format_valid"] = float(all(checks))
    if answer.finish_reason is not None:
        found["cut_short"] = float(answer.finish_reason in _CUT)
