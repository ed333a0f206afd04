"""Cells of the signals: labels and their strata, calibration, outcomes. All from table `matched`."""

import duckdb

from undertow.adapters.duckdb.grouping import Vocabulary, fetch, roll_up, tier_code
from undertow.adapters.duckdb.sql import literal
from undertow.adapters.duckdb.views import bucket_of
from undertow.records.cells import CalibrationCells, LabelCells, OutcomeCells
from undertow.records.sampling import EXTRA

_LABEL_KEYS = (
    "available",
    "decided",
    "tier",
    "segment",
    "arm",
    "eligible",
    "signal",
    "selection",
    "basis",
    "stratum",
    "steered",
)


def code_signals(engine: duckdb.DuckDBPyConnection) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Number signals (as `kind.name`) and outcomes (by name): tables `signal_codes` and `outcome_codes` (kind, name, code)."""
    names: list[tuple[str, ...]] = []
    for table, label, where in (
        ("signal_codes", "CAST(kind AS VARCHAR) || '.' || name", "kind <> 'outcome'"),
        ("outcome_codes", "name", "kind = 'outcome'"),
    ):
        engine.execute(
            f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT kind, name, {label} AS label, "
            "CAST(row_number() OVER (ORDER BY kind, name) - 1 AS SMALLINT) AS code "
            f"FROM (SELECT DISTINCT kind, name FROM matched WHERE {where})"
        )
        found = engine.execute(f"SELECT label FROM {table} ORDER BY code").fetchall()
        names.append(tuple(str(row[0]) for row in found))
    return names[0], names[1]


SAME_CLASS = 1.1
"""Inclusion probabilities of one day closer than this factor are one sampling stratum."""


def _code_named_strata(engine: duckdb.DuckDBPyConnection, vocabulary: Vocabulary, most: int) -> None:
    """Table `named_strata` (signal, drawn_in, base, stratum, is_merged, steered): strata that signals name, the long tail first; see
    `undertow.records.sampling`. And table `strata_counts` (signal, names, merged): how many names, and the code of what is counted together.

    The first `most` names to appear are kept apart, which no later label can change; those that come after them are counted together.
    """
    codes = {str(segment): code for code, segment in enumerate(vocabulary.segments) if code}
    listed = ", ".join(f"({literal(label)}, {code})" for label, code in codes.items()) or "('', 0)"
    engine.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE kept_names AS
        WITH bases AS (
            SELECT kind, name, split_part(drawn_in, {literal(EXTRA)}, 1) AS base,
                   row_number() OVER (PARTITION BY kind, name ORDER BY min(greatest(available_at, decided_at)), base) AS place
            FROM matched WHERE drawn_in IS NOT NULL GROUP BY kind, name, base
        )
        SELECT kind, name, base,
               dense_rank() OVER (PARTITION BY kind, name ORDER BY NOT starts_with(base, 'tail'), base) - 1 AS stratum
        FROM bases WHERE place <= {int(most)}
        """
    )
    engine.execute(
        """
        CREATE OR REPLACE TEMP TABLE strata_counts AS
        SELECT kind, name, CAST(sum(names) AS INTEGER) AS names, CAST(sum(names) + greatest(sum(classes), 1) AS INTEGER) AS merged
        FROM (SELECT kind, name, count(*) AS names, 0 AS classes FROM kept_names GROUP BY ALL
              UNION ALL SELECT kind, name, 0, coalesce(max(stratum) FILTER (NOT is_merged), -1) + 1 FROM strata GROUP BY ALL)
        GROUP BY ALL
        """
    )
    engine.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE named_strata AS
        WITH seen AS (SELECT DISTINCT kind, name, drawn_in FROM matched WHERE drawn_in IS NOT NULL),
        parts AS (
            SELECT *, split_part(drawn_in, {literal(EXTRA)}, 1) AS base,
                   CASE WHEN contains(drawn_in, {literal(EXTRA)})
                        THEN substr(drawn_in, strpos(drawn_in, {literal(EXTRA)}) + 1) ELSE '' END AS label
            FROM seen
        )
        SELECT p.kind, p.name, p.drawn_in, p.base, CAST(coalesce(k.stratum, n.merged) AS INTEGER) AS stratum,
               k.stratum IS NULL AS is_merged,
               CAST(CASE WHEN p.label = '' THEN 0 ELSE coalesce(c.code, -1) END AS INTEGER) AS steered
        FROM parts p JOIN strata_counts n ON n.kind = p.kind AND n.name = p.name
        LEFT JOIN kept_names k ON k.kind = p.kind AND k.name = p.name AND k.base = p.base
        LEFT JOIN (VALUES {listed}) c(label, code) ON c.label = p.label
        """
    )


def strata_names(engine: duckdb.DuckDBPyConnection) -> dict[int, tuple[str, ...]]:
    """By signal code, the names of the strata that the signal names and that are kept apart, in the order of their codes."""
    rows = engine.execute(
        "SELECT c.code, s.stratum, min(s.base) FROM named_strata s JOIN signal_codes c ON c.kind = s.kind AND c.name = s.name "
        "WHERE NOT s.is_merged GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    found: dict[int, tuple[str, ...]] = {}
    for code, _, base in rows:
        found[int(code)] = (*found.get(int(code), ()), str(base))
    return found


def merged_strata(engine: duckdb.DuckDBPyConnection) -> dict[int, tuple[int, int]]:
    """By signal code, the stratum in which all are counted that are not kept apart, and how many labels lie in it; from table `labels`."""
    rows = engine.execute("SELECT signal, stratum, count(*) FROM labels WHERE is_merged GROUP BY ALL").fetchall()
    return {int(code): (int(stratum), int(n)) for code, stratum, n in rows}


def _code_strata(engine: duckdb.DuckDBPyConnection, bucket_s: int, most: int) -> None:
    """Table `strata` (signal, day, tier, arm, probability, stratum, is_merged): classes of inclusion probability in order within their day.

    For signals that do not name their strata.

    A day's quota gives other probabilities on a busy day than on a quiet one, and other ratios when a stratum grows, though the
    design is the same. What stays is the order: the long tail is drawn more often than the rest. So the distinct
    probabilities of one signal, bucket, tier and arm are ranked, 0 the most heavily sampled; neighbours within a tenth of each
    other are one class. What comes after `most` classes is counted together.
    """
    engine.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE strata AS
        WITH seen AS (
            SELECT DISTINCT kind, name, {bucket_of("decided_at", bucket_s)} AS decided, tier, arm, probability FROM matched
            WHERE kind <> 'outcome' AND selection = 'sampled' AND drawn_in IS NULL AND (is_live OR kind = 'suite')
        ), steps AS (
            SELECT *, coalesce(lag(probability) OVER place > {SAME_CLASS} * probability, false) AS is_next FROM seen
            WINDOW place AS (PARTITION BY kind, name, decided, tier, arm ORDER BY probability DESC)
        ), ranked AS (
            SELECT *, CAST(sum(is_next::INTEGER) OVER place AS INTEGER) AS rank FROM steps
            WINDOW place AS (PARTITION BY kind, name, decided, tier, arm ORDER BY probability DESC)
        )
        SELECT kind, name, decided, tier, arm, probability, rank AS stratum, rank >= {int(most)} AS is_merged FROM ranked
        """
    )


def label_cells(
    engine: duckdb.DuckDBPyConnection, vocabulary: Vocabulary, bucket_s: int, most_classes: int, most_names: int
) -> tuple[LabelCells, CalibrationCells]:
    """Labels by tier and segment, and by confidence bin. Creates table `labels`, one row a label.

    Args:
        engine: Holds tables `matched` and `signal_codes`.
        vocabulary: Codes of tiers and segments.
        bucket_s: Seconds in a bucket.
        most_classes: See `CellOptions.max_strata`.
        most_names: See `CellOptions.max_named_strata`.
    """
    _code_strata(engine, bucket_s, most_classes)
    _code_named_strata(engine, vocabulary, most_names)
    segments = "".join(f", m.segment_{place}" for place in vocabulary.plan.places)
    # y is the failure, w the weight, d the paired loss, v the weight of the pair. A table: three statements read it, and its joins are dear.
    engine.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE labels AS
        SELECT {bucket_of("greatest(m.available_at, m.decided_at)", bucket_s)} AS available,
               {bucket_of("m.decided_at", bucket_s)} AS decided, m.tier, m.arm, m.eligible, c.code AS signal,
               CAST(enum_code(m.selection) AS TINYINT) AS selection, m.basis,
               coalesce(s.stratum, CASE WHEN z.is_merged THEN k.merged ELSE coalesce(k.names, 0) + coalesce(z.stratum, 0) END) AS stratum,
               coalesce(s.is_merged, z.is_merged, false) AS is_merged,
               coalesce(s.steered, 0) AS steered, 1.0 - m.value AS y, 1.0 / m.probability AS w,
               m.reference_value - m.value AS d, CASE WHEN m.reference_value IS NOT NULL THEN 1.0 / m.pair_probability END AS v, m.confidence, m.bin, m.kind,
               CASE WHEN m.join_on = 0 THEN m.join_id END AS decision{segments}
        FROM matched m JOIN signal_codes c ON c.kind = m.kind AND c.name = m.name
        LEFT JOIN named_strata s ON s.kind = m.kind AND s.name = m.name AND s.drawn_in = m.drawn_in
        LEFT JOIN strata_counts k ON k.kind = m.kind AND k.name = m.name
        LEFT JOIN strata z ON m.drawn_in IS NULL AND m.selection = 'sampled' AND z.kind = m.kind AND z.name = m.name AND z.probability = m.probability
            AND z.decided = {bucket_of("m.decided_at", bucket_s)} AND z.tier IS NOT DISTINCT FROM m.tier
            AND z.arm IS NOT DISTINCT FROM m.arm
        WHERE m.kind <> 'outcome' AND (m.is_live OR m.kind = 'suite')
        """
    )
    tables = []
    for group, places in enumerate(vocabulary.plan.groups):
        columns = "".join(f", segment_{place}" for place in places)
        engine.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE labelled_{group} AS
            SELECT available, decided, tier, arm, eligible, signal, selection, basis, stratum, steered{columns},
                   CAST(count(*) AS DOUBLE) AS n, fsum(y) AS failures, fsum(y * y) AS failures_sq, fsum(w) AS weight,
                   fsum(w * w) AS weight_sq, fsum(w * y) AS weighted_failures, fsum(w * y * w * y) AS weighted_failures_sq,
                   fsum(w * w * y) AS weight_weighted_failures, max(w) AS weight_max, CAST(count(d) AS DOUBLE) AS pairs,
                   coalesce(fsum(greatest(d, 0.0)), 0.0) AS loss_up, coalesce(fsum(greatest(-d, 0.0)), 0.0) AS loss_down,
                   coalesce(fsum(d * d), 0.0) AS loss_sq, coalesce(fsum(v * d), 0.0) AS weighted_loss,
                   coalesce(fsum(v * d * v * d), 0.0) AS weighted_loss_sq,
                   coalesce(fsum(v), 0.0) AS pair_weight,
                   coalesce(fsum(v * greatest(d, 0.0)) FILTER (d IS NOT NULL), 0.0) AS weighted_loss_up,
                   coalesce(max(v), 0.0) AS pair_weight_max
            FROM labels GROUP BY ALL
            """
        )
        tables.append((f"labelled_{group}", places))
    labels = roll_up(engine, LabelCells, tables, vocabulary, _LABEL_KEYS, largest=("weight_max", "pair_weight_max"))
    for table, _ in tables:
        engine.execute(f"DROP TABLE {table}")
    calibration = fetch(
        engine,
        CalibrationCells,
        f"""
        SELECT available AS bucket, {tier_code("tier")} AS tier, signal, bin, CAST(count(*) AS DOUBLE) AS n,
               fsum(failed) AS failures, fsum(w) AS weight, fsum(w * failed) AS weighted_failures,
               fsum(w * confidence) AS weighted_confidence, max(w) AS weight_max
        FROM (SELECT *, CASE WHEN d IS NULL THEN y ELSE least(1.0, greatest(0.0, d)) END AS failed FROM labels
              WHERE confidence IS NOT NULL)
        GROUP BY ALL ORDER BY 1, 2, 3, 4
        """,
    )
    return labels, calibration


def outcome_cells(engine: duckdb.DuckDBPyConnection, bucket_s: int) -> OutcomeCells:
    """Outcome events by the decision they are attributed to."""
    return fetch(
        engine,
        OutcomeCells,
        f"""
        SELECT c.code AS name, {bucket_of("m.decided_at", bucket_s)} AS bucket,
               {bucket_of("greatest(m.available_at, m.decided_at)", bucket_s)} AS available, m.arm,
               {tier_code("m.tier")} AS tier, m.cluster, CAST(count(*) AS DOUBLE) AS events, fsum(m.value) AS value
        FROM matched m JOIN outcome_codes c ON c.name = m.name AND c.kind = m.kind
        WHERE m.is_live GROUP BY ALL ORDER BY ALL
        """,
    )
