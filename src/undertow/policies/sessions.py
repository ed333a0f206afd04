"""Whether a conversation stays with the tier that it was moved up to.

Asking the cheap tier first again, turn by turn, is what makes conversations flap between models, and it is not free: the cheap
call is thrown away where it is not confident, and each turn that another model answers lets the prompt that the capable tier's
provider holds in its cache grow old.
"""

from undertow.records.serving import TokenPrices
from undertow.records.session import LastTurn

CACHE_S = 300.0
"""Providers keep a prompt for five to ten minutes after its last use; the shorter promise is the safe one."""


def stays(
    last: LastTurn | None,
    tiers: tuple[str, ...],
    *,
    stay_turns: int,
    prompt_tokens: int = 0,
    cheap: TokenPrices | None = None,
    capable: TokenPrices | None = None,
    acceptance: float | None = None,
) -> bool:
    """Whether the dearest tier answers the next turn too, without the cheap one being asked first.

    It does for `stay_turns` turns after the conversation came to it, and after that while moving would cost more than it saves. With n
    prompt tokens, of which the capable tier's provider still holds c, and an answer of o tokens:

        stay  = c * cached + (n - c) * input + o * output                          at the capable tier's prices
        first = n * input + o * output                                             at the cheap tier's prices
        lost  = c * (input - cached)                                               at the capable tier's prices
        moving costs more than it saves:  first + a (1 - a) lost >= a * stay

    where a is the share of cheap answers that are served. The cheap answer is paid for always; with probability a it spares the
    capable one; and with probability a it lets the cached prompt go, which is missed if the conversation comes back, with
    probability 1 - a. Without prices or a, only the number of turns counts.

    Args:
        last: The conversation's last turn as far as this process remembers, or None.
        tiers: Tiers that can be used, cheapest first.
        stay_turns: `[policy] stay_turns`, at least 0.
        prompt_tokens: Estimated prompt of the turn at hand.
        cheap: Prices of the tier that would be asked first, at this length of prompt.
        capable: Prices of the dearest tier, at this length of prompt.
        acceptance: Certified share of cheap answers that are served, in [0, 1], or None where nothing is known.

    Examples:
        >>> stays(LastTurn("capable", turns_since_move=0), ("cheap", "capable"), stay_turns=3)
        True
        >>> stays(LastTurn("capable", turns_since_move=3), ("cheap", "capable"), stay_turns=3)
        False
        >>> stays(LastTurn("cheap", turns_since_move=0), ("cheap", "capable"), stay_turns=3)
        False
    """
    if last is None or last.tier != tiers[-1]:
        return False
    if last.turns_since_move < stay_turns:
        return True
    if cheap is None or capable is None or acceptance is None:
        return False
    held = min(last.prompt_tokens, prompt_tokens) if last.age_s < CACHE_S else 0
    stay = (
        held * capable.cached_usd
        + (prompt_tokens - held) * capable.input_usd
        + last.output_tokens * capable.output_usd
        + capable.request_usd
    )
    first = prompt_tokens * cheap.input_usd + last.output_tokens * cheap.output_usd + cheap.request_usd
    lost = held * max(capable.input_usd - capable.cached_usd, 0.0)
    return first + acceptance * (1.0 - acceptance) * lost >= acceptance * stay
