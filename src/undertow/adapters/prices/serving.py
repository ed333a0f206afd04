"""Prices of a model for the serving plan: every sort of token, every length of prompt, and the model's context length.

The list is asked through its own calculation, one sort of token at a time, and not read: then this ladder prices a usage as the
list does (`tests/unit/adapters/prices/test_serving.py` compares them on random usages), whatever it adds to its format.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from undertow.adapters.prices.listed import candidates
from undertow.records.serving import TokenPrices

PROBE = 1_000_000
"""Tokens of output that a probe is priced with; divides evenly by what lists price in."""


@dataclass(frozen=True, slots=True)
class ListedModel:
    """What the price list knows of a model.

    Attributes:
        prices: By length of prompt, shortest first; empty: it has no prices by token.
        context_tokens: Longest prompt and answer together, or None: unknown.
    """

    prices: tuple[TokenPrices, ...] = ()
    context_tokens: int | None = None


UNLISTED = ListedModel()


def listed_model(model: str, base_urls: Sequence[str], day: date) -> ListedModel:
    """Prices and context length of a model on a day; `UNLISTED` where the list does not have it.

    Args:
        model: Name that the upstream is asked for.
        base_urls: Addresses of the upstream: the same model costs differently elsewhere. One that the list does not know
            (a proxy, a local server) leaves the name to decide.
        day: Prices are dated: those of this day (UTC) hold, at its dearest hour.
    """
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 (the list takes a while to load)

    for name, where in _places(model, base_urls):
        try:
            provider, found = get_snapshot().find_provider_model(
                name, None, where.get("provider_id"), where.get("provider_api_url")
            )
        except LookupError:
            continue
        hours = [datetime(day.year, day.month, day.day, hour, tzinfo=UTC) for hour in range(24)]
        # A few lists have cheaper hours. The plan has one price a day, so the dearest hour: savings are not overstated.
        moments = {repr(found.get_prices(at)): at for at in reversed(hours)}.values()
        return ListedModel(max((_ladder(found, provider, at) for at in moments), key=_weight), found.context_window)
    return UNLISTED


def flat_prices(
    input_usd_per_mtok: float, output_usd_per_mtok: float, cached_input_usd_per_mtok: float | None = None
) -> tuple[TokenPrices, ...]:
    """A ladder of one step, from prices per million tokens as the settings give them.

    Examples:
        >>> flat_prices(2.0, 8.0)[0].cached_usd, flat_prices(2.0, 8.0, 0.5)[0].cached_usd
        (2e-06, 5e-07)
    """
    plain = input_usd_per_mtok / 1e6
    answer = output_usd_per_mtok / 1e6
    return (
        TokenPrices(
            input_usd=plain,
            cached_usd=plain if cached_input_usd_per_mtok is None else cached_input_usd_per_mtok / 1e6,
            cache_write_usd=plain,
            audio_input_usd=plain,
            output_usd=answer,
            audio_output_usd=answer,
        ),
    )


def _places(model: str, base_urls: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    for url in base_urls:
        yield model, {"provider_api_url": url}
    for name, provider in candidates(model):
        yield name, {} if provider is None else {"provider_id": provider}


def _weight(ladder: tuple[TokenPrices, ...]) -> float:
    return 3 * ladder[0].input_usd + ladder[0].output_usd if ladder else 0.0


def _ladder(model: Any, provider: Any, at: datetime) -> tuple[TokenPrices, ...]:
    from genai_prices.types import TieredPrices  # noqa: PLC0415

    known = {name: value for name, value in vars(model.get_prices(at)).items() if value is not None}
    if not known.keys() & {"input_mtok", "output_mtok"}:
        return ()
    starts = {tier.start for value in known.values() if isinstance(value, TieredPrices) for tier in value.tiers}
    has_reasoning = "output_reasoning_mtok" in known
    # The list's prices hold for prompts longer than a start; ours from a length on.
    lengths = [0, *sorted(start + 1 for start in starts)]
    try:
        return tuple(_step(model, provider, at, length, has_reasoning=has_reasoning) for length in lengths)
    except (LookupError, ValueError):  # priced by something else than tokens, which no usage of ours would tell
        return ()


def _step(model: Any, provider: Any, at: datetime, length: int, *, has_reasoning: bool) -> TokenPrices:
    """Prices from a length of prompt on, each from the difference that a sort of token makes."""
    from genai_prices import Usage  # noqa: PLC0415

    def price(**tokens: int) -> Decimal:
        return model.calc_price(Usage(**tokens), provider, genai_request_timestamp=at).total_price

    prompt = length or 1
    request = price()

    def of_input(**sort: int) -> float:
        return float((price(input_tokens=prompt, **sort) - request) / prompt)

    def of_output(**sort: int) -> float:
        return float((price(input_tokens=prompt, output_tokens=PROBE, **sort) - price(input_tokens=prompt)) / PROBE)

    return TokenPrices(
        above_input_tokens=length,
        input_usd=of_input(),
        cached_usd=of_input(cache_read_tokens=prompt),
        cache_write_usd=of_input(cache_write_tokens=prompt),
        audio_input_usd=of_input(input_audio_tokens=prompt),
        output_usd=of_output(),
        audio_output_usd=of_output(output_audio_tokens=PROBE),
        reasoning_usd=of_output(output_reasoning_tokens=PROBE) if has_reasoning else None,
        request_usd=float(request),
    )
