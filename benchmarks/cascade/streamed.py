"""Requests that were streamed through the gateway in each mode, and the figures that are made of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from report import Report
from undertow.calibration.certificates import clopper_pearson_upper


@dataclass(frozen=True, slots=True)
class Streamed:
    """One request through the gateway.

    Attributes:
        ttft_s: To the first piece of text.
        latency_s: To the end of the stream.
        text: The reply.
        record: The decision.
        is_good: It says what the capable tier says.
    """

    ttft_s: float
    latency_s: float
    text: str
    record: dict[str, Any]
    is_good: bool

    @property
    def is_cheap(self) -> bool:
        """The cheap tier's answer was served."""
        return self.record["tier"] == "cheap"

    @property
    def is_committed(self) -> bool:
        """It was served before its end had come."""
        return self.record.get("committed_tokens") is not None

    @property
    def is_raced(self) -> bool:
        """The capable tier was started beside the cheap one."""
        return any(call["purpose"] == "race" for call in self.record["calls"])

    @property
    def wasted_tokens(self) -> int:
        """Output tokens that nobody got."""
        thrown = (call for call in self.record["calls"] if call["status"] != "ok")
        return sum(call.get("output_tokens") or 0 for call in thrown)


def interval_of(count: int, n: int) -> tuple[float, float]:
    """95 % Clopper-Pearson interval of a share; n = 0: nothing is known."""
    if n == 0:
        return (0.0, 1.0)
    return (1.0 - float(clopper_pearson_upper(n - count, n, 0.025)), float(clopper_pearson_upper(count, n, 0.025)))


def ratio_interval(some: np.ndarray, others: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """95 % bootstrap interval of the ratio of medians; the same questions in both, drawn together."""
    drawn = rng.integers(0, len(some), (2000, len(some)))
    ratios = np.median(some[drawn], axis=1) / np.median(others[drawn], axis=1)
    return (float(np.quantile(ratios, 0.025)), float(np.quantile(ratios, 0.975)))


def add_figures(report: Report, found: dict[str, list[Streamed]], margin: float, *, is_full: bool) -> None:
    """Entries and the table."""
    rng = np.random.default_rng([report.seed, 11])
    hold = np.array([one.ttft_s for one in found["hold"]])
    print(f"{'mode':7s} {'first token, ms':>16s} {'of hold':>8s} {'committed':>10s} {'wrong':>6s} {'cheap':>6s} {'wrong of all':>13s} "
          f"{'escalated':>10s} {'raced':>6s} {'wasted tokens':>14s} {'escalated, ms':>14s}")  # fmt: skip
    for mode, runs in found.items():
        n = len(runs)
        ttft = np.array([one.ttft_s for one in runs])
        early = [one for one in runs if one.is_committed]
        escalated = [one for one in runs if one.record.get("escalated")]
        wrong_early = sum(not one.is_good for one in early)
        wrong = sum(one.is_cheap and not one.is_good for one in runs)
        wasted = np.array([one.wasted_tokens for one in runs], dtype=float)
        waits = np.array([one.latency_s for one in escalated]) if escalated else np.array([np.nan])
        ratio = float(np.median(ttft) / np.median(hold))
        p50, p95 = np.quantile(ttft, [0.5, 0.95]) * 1000
        print(f"{mode:7s} {p50:7.0f}, {p95:7.0f} {ratio:8.2f} {len(early) / n:10.1%} {wrong_early:6d} {sum(one.is_cheap for one in runs) / n:6.1%} "
              f"{wrong / n:13.1%} {len(escalated) / n:10.1%} {sum(one.is_raced for one in runs) / n:6.1%} {wasted.mean():14.1f} "
              f"{np.median(waits) * 1000:14.0f}")  # fmt: skip
        name = f"streaming {mode}"
        p95_wait = float(np.quantile(waits, 0.95))
        if mode == "hold":
            report.add(f"{name}: time to first token, median, ms", "shown", None, float(p50), None, n, None)
        else:
            within = ratio_interval(ttft, hold, rng)
            bar, ok = ("below 1", ratio < 1.0 if is_full else None) if mode == "commit" else ("shown", None)
            report.add(
                f"{name}: median time to first token over hold",
                bar,
                1.0 if mode == "commit" else None,
                ratio,
                within,
                n,
                ok,
            )
        report.add(f"{name}: time to first token, 95th percentile, ms", "shown", None, float(p95), None, n, None)
        if mode == "commit":
            report.add(
                f"{name}: share of requests committed early",
                "shown",
                None,
                len(early) / n,
                interval_of(len(early), n),
                n,
                None,
            )
            share = wrong_early / len(early) if early else float("nan")
            report.add(
                f"{name}: wrong commits, of those committed",
                "shown",
                None,
                share,
                interval_of(wrong_early, len(early)),
                len(early),
                None,
            )
        low, high = interval_of(wrong, n)
        # The certificate may be missed with probability delta, and n requests show the loss with chance: only a loss that lies beyond is a miss.
        report.add(f"{name}: served cheaply and not what the capable tier says, of all requests", f"not shown above {margin:g}", margin, wrong / n,
                   (low, high), n, low <= margin if is_full else None)  # fmt: skip
        report.add(
            f"{name}: share escalated", "shown", None, len(escalated) / n, interval_of(len(escalated), n), n, None
        )
        error = 1.96 * float(wasted.std()) / np.sqrt(n)
        report.add(f"{name}: output tokens wasted a request", "shown", None, float(wasted.mean()),
                   (float(wasted.mean()) - error, float(wasted.mean()) + error), n, None)  # fmt: skip
        report.add(
            f"{name}: latency of escalated requests, median, ms",
            "shown",
            None,
            float(np.median(waits)) * 1000,
            None,
            len(escalated),
            None,
        )
        report.add(
            f"{name}: latency of escalated requests, 95th percentile, ms",
            "shown",
            None,
            p95_wait * 1000,
            None,
            len(escalated),
            None,
        )


def add_paired(report: Report, found: dict[str, list[Streamed]]) -> None:
    """What a mode changes for the requests that it does anything for, against the same questions in `hold`."""
    rng = np.random.default_rng([report.seed, 12])
    wanted = (
        (
            "commit",
            "time to first token of those committed early",
            lambda one: one.is_committed,
            lambda one: one.ttft_s,
        ),
        ("race", "latency of those raced", lambda one: one.is_raced, lambda one: one.latency_s),
    )
    for mode, what, concerns, seconds in wanted:
        pairs = [
            (seconds(one), seconds(held)) for one, held in zip(found[mode], found["hold"], strict=True) if concerns(one)
        ]
        name = f"streaming {mode}: {what}, median over the same questions in hold"
        if not pairs:
            report.add(name, "shown", None, None, None, 0, None)
            continue
        some, others = np.array(pairs).T
        ratio = float(np.median(some) / np.median(others))
        low, high = ratio_interval(some, others, rng)
        print(f"{mode}: {what}: {ratio:.2f} of hold ({low:.2f} to {high:.2f}, n = {len(pairs)})")
        report.add(name, "shown", None, ratio, (low, high), len(pairs), None)
