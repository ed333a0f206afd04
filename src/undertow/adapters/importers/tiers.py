"""Which model belongs to which tier, when the log itself does not say.

Order: the tier that the log names; the user's patterns; prices. By price, the models are laid out on a line by the logarithm
of their blended price per token (at the log's own ratio of input to output tokens) and cut at the widest gap: below is
`cheap`, above is `capable`. Prices within a factor of `SAME_CLASS` are one class: nothing was routed by price.
"""

import fnmatch
import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from undertow.adapters.importers.result import TierModel, TierSource
from undertow.adapters.prices.listed import TokenPrice, list_price

SAME_CLASS = 1.3
DEFAULT_OUTPUT_SHARE = 0.25
"""Share of output among all tokens where the log has no token counts."""
CHEAP, CAPABLE = "cheap", "capable"


@dataclass(frozen=True, slots=True)
class TierKey:
    """Everything that decides a row's tier; few distinct ones in a log."""

    logged: str | None
    names: tuple[str, ...]
    provider: str | None
    proxy: str | None

    @property
    def model(self) -> str | None:
        """The name that prices are looked up with: the first."""
        return self.names[0] if self.names else None


@dataclass(slots=True)
class ModelUse:
    """What the log says about one tier key, summed."""

    rows: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    cost_tokens: int = 0
    """Tokens of the rows whose cost is known and positive."""
    last_day: date | None = None

    def add(self, input_tokens: int | None, output_tokens: int | None, cost_usd: float | None, day: date) -> None:
        """Count one row."""
        self.rows += 1
        self.input_tokens += input_tokens or 0
        self.output_tokens += output_tokens or 0
        tokens = (input_tokens or 0) + (output_tokens or 0)
        if cost_usd and cost_usd > 0 and tokens:
            self.cost_usd += cost_usd
            self.cost_tokens += tokens
        if self.last_day is None or day > self.last_day:
            self.last_day = day


@dataclass(frozen=True, slots=True)
class TierTable:
    """The tier of every tier key, the table that is shown, and what baseline costs are computed with."""

    tier: Mapping[TierKey, str | None]
    models: tuple[TierModel, ...]
    source: TierSource
    order: tuple[str, ...] | None
    notes: tuple[str, ...]
    capable: TierKey | None = None
    prices: Mapping[TierKey, tuple[float, str]] = field(default_factory=dict)

    def capable_price(self, day: date) -> TokenPrice | None:
        """List price on a day of the model that most of the dearest tier's answers came from."""
        return price_of(self.capable, day) if self.capable else None

    @property
    def capable_model(self) -> str | None:
        """The model that most of the dearest tier's answers came from."""
        return self.capable.model if self.capable else None


def matched(names: tuple[str, ...], tier_models: Mapping[str, tuple[str, ...]]) -> str | None:
    """The first tier one of whose patterns fits one of the names; case is ignored.

    Examples:
        >>> matched(("gpt-4o-mini-2024-07-18",), {"cheap": ("gpt-4o-mini*",), "capable": ("gpt-4o*",)})
        'cheap'
    """
    for tier, patterns in tier_models.items():
        for pattern in patterns:
            if any(fnmatch.fnmatchcase(name.lower(), pattern.lower()) for name in names):
                return tier
    return None


def blended_prices(uses: Mapping[TierKey, ModelUse]) -> dict[TierKey, tuple[float, str]]:
    """USD per million tokens and its source, for each key whose model has a list price or a cost in the log."""
    total_in = sum(u.input_tokens for u in uses.values())
    total_out = sum(u.output_tokens for u in uses.values())
    share = total_out / (total_in + total_out) if total_in + total_out else DEFAULT_OUTPUT_SHARE
    found: dict[TierKey, tuple[float, str]] = {}
    for key, use in uses.items():
        price = price_of(key, use.last_day) if use.last_day else None
        if price is not None:
            found[key] = ((1 - share) * price.input_usd + share * price.output_usd) * 1e6, "list"
        elif use.cost_tokens:
            found[key] = use.cost_usd / use.cost_tokens * 1e6, "log"
    return {key: value for key, value in found.items() if value[0] > 0}


def price_of(key: TierKey, day: date) -> TokenPrice | None:
    """List price of a key's model, by the first of its names that the list has: what served, else what was asked for."""
    for name in key.names:
        price = list_price(name, key.provider, day)
        if price is not None:
            return price
    return None


def widest_gap(prices: list[float]) -> float | None:
    """The price below which a model is cheap: the geometric middle of the widest gap; None if all are of one class.

    Examples:
        >>> round(widest_gap([0.3, 0.25, 5.0, 6.0]), 4)
        1.2247
        >>> widest_gap([1.0, 1.1]) is None
        True
    """
    ordered = sorted(set(prices))
    gaps = [(math.log(high / low), low, high) for low, high in itertools.pairwise(ordered)]
    if not gaps:
        return None
    gap, low, high = max(gaps, key=lambda g: g[0])
    return math.sqrt(low * high) if gap > math.log(SAME_CLASS) else None


def assign(uses: Mapping[TierKey, ModelUse], tier_models: Mapping[str, tuple[str, ...]]) -> TierTable:
    """Give every tier key its tier; see the module's text for the order of the rules."""
    prices = blended_prices(uses)
    tier: dict[TierKey, str | None] = {}
    rule: dict[TierKey, str] = {}
    open_keys: list[TierKey] = []
    notes: list[str] = []
    for key in uses:
        if key.logged is not None:
            tier[key] = matched((key.logged,), tier_models) or key.logged
            rule[key] = "tier logged" if tier[key] == key.logged else f"logged as {key.logged}, mapped"
        elif (name := matched(key.names, tier_models)) is not None:
            tier[key], rule[key] = name, "name pattern"
        else:
            open_keys.append(key)
    anchored = {t for t in tier.values() if t}
    inferred = _by_price(open_keys, prices, tier, rule, notes)
    for key in open_keys:
        if tier.get(key) is None and key.proxy is not None:
            tier[key], rule[key] = key.proxy, "no price known: named after the router's own label"
        elif tier.get(key) is None:
            tier[key], rule[key] = None, "no price known"
    unknown = sorted({key.model or "(no model named)" for key in open_keys if tier[key] is None})
    if unknown:
        shown = ", ".join(unknown[:5]) + (" ..." if len(unknown) > 5 else "")
        notes.append(
            f"no tier for {shown}: no price is known; name them under [tiers.NAME] models = [...] or in the mapping file"
        )
    if inferred and anchored:
        notes.append(
            "tiers of some models were inferred from prices beside logged or mapped ones; map every model to be sure"
        )
    source = _source(inferred or any(key.proxy and tier[key] == key.proxy for key in open_keys), rule.values())
    order = _order(tier, prices, uses, tier_models)
    capable = max(
        (k for k in uses if order and tier[k] == order[-1] and k.model), key=lambda k: uses[k].rows, default=None
    )
    models = _shown(uses, tier, rule, prices)
    return TierTable(tier, models, source, order, tuple(notes), capable, prices)


def _source(inferred: bool, rules: Iterable[str]) -> TierSource:
    if inferred:
        return "inferred"
    return "mapped" if any(rule == "name pattern" or rule.endswith("mapped") for rule in rules) else "logged"


def _shown(
    uses: Mapping[TierKey, ModelUse],
    tier: Mapping[TierKey, str | None],
    rule: Mapping[TierKey, str],
    prices: Mapping[TierKey, tuple[float, str]],
) -> tuple[TierModel, ...]:
    """The table for people, cheapest first: one line for each model of a tier, whatever groups and labels it was reached by."""
    lines: dict[tuple[str | None, str], TierModel] = {}
    for key, use in sorted(uses.items(), key=lambda item: (prices.get(item[0], (math.inf, ""))[0], str(item[0]))):
        model = key.model or "(no model named)"
        price, source = prices.get(key, (None, ""))
        line = lines.get((tier[key], model)) or TierModel(
            tier[key], model, 0, None if price is None else round(price, 6), source, rule[key]
        )
        lines[tier[key], model] = replace(line, rows=line.rows + use.rows)
    return tuple(lines.values())


def _by_price(
    keys: list[TierKey],
    prices: Mapping[TierKey, tuple[float, str]],
    tier: dict[TierKey, str | None],
    rule: dict[TierKey, str],
    notes: list[str],
) -> bool:
    """Cut the priced ones among `keys` at the widest gap; returns whether any tier was inferred."""
    priced = [k for k in keys if k in prices]
    if not priced:
        return False
    cut = widest_gap([prices[k][0] for k in priced])
    for key in priced:
        usd = prices[key][0]
        if cut is None:
            tier[key], rule[key] = CAPABLE, "the only price class"
        else:
            tier[key] = CHEAP if usd < cut else CAPABLE
            rule[key] = f"price {'below' if usd < cut else 'above'} the widest gap, at ${cut:.3g} per million tokens"
    if cut is None:
        models = sorted({key.model or "" for key in priced})
        seen = (
            f"one model only, {models[0]}"
            if len(models) == 1
            else f"all models cost about the same (within a factor of {SAME_CLASS})"
        )
        notes.append(
            f"{seen}: one tier, so there is no cheap tier to audit; map tiers by name if the router chose among parameters or prompts"
        )
    else:
        notes.append(
            f"tiers were inferred from prices: models below ${cut:.3g} per million tokens (the widest gap) are cheap, the others capable; "
            "set [tiers.NAME] models = [...] to decide it yourself"
        )
    return True


def _order(
    tier: Mapping[TierKey, str | None],
    prices: Mapping[TierKey, tuple[float, str]],
    uses: Mapping[TierKey, ModelUse],
    tier_models: Mapping[str, tuple[str, ...]],
) -> tuple[str, ...] | None:
    """Tier names by mean price, cheapest first; None if some have no price and no configured place."""
    names = list(dict.fromkeys(t for t in tier.values() if t is not None))
    if set(names) <= {CHEAP, CAPABLE}:
        return tuple(n for n in (CHEAP, CAPABLE) if n in names) or None
    mean: dict[str, float] = {}
    for name in names:
        keys = [k for k, t in tier.items() if t == name and k in prices]
        weight = sum(uses[k].rows for k in keys)
        if weight:
            mean[name] = sum(prices[k][0] * uses[k].rows for k in keys) / weight
    if len(mean) == len(names):
        return tuple(sorted(names, key=lambda n: (mean[n], n)))
    if tier_models and set(names) <= set(tier_models):
        return tuple(n for n in tier_models if n in names)
    return None
