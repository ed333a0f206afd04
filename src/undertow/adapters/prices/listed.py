"""List prices of models, offline, from genai-prices (dated prices: a month's traffic is priced with that month's prices).

Prices are per token in USD. Cached input is priced once, as cached; reasoning tokens are part of the output tokens.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache

PROBE = 1000
"""Tokens that a probe is priced with: below every threshold of tiered prices."""
_REGION = re.compile(r"^(us|eu|apac|global|jp|au)\.")
_BEDROCK_VERSION = re.compile(r"-v\d+:\d+$")
_DATE = re.compile(r"[-@](\d{4}-\d{2}-\d{2}|\d{8})$")
_PROVIDERS = {
    "azure": "azure", "azure_ai": "azure", "vertex_ai": "google", "gemini": "google", "bedrock": "aws", "anthropic": "anthropic",
    "openai": "openai", "mistral": "mistral", "groq": "groq", "deepseek": "deepseek", "together_ai": "together", "openrouter": "openrouter",
    "fireworks_ai": "fireworks", "xai": "x-ai", "cohere": "cohere",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """USD per token."""

    input_usd: float
    cached_usd: float
    output_usd: float

    def cost_usd(self, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> float:
        """Cost of one call; `cached_tokens` is the part of `input_tokens` that was read from the prompt cache.

        Examples:
            >>> TokenPrice(2e-6, 1e-6, 8e-6).cost_usd(1000, 100, 400)
            0.0024
        """
        cached = min(max(cached_tokens, 0), input_tokens)
        return round(
            (input_tokens - cached) * self.input_usd + cached * self.cached_usd + output_tokens * self.output_usd, 12
        )


def candidates(model: str, provider: str | None = None) -> list[tuple[str, str | None]]:
    """Spellings of a model name under which the price list may have it, most specific first, each with a provider or None.

    Examples:
        >>> candidates("azure/gpt-4o")
        [('azure/gpt-4o', None), ('gpt-4o', 'azure'), ('gpt-4o', None)]
    """
    hinted = _PROVIDERS.get((provider or "").lower())
    found: list[tuple[str, str | None]] = []
    if hinted:
        found.append((model, hinted))
    found.append((model, None))
    head, slash, tail = model.partition("/")
    if slash:
        if head.lower() in _PROVIDERS:
            found.append((tail, _PROVIDERS[head.lower()]))
        found.append((tail, None))
        if "/" in tail:
            found.append((tail.rsplit("/", 1)[1], None))
    last = found[-1][0]
    bare = _BEDROCK_VERSION.sub("", _REGION.sub("", last))
    if bare != last:
        found.append((bare, None))
        last = bare
    owner, dot, name = last.partition(".")
    if dot and owner in {"anthropic", "meta", "amazon", "mistral", "cohere"}:
        found.append((name, None))
    if ":" in last:
        found.append((last.split(":", 1)[0], None))
    undated = [(_DATE.sub("", name), source) for name, source in found if _DATE.search(name)]
    return [*found, *undated]


@lru_cache(maxsize=4096)
def list_price(model: str, provider: str | None, day: date) -> TokenPrice | None:
    """The list price of a model on a day, or None if the list does not have it."""
    # Imported here: the price list takes a while to load and most formats carry their own costs.
    from genai_prices import Usage, calc_price  # noqa: PLC0415

    at = datetime(day.year, day.month, day.day, tzinfo=UTC)

    def price(name: str, source: str | None, **tokens: int) -> float:
        answer = calc_price(Usage(**tokens), name, provider_id=source, genai_request_timestamp=at)
        return float(answer.total_price) / PROBE

    for name, source in candidates(model, provider):
        try:
            input_usd = price(name, source, input_tokens=PROBE)
            output_usd = price(name, source, output_tokens=PROBE)
        except (LookupError, ValueError):
            continue
        try:
            cached_usd = price(name, source, input_tokens=PROBE, cache_read_tokens=PROBE)
        except (LookupError, ValueError):
            cached_usd = input_usd
        if input_usd > 0 or output_usd > 0:
            return TokenPrice(input_usd, cached_usd, output_usd)
    return None
