"""What one process remembers of the conversations that it answers: who answered last, so that they do not flap between models.

The memory is bounded, lives in the worker, and is gone with it. With several workers each knows only the turns that it answered
itself: a conversation whose turns meet another worker is decided as if it were new there, which costs savings or a cached prompt
and never quality, since every cheap answer is judged all the same.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping

import msgspec

from undertow.policies.base import Setting
from undertow.policies.sessions import stays
from undertow.records.decision import DecisionRecord
from undertow.records.pricing import prices_at
from undertow.records.request import RequestFacts
from undertow.records.serving import PolicyPlan, ServingPlan
from undertow.records.session import LastTurn

MOST = 10_000
"""Conversations; of more, those that were silent longest are forgotten."""
KEPT_S = 1800.0
"""A conversation that was silent for so long begins anew: no provider has its prompt any more."""

Key = tuple[str | None, str]
"""Name of the gateway key, and the conversation's id: the callers of one key do not meet those of another."""


class _Remembered(msgspec.Struct, gc=False):
    turn: LastTurn
    at_s: float


class Conversations:
    """The last turn of each conversation.

    Args:
        most: How many are remembered.
        kept_s: For how long, in seconds.

    Examples:
        >>> memory = Conversations()
        >>> memory.note(DecisionRecord(decision_id="d", event_time="t", conversation_id="c", policy="auto", mode="route",
        ...                            tier="capable", escalated=True), now_s=0.0)
        >>> memory.last(None, "c", now_s=60.0)
        LastTurn(tier='capable', turns_since_move=0, prompt_tokens=0, age_s=60.0, output_tokens=0)
        >>> memory.last(None, "c", now_s=KEPT_S) is None
        True
    """

    def __init__(self, most: int = MOST, kept_s: float = KEPT_S) -> None:
        self._most = most
        self._kept_s = kept_s
        self._turns: OrderedDict[Key, _Remembered] = OrderedDict()

    def __len__(self) -> int:
        return len(self._turns)

    def note(self, record: DecisionRecord, now_s: float) -> None:
        """A turn was answered. One that no policy routed, or that nobody answered, changes nothing."""
        tier, conversation = record.tier, record.conversation_id
        if tier is None or conversation is None or record.policy is None or record.mode != "route":
            return
        key = (record.key_name, conversation)
        before = self._turns.pop(key, None)
        stayed = (
            before is not None
            and before.turn.tier == tier
            and not record.escalated
            and now_s - before.at_s < self._kept_s
        )
        turn = LastTurn(
            tier,
            before.turn.turns_since_move + 1 if stayed and before is not None else 0,
            prompt_tokens=record.input_tokens or 0,
            output_tokens=record.output_tokens or 0,
        )
        self._turns[key] = _Remembered(turn, now_s)
        if len(self._turns) > self._most:
            self._turns.popitem(last=False)

    def last(self, key_name: str | None, conversation_id: str | None, now_s: float) -> LastTurn | None:
        """The last turn of a conversation, or None: unknown, or too long ago."""
        if conversation_id is None:
            return None
        found = self._turns.get((key_name, conversation_id))
        if found is None:
            return None
        age_s = max(now_s - found.at_s, 0.0)
        if age_s >= self._kept_s:
            del self._turns[(key_name, conversation_id)]
            return None
        return msgspec.structs.replace(found.turn, age_s=age_s)


class Stickiness:
    """Whether a request's conversation stays where it is, under one plan.

    Args:
        plan: Policies and prices.
        conversations: The memory.
        acceptance: (policy, tier, labels) -> certified share of such requests to which the tier's answer is served, or None: not known.
    """

    def __init__(
        self,
        plan: ServingPlan,
        conversations: Conversations,
        acceptance: Callable[[str, str, Mapping[str, str]], float | None],
    ) -> None:
        self._policies: dict[str, PolicyPlan] = {p.name: p for p in plan.policies if p.kind == "cascade"}
        self._prices = {tier.name: tier.prices for tier in plan.tiers}
        self._conversations = conversations
        self._acceptance = acceptance

    def settled(
        self, setting: Setting, facts: RequestFacts, policy_name: str, key_name: str | None, now_s: float
    ) -> Setting:
        """The setting with what is remembered of the conversation put in.

        Args:
            setting: As constraints and the arm left it.
            facts: The request.
            policy_name: Who decides.
            key_name: Gateway key that it came with.
            now_s: On the router's clock.
        """
        policy = self._policies.get(policy_name)
        if policy is None or len(setting.tiers) < 2:
            return setting
        last = self._conversations.last(key_name, facts.conversation_id, now_s)
        if last is None or last.tier not in setting.tiers:
            return setting
        cheap, capable = setting.tiers[0], setting.tiers[-1]
        is_staying = stays(
            last,
            setting.tiers,
            stay_turns=policy.stay_turns,
            prompt_tokens=facts.input_tokens,
            cheap=prices_at(self._prices[cheap], facts.input_tokens),
            capable=prices_at(self._prices[capable], facts.input_tokens),
            acceptance=self._acceptance(policy_name, cheap, facts.segment),
        )
        return msgspec.structs.replace(setting, last_tier=last.tier, stays=is_staying)
