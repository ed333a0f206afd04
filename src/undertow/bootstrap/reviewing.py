"""Builds the reviewers' desk, and the log from which a day is drawn, from settings."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from undertow.adapters.reviews.store import StoreReviews
from undertow.adapters.store.signal_log import StoreSignalLog
from undertow.records.review import ReviewRules
from undertow.records.serving import StorePlan
from undertow.services.review import ReviewDesk

if TYPE_CHECKING:
    from undertow.adapters.reviews.day_log import StoreDayLog
    from undertow.config.settings import Settings
    from undertow.ports.audit_source import Progress
    from undertow.sampling.batch import BatchRules

WRITER = "review"


def review_rules(settings: "Settings") -> ReviewRules:
    """The rules of `[review]`.

    Examples:
        >>> from undertow.config.settings import Settings
        >>> review_rules(Settings()).per_day
        200
    """
    review = settings.review
    return ReviewRules(
        name=review.name,
        rubric=review.rubric,
        rubrics=dict(review.rubrics),
        side_by_side=review.side_by_side,
        per_day=review.per_day,
        min_per_segment=review.min_per_segment,
        raters=review.raters,
        conflict=review.conflict,
        text_days=settings.retention.sampled_text_days,
    )


@contextmanager
def open_desk(
    store: Path, rules: ReviewRules, *, id_key: bytes | None = None, clock: Callable[[], float] = time.time
) -> Iterator[tuple[ReviewDesk, StoreReviews]]:
    """The desk of a store, and what keeps its files; both are closed with the block.

    Args:
        store: The store's root folder.
        rules: How decisions are reviewed.
        id_key: Key of the pseudonyms that stand for reviewers in signals (`[store] id_key_env`), or None.
        clock: Seconds since 1970.
    """
    reviews = StoreReviews(store, WRITER, clock=clock)
    signals = StoreSignalLog(StorePlan(path=str(store)), WRITER, clock=clock)
    try:
        yield ReviewDesk(reviews, signals, rules, clock=clock, new_id=lambda: os.urandom(16).hex(), id_key=id_key), reviews  # fmt: skip
    finally:
        reviews.close()
        signals.close()


def batch_rules(settings: "Settings", per_day: int | None = None) -> "BatchRules":
    """How a day is drawn, from `[review]` and the order of the tiers.

    Args:
        settings: Settings as loaded.
        per_day: Decisions to draw instead of `review.per_day`.
    """
    from undertow.sampling.batch import BatchRules  # noqa: PLC0415 (numpy)

    review = settings.review
    order = settings.tier_order or ("cheap", "capable")
    return BatchRules(
        review.per_day if per_day is None else per_day,
        str(order[-1]),
        review.cheap_share,
        review.tail_share,
        review.min_per_segment,
        dict(review.stakes),
    )


@contextmanager
def open_day_log(
    store: Path,
    inputs: tuple[str, ...],
    format_: str,
    settings: "Settings",
    *,
    texts: Path | None,
    progress: "Progress",
) -> Iterator["StoreDayLog"]:
    """The log from which a day is drawn; a foreign one is imported into a temporary folder first.

    Args:
        store: Where draws and texts go.
        inputs: The log; none: the store's own.
        format_: `auto`, `undertow` or the name of an importer.
        settings: For the models of the tiers.
        texts: A file with texts that the log lacks, or None.
        progress: Told what is done.

    Raises:
        LogError: The log cannot be read.
        ConfigError: The function that `retention.redact` names cannot be loaded.
    """
    from undertow.adapters.importers import detect_format, import_logs  # noqa: PLC0415 (duckdb)
    from undertow.adapters.importers.result import ImportOptions  # noqa: PLC0415
    from undertow.adapters.reviews.day_log import StoreDayLog  # noqa: PLC0415
    from undertow.bootstrap.redaction import redaction_hook  # noqa: PLC0415

    redact = redaction_hook(settings.retention.redact)
    if not inputs:
        yield StoreDayLog(store, (str(store),), texts=texts, redact=redact, progress=progress)
        return
    found = detect_format(inputs[0]).format if format_ == "auto" else format_
    if found == "undertow":
        yield StoreDayLog(store, inputs, texts=texts, redact=redact, progress=progress)
        return
    with tempfile.TemporaryDirectory(prefix="undertow-import-") as folder:
        tier_models = {str(name): tier.models for name, tier in settings.tiers.items() if tier.models}
        result = import_logs(inputs, found, Path(folder), ImportOptions(tier_models=tier_models), progress)
        signals = (str(result.signals),) if result.signals else ()
        yield StoreDayLog(store, (str(result.decisions),), signals, texts, redact, progress)
