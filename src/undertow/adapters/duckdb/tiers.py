"""The order of tiers, cheapest first."""

import duckdb

KNOWN_ORDERS: tuple[tuple[str, ...], ...] = (
    ("cheap", "medium", "capable"),
    ("simple", "medium", "complex", "reasoning"),
    ("low", "medium", "high"),
    ("small", "medium", "large"),
    ("weak", "strong"),
)
"""Names that say their order themselves; the second is LiteLLM's complexity router."""


def order_tiers(
    engine: duckdb.DuckDBPyConnection, given: tuple[str, ...] | None, also: tuple[str, ...] = ()
) -> tuple[tuple[str, ...], str | None]:
    """Tiers of table joint_0 and `also`, cheapest first, and a sentence if their order had to be inferred from prices.

    The caller's order first (with its last tier, the capable one, even where that served nothing), then names that say their order, then mean cost per token, then the alphabet. Tiers that the
    caller's order lacks come after it, ordered by cost.
    """
    found = engine.execute(
        """
        SELECT tier, sum(cost_usd) / nullif(sum(input_tokens + output_tokens), 0), sum(cost_usd) / nullif(sum(cost_n), 0)
        FROM joint_0 WHERE tier IS NOT NULL GROUP BY tier
        """
    ).fetchall()
    price = {str(name): (per_token or per_request) for name, per_token, per_request in found}
    names = set(price) | set(also)
    if given is not None:
        # The last one is what the others are held against: a log that a cheaper tier served alone must not take that for it.
        known = tuple(name for name in given if name in names or (name == given[-1] and names & set(given)))
        return known + _by_price(names - set(known), price), None
    for order in KNOWN_ORDERS:
        if names <= set(order):
            return tuple(name for name in order if name in names), None
        folded = {name.lower(): name for name in names}
        if len(folded) == len(names) and set(folded) <= set(order):
            return tuple(folded[name] for name in order if name in folded), None
    ordered = _by_price(names, price)
    if len(ordered) < 2:
        return ordered, None
    how = "mean cost per token" if all(price.get(name) for name in ordered) else "cost where it is known, else by name"
    return ordered, f"tiers ordered by {how}: {', '.join(ordered)}; set their order under [tiers.NAME] if that is wrong"


def _by_price(names: set[str], price: dict[str, float | None]) -> tuple[str, ...]:
    return tuple(sorted(names, key=lambda name: (price.get(name) is None, price.get(name) or 0.0, name)))
