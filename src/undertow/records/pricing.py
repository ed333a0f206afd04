"""What one call costs: tokens of each sort, each counted once, at the prices of the serving plan."""

from collections.abc import Sequence

from undertow.records.answer import Usage
from undertow.records.serving import TokenPrices


def cost_usd(prices: Sequence[TokenPrices], usage: Usage) -> float | None:
    """Cost of one call in USD, or None where the prices are unknown.

    Reasoning tokens are part of the output, and cached, cache-write and audio tokens are parts of the input. What an upstream reports
    beyond the whole (more cached tokens than prompt tokens) is cut to it, so that no token is charged twice. Where parts
    overlap (cached audio), the overlap is charged once, as cached.

    Args:
        prices: By length of prompt, shortest first, as in `TierPlan.prices`.
        usage: Tokens of the call.

    Examples:
        >>> low = TokenPrices(input_usd=2e-6, cached_usd=1e-6, cache_write_usd=2e-6, audio_input_usd=2e-6,
        ...                   output_usd=8e-6, audio_output_usd=8e-6)
        >>> round(cost_usd((low,), Usage(input_tokens=1000, cached_tokens=400, output_tokens=100)), 9)
        0.0024

        Above a length of prompt, other prices hold for all of its tokens:

        >>> import msgspec
        >>> high = msgspec.structs.replace(low, above_input_tokens=2000, input_usd=4e-6)
        >>> [round(cost_usd((low, high), Usage(input_tokens=n)), 9) for n in (1999, 2000)]
        [0.003998, 0.008]

        >>> cost_usd((), Usage(input_tokens=1000)) is None
        True
    """
    total_in = max(usage.input_tokens, 0)
    price = prices_at(prices, total_in)
    if price is None:
        return None
    if not (
        usage.cached_tokens
        or usage.cache_write_tokens
        or usage.audio_input_tokens
        or usage.reasoning_tokens
        or usage.audio_output_tokens
    ):  # most calls: no part has a price of its own
        total_out = max(usage.output_tokens, 0)
        return price.request_usd + total_in * price.input_usd + total_out * price.output_usd
    cached = _within(usage.cached_tokens, total_in)
    written = _within(usage.cache_write_tokens, total_in - cached)
    audio_in = _within(usage.audio_input_tokens, total_in - cached - written)
    total_out = max(usage.output_tokens, 0)
    audio_out = _within(usage.audio_output_tokens, total_out)
    reasoning = _within(usage.reasoning_tokens, total_out - audio_out)
    reasoning_usd = price.output_usd if price.reasoning_usd is None else price.reasoning_usd
    return (
        price.request_usd
        + (total_in - cached - written - audio_in) * price.input_usd
        + cached * price.cached_usd
        + written * price.cache_write_usd
        + audio_in * price.audio_input_usd
        + (total_out - audio_out - reasoning) * price.output_usd
        + reasoning * reasoning_usd
        + audio_out * price.audio_output_usd
    )


def prices_at(prices: Sequence[TokenPrices], input_tokens: int) -> TokenPrices | None:
    """The prices that hold for a prompt of this length, or None where none are known.

    Args:
        prices: By length of prompt, shortest first.
        input_tokens: Of the prompt, at least 0.
    """
    if not prices:
        return None
    price = prices[0]
    for candidate in prices[1:]:
        if input_tokens >= candidate.above_input_tokens:
            price = candidate
    return price


def _within(part: int, whole: int) -> int:
    return min(max(part, 0), whole)
