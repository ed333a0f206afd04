"""Entries of a benchmark's JSON file, and the file itself; the shape is that of docs/benchmarks.md."""

import json
import math
import platform
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path


@dataclass
class Report:
    """Collects a benchmark's figures.

    Attributes:
        seed: Of everything random.
        results: One entry for every figure that was asked for, met or not.
        never: A figure from here on stands for "never" and is written as null.
    """

    seed: int
    results: list[dict[str, object]] = field(default_factory=list)
    never: float = math.inf

    def add(
        self,
        criterion: str,
        bar: str,
        bar_value: float | None,
        measured: float | None,
        interval: tuple[float, float] | None,
        n: int,
        ok: bool | None,
        comparator: str | None = None,
    ) -> None:
        """One figure; `ok` is None where n is below what the bar names, or where it is only shown."""
        self.results.append(
            {
                "criterion": criterion,
                "bar": bar,
                "bar_value": self._finite(bar_value),
                "measured": self._finite(measured),
                "interval": None if interval is None else [self._finite(interval[0]), self._finite(interval[1])],
                "n": n,
                "seed": self.seed,
                "comparator": comparator,
                "ok": None if ok is None else bool(ok),
            }
        )

    def missed(self) -> list[str]:
        """Criteria that were not met."""
        return [str(each["criterion"]) for each in self.results if each["ok"] is False]

    def write(self, name: str, path: Path) -> None:
        """Write the file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        payload = {
            "bench": name,
            "at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "machine": f"{platform.machine()}, Python {platform.python_version()}",
            "command": "python " + " ".join(sys.argv),
            "results": self.results,
        }
        path.write_text(json.dumps(payload, indent=1, allow_nan=False) + "\n")

    def _finite(self, x: float | None) -> float | None:
        return None if x is None or not math.isfinite(x) or x >= self.never else round(float(x), 5)
