"""A model that judges: any OpenAI-compatible address, asked for one small JSON object.

Servers differ in what they take: a JSON schema, JSON mode, or neither; `max_tokens`, or `max_completion_tokens`. The strictest form is
tried first; what a server refuses (400 or 422) is dropped, and not tried again while this judge lives.
"""

import time
from collections.abc import Callable, Mapping

import msgspec

from undertow.adapters.upstreams.tier import TierUpstream
from undertow.adapters.wire.body import encode
from undertow.adapters.wire.chat import ChatDialect
from undertow.adapters.wire.usage import estimated_usage
from undertow.ports.judge import JudgePrompt, JudgeReply, ReplyStatus
from undertow.ports.upstream import UpstreamFailedError, UpstreamRequest
from undertow.records.answer import AnswerFacts, Evidence, Usage
from undertow.records.serving import EndpointPlan, LimitsPlan, TierPlan

MAX_ANSWER_TOKENS = 1024
"""Room for models that think aloud; the verdict itself takes ten."""
MAX_ANSWER_BYTES = 2_000_000
NESTING = 100

_CHARS_PER_TOKEN = 4
_LIMITS = ("max_tokens", "max_completion_tokens")
_REFUSED_FORM = frozenset({400, 422})
_OUTAGE = frozenset({401, 403, 404, 408, 429})
"""Statuses that the next question would meet as well, as would it a 5xx."""

_FORMATS = ("json_schema", "json_object", None)


class _Form(msgspec.Struct, frozen=True):
    """What is asked of the server beside the messages: places in `_FORMATS` and `_LIMITS`."""

    format: int = 0
    limit: int = 0


class ModelJudge:
    """A `undertow.ports.judge.Judge` that asks a model.

    Args:
        model: Its name.
        endpoint: Its address.
        parameters: Sent with each question, over everything but model and messages.
        timeout_s: Longest wait for one answer, in seconds.
        env: Environment variables, one of which may hold the key.
        now: Clock that never goes back, seconds.

    Raises:
        ConfigError: The endpoint cannot be used as it is configured, or its key variable is unset.
    """

    def __init__(
        self,
        model: str,
        endpoint: EndpointPlan,
        parameters: Mapping[str, object],
        timeout_s: float,
        env: Mapping[str, str],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model, self._parameters, self._now = model, dict(parameters), now
        limits = LimitsPlan(
            max_answer_bytes=MAX_ANSWER_BYTES, first_byte_timeout_s=timeout_s, total_timeout_s=timeout_s, max_retries=1
        )
        self._upstream = TierUpstream(TierPlan(name="judge", model=model, endpoints=(endpoint,)), limits, env)
        self._dialect = ChatDialect()
        self._form = _Form()

    @property
    def name(self) -> str:
        """The model."""
        return self._model

    async def ask(self, prompt: JudgePrompt) -> JudgeReply:
        """Ask once; a form that the server refuses is changed, and the question asked again."""
        began = self._now()
        while True:
            form = self._form
            body = self._body(prompt, form)
            try:
                answer = await self._upstream.ask(UpstreamRequest("openai", self._dialect.path, body))
                read = self._dialect.read_answer(
                    self._dialect.read_request(body, max_nesting=NESTING),
                    await answer.read(),
                    evidence=Evidence(text=True),
                )
            except UpstreamFailedError as failure:
                other = self._other_form(form, failure)
                if other is None:
                    return self._failed(failure, self._elapsed_ms(began))
                # Several questions are under way at once: whoever learns of a refusal later starts from what is known by then.
                self._form = other if self._form == form else self._form
            except ValueError:  # no chat completion
                return JudgeReply(status="failed", call_status="garbage", latency_ms=self._elapsed_ms(began))
            else:
                return self._reply(prompt, read.facts, self._elapsed_ms(began))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._upstream.aclose()

    def _elapsed_ms(self, began: float) -> float:
        return (self._now() - began) * 1000

    def _body(self, prompt: JudgePrompt, form: _Form) -> bytes:
        fields: dict[str, object] = {
            "model": self._model,
            "messages": [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}],
        }
        if not any(name in self._parameters for name in _LIMITS):
            fields[_LIMITS[form.limit]] = MAX_ANSWER_TOKENS
        match _FORMATS[form.format]:
            case "json_schema":
                fields["response_format"] = {"type": "json_schema", "json_schema": _schema(len(prompt.answers) == 2)}
            case "json_object":
                fields["response_format"] = {"type": "json_object"}
            case _:
                pass
        own = {"model", "messages", "stream", "stream_options", "n"}
        return encode(fields | {name: value for name, value in self._parameters.items() if name not in own})

    def _other_form(self, form: _Form, failure: UpstreamFailedError) -> _Form | None:
        """What to try after a refusal; None: it was not the form."""
        if failure.status not in _REFUSED_FORM or _is_content_refusal(failure):
            return None
        if b"max_tokens" in failure.body and form.limit == 0:
            return _Form(form.format, 1)
        return _Form(form.format + 1, form.limit) if form.format + 1 < len(_FORMATS) else None

    def _reply(self, prompt: JudgePrompt, facts: AnswerFacts, latency_ms: float) -> JudgeReply:
        usage = facts.usage
        if usage is None:
            usage = estimated_usage((len(prompt.system) + len(prompt.user)) // _CHARS_PER_TOKEN, facts.chars)
        status: ReplyStatus = "refused" if facts.is_refusal else "ok"
        return JudgeReply(
            status=status,
            text="" if facts.is_refusal else facts.text or "",
            model=facts.model,
            usage=usage,
            latency_ms=latency_ms,
        )

    def _failed(self, failure: UpstreamFailedError, latency_ms: float) -> JudgeReply:
        if _is_content_refusal(failure):
            return JudgeReply(status="refused", usage=Usage(), latency_ms=latency_ms, call_status=failure.call_status)
        is_timeout = failure.kind == "timeout"
        is_down = failure.kind in {"connect", "breaker_open", "no_endpoint"}
        is_unwilling = failure.status is not None and (failure.status in _OUTAGE or failure.status >= 500)
        return JudgeReply(
            status="timeout" if is_timeout else "failed",
            latency_ms=latency_ms,
            call_status=failure.call_status,
            is_outage=is_down or is_unwilling,
        )


def _is_content_refusal(failure: UpstreamFailedError) -> bool:
    """A provider's filter took the question for something that it does not answer; asked differently it would say the same."""
    return failure.status in _REFUSED_FORM and b"content_filter" in failure.body


def _schema(is_pair: bool) -> dict[str, object]:
    field: dict[str, object] = (
        {"verdict": {"type": "string", "enum": ["A", "B", "tie"]}}
        if is_pair
        else {"score": {"type": "number", "minimum": 0, "maximum": 1}}
    )
    return {
        "name": "judgement",
        "strict": True,
        "schema": {"type": "object", "properties": field, "required": list(field), "additionalProperties": False},
    }
