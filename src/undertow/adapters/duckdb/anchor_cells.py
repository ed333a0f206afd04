"""Cells of the pairs that a judge compared, beside what people said of the same pairs. From table `matched`, after `label_cells`."""

import duckdb

from undertow.adapters.duckdb.grouping import Vocabulary, empty, roll_up
from undertow.adapters.duckdb.views import bucket_of
from undertow.records.cells import BASIS_CODES, AnchorCells

_KEYS = (
    "available", "decided", "tier", "segment", "stratum", "steered", "judge", "human", "judge_outcome", "human_outcome",
)  # fmt: skip
_PAIRS = "m.reference_value IS NOT NULL AND m.join_on = 0 AND m.kind <> 'outcome' AND m.is_live AND m.selection IN ('sampled', 'census')"


def anchor_cells(engine: duckdb.DuckDBPyConnection, vocabulary: Vocabulary, bucket_s: int) -> AnchorCells:
    """Judged pairs, a cell for each pair of outcomes.

    Only pairs that were drawn with known probabilities or are a census, and only where people judged some of them: without an
    anchor a judge's verdicts are in `LabelCells` already. What people saw counts by the probability of the pair (both answers, so both draws);
    that the judge was asked of it is `judge.share`, the same for all, and cancels in `records.anchor_grid`. The anchor is the people's signal that came first, which no later label can change. Of several verdicts on one
    pair by one signal the first counts.
    """
    judge, human = BASIS_CODES.index("judge"), BASIS_CODES.index("human")
    signals = engine.execute(
        f"""
        SELECT m.basis, c.code FROM matched m JOIN signal_codes c ON c.kind = m.kind AND c.name = m.name
        WHERE {_PAIRS} AND m.basis IN ({judge}, {human}) GROUP BY ALL ORDER BY min(m.available_at), c.code
        """
    ).fetchall()
    anchor = next((int(code) for basis, code in signals if basis == human), None)
    if anchor is None or all(basis != judge for basis, _ in signals):
        return empty(AnchorCells)
    segments = "".join(f", m.segment_{place}" for place in vocabulary.plan.places)
    engine.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE verdicts AS
        SELECT m.join_id, m.basis, c.code AS signal, m.reference_value - m.value AS d, m.decided_at, m.tier, 1.0 / m.pair_probability AS w,
               greatest(m.available_at, m.decided_at) AS available_at, coalesce(s.stratum, 0) AS stratum, coalesce(s.steered, 0) AS steered{segments}
        FROM matched m JOIN signal_codes c ON c.kind = m.kind AND c.name = m.name
        LEFT JOIN named_strata s ON s.kind = m.kind AND s.name = m.name AND s.drawn_in = m.drawn_in
        WHERE {_PAIRS} AND (m.basis = {judge} OR (m.basis = {human} AND c.code = {anchor}))
        QUALIFY row_number() OVER (PARTITION BY m.join_id, m.basis, c.code ORDER BY m.available_at, m.value) = 1
        """
    )
    tables = []
    parts = "(VALUES (0), (1), (2))"
    share = "greatest(0.0, 1.0 - abs({d} - ({o} - 1)))"
    for group, places in enumerate(vocabulary.plan.groups):
        columns = "".join(f", j.segment_{place}" for place in places)
        engine.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE anchored_{group} AS
            SELECT {bucket_of("greatest(j.available_at, coalesce(h.available_at, j.available_at))", bucket_s)} AS available,
                   {bucket_of("j.decided_at", bucket_s)} AS decided, j.tier, j.stratum, j.steered, j.signal AS judge,
                   coalesce(h.signal, -1) AS human, jo.o AS judge_outcome, coalesce(ho.o, -1) AS human_outcome{columns},
                   fsum(jo.part * coalesce(ho.part, 1.0)) AS n, fsum(j.w * jo.part * coalesce(ho.part, 1.0)) AS weight,
                   coalesce(fsum(h.w * jo.part * ho.part), 0.0) AS human_weight, max(j.w) AS weight_max,
                   coalesce(max(h.w / j.w), 0.0) AS ratio_max
            FROM (SELECT * FROM verdicts WHERE basis = {judge}) j
            LEFT JOIN (SELECT * FROM verdicts WHERE basis = {human}) h ON h.join_id = j.join_id
            JOIN LATERAL (SELECT o, {share.format(d="j.d", o="o")} AS part FROM {parts} v(o)) jo ON jo.part > 0
            LEFT JOIN LATERAL (SELECT o, {share.format(d="h.d", o="o")} AS part FROM {parts} v(o)) ho ON ho.part > 0
            WHERE h.join_id IS NULL OR ho.o IS NOT NULL
            GROUP BY ALL
            """
        )
        tables.append((f"anchored_{group}", places))
    cells = roll_up(engine, AnchorCells, tables, vocabulary, _KEYS, largest=("weight_max", "ratio_max"))
    for table, _ in tables:
        engine.execute(f"DROP TABLE {table}")
    return cells
