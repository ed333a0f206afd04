"""A log with texts in which one theme, that no label names, begins to fail on the cheap tier."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from undertow.adapters.duckdb import DuckDbAuditSource, LogInputs
from undertow.ports.audit_source import CellOptions
from undertow.records.cells import AuditCells
from undertow.slices.asked import asked
from undertow.slices.sketch import sketch

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS, CHANGE, A_DAY = 60, 45, 100

THEMES = {
    "charge": ("what is this charge on my statement", "i see a charge that i do not know", "where is the charge from"),
    "card": ("when does my new card come", "my card has not come yet", "is the card on its way"),
    "plan": ("how do i cancel the yearly plan", "what does the plan cost", "change my plan to monthly"),
    "login": ("i forgot the password", "reset my password please", "cannot log in with the password"),
    "parcel": ("the parcel was sent back", "parcel shop near me", "which parcel shop is open"),
}
FILLERS = ("please", "thanks", "hello", "today", "again", "now", "sir", "friend", "help", "quickly")


def rows(seed: int = 1, *, with_text: bool = True) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Decisions and reviews, every decision reviewed; areas do not tell the themes apart."""
    rng = np.random.default_rng(seed)
    decisions, signals = [], []
    for number, (day, theme) in enumerate(_requests(rng)):
        fails = 0.6 if theme == "charge" and day >= CHANGE else 0.06
        at = (START + timedelta(days=day, seconds=int(rng.integers(80_000)))).isoformat()
        form = THEMES[theme][rng.integers(3)]
        decision: dict[str, object] = {
            "decision_id": f"d{number}",
            "event_time": at,
            "tier": "cheap" if number % 10 else "capable",
            "eligible": True,
            "segment": {"area": str(rng.choice(["web", "app"]))},
            "cost_usd": 0.01 if number % 10 else 0.04,
            "baseline_cost_usd": 0.04,
        }
        if with_text:
            decision["prompt"] = f"{form} {rng.choice(FILLERS)}"
        decisions.append(decision)
        failed = rng.random() < (fails if number % 10 else 0.03)
        signals.append(
            {
                "signal_id": f"s{number}",
                "event_time": at,
                "decision_id": f"d{number}",
                "kind": "review",
                "name": "accuracy",
                "value": 0.0 if failed else 1.0,
                "inclusion_probability": 0.5,
                "source": "human:ana",
            }
        )
    return decisions, signals


def _requests(rng: np.random.Generator) -> Iterator[tuple[int, str]]:
    for day in range(DAYS):
        for theme in rng.choice(list(THEMES), A_DAY, p=[0.06, 0.3, 0.24, 0.2, 0.2]).tolist():
            yield day, theme


def read_rows(folder: Path, decisions: list[dict[str, object]], signals: list[dict[str, object]]) -> AuditCells:
    """The cells of a store's folder with these rows."""
    for name, each in (("decisions", decisions), ("signals", signals)):
        (folder / name).mkdir()
        (folder / name / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in each), encoding="utf-8")
    return DuckDbAuditSource(LogInputs((str(folder),)), threads=1).cells(CellOptions())


def without_texts(cells: AuditCells, keep: Callable[[int], bool] = lambda _: False) -> AuditCells:
    """The cells of a store whose texts are gone, but for some, and whose sketches are kept."""
    mine = cells.rows
    texts = tuple(text if keep(place) else "" for place, text in enumerate(mine.texts))
    sketches = tuple(None if keep(place) else sketch(asked(text)) for place, text in enumerate(mine.texts))
    return replace(cells, rows=replace(mine, texts=texts, sketches=sketches))
