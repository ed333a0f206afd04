"""One upstream call for the answer to a request: asked, read, held back, and served if that is decided.

    held     all of it is kept; a policy may be told of its beginning, and judges the whole
    live     what has come was sent to the caller, and the rest is as it comes (`undertow.services.live_stream`)

Whoever needs nothing beside the call reads it inline; one that must go on while its request does something else (a policy looks at
the beginning, two tiers race) runs as a task of its own. Either way it is noted among the calls exactly once, however it ends.
"""

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from typing import Protocol

import msgspec

from undertow.ports.upstream import UpstreamAnswer, UpstreamFailedError, UpstreamRequest
from undertow.ports.wire import StreamReader
from undertow.records.answer import AnswerFacts, Evidence
from undertow.records.serving import TierPlan
from undertow.services.live_stream import END_S, LiveStream, Serving, expect_events, next_piece
from undertow.services.log_probabilities import (
    LogProbabilityRefusals,
    caller_asked,
    names_log_probabilities,
    without_log_probabilities,
)
from undertow.services.routing import NO_HEADERS, Incoming, RouterParts

log = logging.getLogger("undertow.route")


class Asking(Serving, Protocol):
    """The request that a call is made for; see `undertow.services.account.Account`."""

    incoming: Incoming
    parts: RouterParts
    tiers: Mapping[str, TierPlan]
    refusals: LogProbabilityRefusals

    def add_call(self, tier: str, facts: AnswerFacts | None, began: float, status: str, purpose: str = "serve") -> int:
        """Note an upstream call; returns its place among the calls."""
        ...


class Whole(msgspec.Struct, frozen=True, gc=False):
    """A whole answer, ready to be sent.

    Attributes:
        facts: What is known of it.
        payload: What the caller gets.
        place: Its place among the calls.
    """

    facts: AnswerFacts
    payload: bytes
    place: int


class OpenCall:
    """One call.

    Args:
        run: The request.
        tier: Whom to ask.
        evidence: What its answer should come with.
        purpose: As in the record.

    Attributes:
        is_stream: It comes piece by piece.
        is_over: It has ended, failed or was cancelled, and is noted.
        whole: The answer, where it came whole and was held.
        failure: Why there is none.
        live: Set once it is served as it comes.
        beginning: What was known when its first tokens had come; None: not yet, or it is not looked for.
        news: Where a beginning is looked for: set when there is one, and when the call is over.
        task: Its own, where it has one.
    """

    __slots__ = (
        "_began",
        "_begun_tokens",
        "_chars",
        "_ending",
        "_evidence",
        "_has_content",
        "_held",
        "_last",
        "_pieces",
        "answer",
        "beginning",
        "failure",
        "is_over",
        "is_stream",
        "live",
        "news",
        "purpose",
        "reader",
        "run",
        "task",
        "tier",
        "whole",
    )

    reader: StreamReader

    def __init__(self, run: Asking, tier: str, evidence: Evidence, *, purpose: str = "serve") -> None:
        self.run = run
        self.tier = tier
        self.purpose = purpose
        self.is_stream = run.incoming.facts.wants_stream
        self.answer: UpstreamAnswer | None = None
        self.is_over = False
        self.whole: Whole | None = None
        self.failure: UpstreamFailedError | None = None
        self.live: LiveStream | None = None
        self.beginning: AnswerFacts | None = None
        self.news: asyncio.Event | None = None
        self.task: asyncio.Task[None] | None = None
        self._began = run.parts.now()
        self._held: list[bytes] = []
        self._last = b""
        self._has_content = False
        self._begun_tokens = 0
        self._pieces = self._chars = 0
        self._ending: asyncio.TimerHandle | None = None
        self._use(run.refusals.granted(tier, evidence, self._began))

    def _use(self, evidence: Evidence) -> None:
        self._evidence = evidence
        if self.is_stream:
            self.reader = self.run.incoming.dialect.stream_reader(self.run.incoming.read, evidence=evidence)

    @property
    def headers(self) -> Mapping[bytes, bytes]:
        """The upstream's response headers."""
        return self.answer.headers if self.answer is not None else NO_HEADERS

    @property
    def tokens(self) -> int:
        """Tokens of the stream that have come: as its log-probabilities count them, else its pieces of text."""
        return self.reader.facts().logprob_count or self._pieces

    # -- running

    def start(self) -> None:
        """Run it beside whatever its request does."""
        self.task = asyncio.get_running_loop().create_task(self.to_end())
        self.task.add_done_callback(self._task_ended)

    async def over(self) -> None:
        """Run it to its end, or wait for that."""
        if self.task is None:
            await self.to_end()
        else:
            await asyncio.wait({self.task})

    async def to_end(self) -> None:
        """Ask, and read all of the answer. A tier that fails leaves `failure`; nothing is raised for it."""
        try:
            self.answer = answer = await self._ask()
            if self.is_stream:
                await self._follow(answer)
            else:
                await self._take_whole(answer)
        except (UpstreamFailedError, ValueError) as error:
            self._failed(error)
        finally:
            if self.news is not None:
                self.news.set()

    def cancel(self, status: str) -> None:
        """Stop it now, and note what it has cost; an unfinished stream's tokens are estimated from what had come.

        Its prompt counts even before the head came: the upstream has it. Does nothing to a call that is over.
        """
        if not self.is_over:
            self.ended(self.reader.facts() if self.is_stream else None, status)
        self.abort()
        if self.task is not None:
            self.task.cancel()

    def abort(self) -> None:
        """Close its connection now, if it has one that is still open."""
        if self.answer is not None:
            self.answer.abort()

    def ended(self, facts: AnswerFacts | None, status: str) -> int:
        """Note it among the calls; returns its place."""
        self.is_over = True
        return self.run.add_call(self.tier, facts, self._began, status, self.purpose)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        # A fault of ours in one tier's call: the tier counts as failed, and a dearer one answers.
        log.error("call_failed", extra={"decision_id": self.run.incoming.decision_id}, exc_info=error)
        self._failed(UpstreamFailedError("garbage"))

    async def _ask(self) -> UpstreamAnswer:
        """Wait for the answer's head; where the tier refuses to give log-probabilities, ask once more without them."""
        run, evidence = self.run, self._evidence
        upstream = run.parts.upstreams[self.tier]
        asked = self._request(evidence)
        try:
            return await upstream.ask(asked)
        except UpstreamFailedError as error:
            if not names_log_probabilities(error) or run.reply.disconnected:
                raise
            plain = self._request(without_log_probabilities(evidence))
            if plain.body == asked.body:  # the gateway asked for none: the error is the caller's affair
                raise
            run.add_call(self.tier, None, self._began, error.call_status, self.purpose)
        self._began = run.parts.now()
        self._use(without_log_probabilities(evidence))
        answer = await upstream.ask(plain)
        if not caller_asked(run.incoming.read):  # else a caller could have it remembered at will
            run.refusals.note(self.tier, run.parts.now())
        return answer

    def _request(self, evidence: Evidence) -> UpstreamRequest:
        incoming, plan = self.run.incoming, self.run.tiers[self.tier]
        dialect = incoming.dialect
        body = dialect.upstream_body(incoming.read, model=plan.model, parameters=plan.parameters, evidence=evidence)
        return UpstreamRequest(dialect.kind, dialect.path, body, incoming.headers, self.is_stream)

    async def _take_whole(self, answer: UpstreamAnswer) -> None:
        # A caller that goes away does not stop this call: its cost would never be known.
        incoming = self.run.incoming
        read = incoming.dialect.read_answer(incoming.read, await answer.read(), evidence=self._evidence)
        self.whole = Whole(read.facts, read.body, self.ended(read.facts, "ok"))

    async def _follow(self, answer: UpstreamAnswer) -> None:
        """All events of a stream.

        Raises:
            UpstreamFailedError: It was cut, came too late, or we closed it since the caller went away.
            ValueError: It is no stream of this format, or the upstream reported an error in it.
        """
        expect_events(answer)
        if self.run.reply.disconnected:  # it left while the upstream thought
            answer.abort()
        try:
            await answer.pump(self.live.take if self.live is not None else self._take)
        except UpstreamFailedError:
            if not self.reader.is_complete:
                raise
        finally:
            if self._ending is not None:
                self._ending.cancel()
            if self.live is not None:
                self.live.close()
        if not self.reader.is_complete:
            raise UpstreamFailedError("cut", tries=answer.tries)
        if not self.is_over:
            self._held.append(self._last)
            facts = self.reader.facts()
            self.whole = Whole(facts, b"".join(self._held), self.ended(facts, "ok"))

    def _failed(self, error: Exception) -> None:
        if self.is_over:  # cancelled, or served to its end already
            return
        self.abort()
        has_answer = self.answer is not None
        tries = self.answer.tries if self.answer is not None else 1
        self.failure = failure = (
            error if isinstance(error, UpstreamFailedError) else UpstreamFailedError("garbage", tries=tries)
        )
        is_left = self.live is not None and self.run.reply.disconnected and has_answer
        facts = self.reader.facts() if self.is_stream and has_answer else None
        self.ended(facts, "abandoned" if is_left else failure.call_status)

    # -- holding, and serving what was held

    def look_for_beginning(self, tokens: int) -> None:
        """Have `beginning` set, once, when so many tokens have come; never for an answer with a tool call, nor at its end."""
        self._begun_tokens = tokens
        self.news = asyncio.Event()
        if self.is_over:
            self.news.set()
        elif self._has_content and not self._last:
            self._look()

    async def heard(self) -> AnswerFacts | None:
        """Wait for the beginning that is looked for; None: the call ended without one."""
        assert self.news is not None, "a beginning is looked for"
        await self.news.wait()
        return None if self.is_over else self.beginning

    def go_live(self) -> None:
        """Serve it: what has come now, the rest as it comes. A call that has its own task goes on by itself."""
        self._begun_tokens = 0
        self.live = LiveStream(self.run, self)
        if self._held or self._last:
            held, self._held = b"".join(self._held), []
            self.live.resume(held, self._last, has_content=self._has_content)

    def _take(self, chunk: bytes) -> Awaitable[None] | None:
        """Take a chunk; what is returned is to be awaited before the next one."""
        if self.live is not None:
            return self.live.take(chunk)
        piece = next_piece(self.reader, chunk)
        self._held.append(piece.forward)
        if piece.last:
            self._last = piece.last
            self._ending = asyncio.get_running_loop().call_later(END_S, self.abort)
        elif piece.has_content:
            self._has_content = True
            if self._begun_tokens:
                self._look()
        return None

    def _look(self) -> None:
        """Whether the beginning is there."""
        facts = self.reader.facts()
        if facts.chars > self._chars:  # reasoning and the like have no token of the answer
            self._chars = facts.chars
            self._pieces += 1
        if facts.tool_names or facts.are_tool_calls_valid is not None or facts.finish_reason is not None:
            self._begun_tokens = 0
        elif (facts.logprob_count or self._pieces) >= self._begun_tokens:
            self._begun_tokens = 0
            self.beginning = facts
            if self.news is not None:
                self.news.set()
