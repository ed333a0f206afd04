"""What a process remembers of a conversation's last turn, so that it does not flap between models."""

import msgspec


class LastTurn(msgspec.Struct, frozen=True, gc=False):
    """The last turn of a conversation that was answered.

    Attributes:
        tier: Tier that answered it.
        turns_since_move: Turns that this tier has answered since the one on which the conversation came to it: 0 right after that one. A
            turn on which a cheaper answer was withheld for this tier's counts as coming to it anew.
        prompt_tokens: Prompt of that turn, as the upstream counted it; what a provider may hold in its cache.
        age_s: Seconds since it was answered.
        output_tokens: Of the answer; a guess at the length of the next one.
    """

    tier: str
    turns_since_move: int
    prompt_tokens: int = 0
    age_s: float = 0.0
    output_tokens: int = 0
