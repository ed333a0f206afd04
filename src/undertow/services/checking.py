"""Further calls about an answer that is held: the tier is asked whether it is right, or asked the same again.

    self-check      P(True), Kadavath et al. 2022, arXiv 2207.05221
    samples         self-consistency, Wang et al. 2022, arXiv 2203.11171

They cost money and time, so a policy asks for them only where it was told to; each is among the record's calls with purpose
`self_check`. Whatever goes wrong with one of them, it has no number, and no number is never taken for a good one.
"""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from undertow.policies.agreement import agreement_of
from undertow.ports.reply import Reply
from undertow.ports.upstream import UpstreamAnswer, UpstreamFailedError, UpstreamRequest
from undertow.records.answer import AnswerFacts, Evidence
from undertow.records.serving import TierPlan
from undertow.services.routing import Incoming, RouterParts

PURPOSE = "self_check"
TEMPERATURE = 0.7
"""Of samples, as Wang et al. draw them: at 0 they would all be the same."""
TEXT = Evidence(text=True)
MOST_SAMPLES = 16
"""Never more at a time, whatever a policy asks for."""


class Checking(Protocol):
    """The request whose answer is held; see `undertow.services.account.Account`."""

    incoming: Incoming
    parts: RouterParts
    tiers: Mapping[str, TierPlan]
    reply: Reply
    checks: set[UpstreamAnswer]
    """Answers being read, to be aborted when the caller of a stream leaves."""

    def add_call(self, tier: str, facts: AnswerFacts | None, began: float, status: str, purpose: str = "serve") -> int:
        """Note an upstream call; returns its place among the calls."""
        ...


async def self_check(run: Checking, tier: str, text: str) -> float | None:
    """Probability, by the tier itself, that its answer is right; None where it could not be had.

    Args:
        run: The request.
        tier: Whose answer it is.
        text: The answer.
    """
    dialect, plan = run.incoming.dialect, run.tiers[tier]
    body = dialect.self_check_body(run.incoming.read, text, model=plan.model, parameters=plan.parameters)
    if body is None:
        return None
    answered = await _ask(run, tier, body)
    if answered is None:
        return None
    try:
        return dialect.read_self_check(answered[0])
    except ValueError:
        return None


async def sampled_agreement(run: Checking, tier: str, text: str, samples: int) -> float | None:
    """Share of further answers of the tier that say the same as the one that is held; None where none could be had.

    Args:
        run: The request.
        tier: Whose answer it is.
        text: The answer.
        samples: How many more to ask for, all at once; at most `MOST_SAMPLES`.
    """
    dialect, plan = run.incoming.dialect, run.tiers[tier]
    body = dialect.sample_body(run.incoming.read, model=plan.model, parameters=plan.parameters, temperature=TEMPERATURE)
    if body is None:
        return None
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(_ask(run, tier, body)) for _ in range(min(samples, MOST_SAMPLES))]
    answers = [task.result() for task in asked]
    texts = [answer[1].text for answer in answers if answer is not None]
    return agreement_of(text, [found for found in texts if found])


async def _ask(run: Checking, tier: str, body: bytes) -> tuple[bytes, AnswerFacts] | None:
    """The body of the tier's whole answer, and what is known of it; None where it failed. Noted either way."""
    incoming, parts = run.incoming, run.parts
    dialect, began = incoming.dialect, parts.now()
    request = UpstreamRequest(dialect.kind, dialect.path, body, incoming.headers)
    answer, facts, status = None, None, "abandoned"
    try:
        answer = await parts.upstreams[tier].ask(request)
        run.checks.add(answer)
        if run.reply.disconnected and incoming.facts.wants_stream:
            answer.abort()
        whole = await answer.read()
        facts = dialect.read_answer(incoming.read, whole, evidence=TEXT).facts
        status = "ok"
    except UpstreamFailedError as error:
        status = error.call_status
        return None
    except ValueError:
        status = "garbage"
        return None
    finally:
        if answer is not None:
            answer.abort()  # does nothing to one that was read
            run.checks.discard(answer)
        run.add_call(tier, facts, began, status, PURPOSE)
    return whole, facts
