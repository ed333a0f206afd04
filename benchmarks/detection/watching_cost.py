"""What watching costs beside what routing saves: second answers and the judge at their default settings, day by day through the real budget.

The product is the default simulated incident once all of its eligible traffic is routed. The 200 reviews a day were paid for before there
was a router and are not counted. What a worker's event loop does for a request that is drawn is measured beside it.
"""

import asyncio
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from report import Report
from undertow.config.watching import JudgeSettings, ShadowSettings
from undertow.gateway.shadowing import ShadowSender
from undertow.keeper.shadow_inbox import ShadowInbox
from undertow.ledger.usd import DAYS_PER_MONTH
from undertow.ports.watching import Spent
from undertow.records.answer import Usage
from undertow.records.pricing import cost_usd
from undertow.records.serving import ShadowPlan, TokenPrices
from undertow.records.watched import ShadowRequest
from undertow.services.watching_budget import CostForecast, WatchingBudget
from undertow.simulation.incidents import SUPPORT, IncidentParameters
from undertow.simulation.incidents_truth import expected_money

MOST = 0.05
CRITERION = "watching costs at most 5 % of what routing saves at full rollout and default settings"
JUDGE_RUBRIC_TOKENS, JUDGE_ANSWER_TOKENS = 300, 40
MOST_TAKE_US = 20.0
DAYS = 30


@dataclass(frozen=True)
class Settings:
    """What decides the cost of watching.

    Attributes:
        share: `shadow.share`.
        shadow_usd: `shadow.budget_usd_day`.
        judge_share: `judge.share`.
        judge_usd: `judge.budget_usd_day`.
        both_orders: `judge.both_orders`.
    """

    share: float
    shadow_usd: float
    judge_share: float
    judge_usd: float
    both_orders: bool

    @classmethod
    def default(cls) -> "Settings":
        """As they come."""
        shadow, judge = ShadowSettings(), JudgeSettings()
        return cls(shadow.share, shadow.budget_usd_day, judge.share, judge.budget_usd_day, judge.both_orders)

    def __str__(self) -> str:
        orders = "both orders" if self.both_orders else "one order"
        return (
            f"shadow.share {self.share:g}, at most {self.shadow_usd:g} USD; "
            f"judge.share {self.judge_share:g}, {orders}, at most {self.judge_usd:g} USD"
        )


@dataclass(frozen=True)
class Product:
    """Traffic and prices, per day.

    Attributes:
        served: Requests that the cheap tier serves.
        saved_usd: What that saves.
        shadow_usd: Cost of one second answer.
        judge_usd: Cost of one question to the judge.
    """

    served: float
    saved_usd: float
    shadow_usd: float
    judge_usd: float


def product(p: IncidentParameters) -> Product:
    """The product of an incident at full rollout, at the list prices of its models."""
    shadow = cost_usd(
        (capable_prices(p),), Usage(round(p.capable_input_tokens), output_tokens=round(p.capable_output_tokens))
    )
    assert shadow is not None
    served = p.represents_per_day * p.eligible_share * p.rollout[-1] * (1 - p.holdout)
    return Product(served, expected_money(p).savings_usd / DAYS_PER_MONTH, shadow, p.judge_usd)


def capable_prices(p: IncidentParameters) -> TokenPrices:
    """Prices of the capable tier."""
    usd_in, usd_out = p.capable_input_usd_per_mtok / 1e6, p.capable_output_usd_per_mtok / 1e6
    return TokenPrices(
        input_usd=usd_in,
        cached_usd=usd_in,
        cache_write_usd=usd_in,
        audio_input_usd=usd_in,
        output_usd=usd_out,
        audio_output_usd=usd_out,
    )


class Book:
    """A day's book in memory: the store's own does the same on a disk."""

    def __init__(self) -> None:
        self._usd: dict[str, float] = {}

    def read(self, purpose: str) -> Spent:
        """What a purpose has come to."""
        return Spent("", self._usd.get(purpose, 0.0))

    def add(self, purpose: str, usd: float, *, unpriced: int = 0, day: str | None = None) -> Spent:
        """Add to it."""
        del unpriced, day
        self._usd[purpose] = self._usd.get(purpose, 0.0) + usd
        return self.read(purpose)

    def reserve(
        self, purpose: str, usd: float, limit_usd: float, *, day: str, unpriced: int = 0, most_unpriced: int = 0
    ) -> bool:
        """Add to it within its limit."""
        del day, unpriced, most_unpriced
        is_within = usd <= limit_usd - self._usd.get(purpose, 0.0)
        if is_within:
            self.add(purpose, usd)
        return is_within


def day_of(settings: Settings, on: Product, rng: np.random.Generator) -> tuple[float, float, int]:
    """USD of second answers and of the judge on one day, and how many pairs there were, through the production budget."""
    drawn = int(rng.binomial(round(on.served), settings.share))
    book = Book()

    async def spend() -> tuple[float, float, int]:
        shadow, judge = (
            WatchingBudget("shadow", settings.shadow_usd, book),
            WatchingBudget("judge", settings.judge_usd, book),
        )
        spent, pairs = [0.0, 0.0], 0
        for cost in on.shadow_usd * rng.lognormal(-0.125, 0.5, drawn):
            taken = await shadow.reserve(CostForecast(on.shadow_usd, 10 * on.shadow_usd))
            if taken is None:
                break
            await shadow.settle(taken, float(cost))
            spent[0] += float(cost)
            pairs += 1
            if rng.random() >= settings.judge_share:
                continue
            for _ in range(1 + settings.both_orders):
                asked = await judge.reserve(CostForecast(on.judge_usd, on.judge_usd))
                if asked is not None:
                    await judge.settle(asked, on.judge_usd)
                    spent[1] += on.judge_usd
        return spent[0], spent[1], pairs

    return asyncio.run(spend())


def shares(settings: Settings, on: Product, days: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Cost of watching over what routing saves, by day, and second answers by day."""
    rng = np.random.default_rng(seed)
    found = [day_of(settings, on, rng) for _ in range(days)]
    return (
        np.array([shadow + judge for shadow, judge, _ in found]) / on.saved_usd,
        np.array([pairs for *_, pairs in found]),
    )


def bench(report: Report, *, quick: bool, data: Path) -> None:
    """Money and the sender's cost; `data` is not needed."""
    del data
    log_sized = replace(SUPPORT, represents_per_day=SUPPORT.queries_per_day)
    default, days = Settings.default(), DAYS
    per_question = cost_usd(
        (capable_prices(SUPPORT),),
        Usage(
            round(SUPPORT.capable_input_tokens + 2 * SUPPORT.capable_output_tokens) + JUDGE_RUBRIC_TOKENS,
            output_tokens=JUDGE_ANSWER_TOKENS,
        ),
    )
    assert per_question is not None
    on = product(log_sized)
    print(
        f"\nWatching beside savings: {log_sized.represents_per_day:,} requests a day, {on.served:,.0f} served cheaply, "
        f"{on.saved_usd:,.2f} USD a day saved; a second answer {on.shadow_usd:.4f} USD, a question to the judge {on.judge_usd:.4f} USD"
    )
    cases = [
        (CRITERION, default, on),
        ("the same, budgets spent to the last cent, whatever steering adds", replace(default, share=1.0), on),
        ("the same at the whole product's million requests a day", default, product(SUPPORT)),
        ("the same with the capable model as the judge", default, replace(on, judge_usd=per_question)),
        ("the same with the judge asked in both orders", replace(default, both_orders=True), on),
        ("the same with half of the pairs judged", replace(default, judge_share=0.5), on),
    ]
    for number, (criterion, settings, at) in enumerate(cases):
        found, pairs = shares(settings, at, days, report.seed + number)
        mean = float(found.mean())
        error = 1.96 * float(found.std(ddof=1)) / len(found) ** 0.5
        monthly = mean * at.saved_usd * DAYS_PER_MONTH
        print(
            f"  {mean:6.2%}  {monthly:8,.0f} USD a month, {pairs.mean():6,.0f} pairs a day  {criterion}\n          {settings}"
        )
        is_bar = number == 0
        report.add(
            criterion, "at most 5 %" if is_bar else "shown beside the default", MOST if is_bar else None, mean, (mean - error, mean + error),
            days, mean <= MOST if is_bar else None, str(settings),
        )  # fmt: skip
    _bench_sender(report, 2_000 if quick else 20_000)


def _bench_sender(report: Report, requests: int) -> None:
    """What the event loop of a worker does for a drawn request: taking it, and sending it to a keeper that reads."""
    request = ShadowRequest(
        decision_id="d", event_time="2026-03-01T12:00:00.000Z", endpoint="chat.completions", tier="cheap", model="small",
        segment={"intent": "billing"}, inclusion_probability=0.02, stratum="common", body=b"x" * 4_000, prompt="x" * 4_000,
        answer="x" * 1_000,
    )  # fmt: skip

    async def measure(path: Path) -> tuple[list[float], float]:
        inbox = ShadowInbox(path, 10 * requests, lambda _request: None, lambda _name: None, max_bytes=10**9)
        await inbox.start()
        sender = ShadowSender(str(path), ShadowPlan(max_waiting=10 * requests), lambda _count: None, max_bytes=10**9)
        taking = []
        for _ in range(requests):
            began = time.perf_counter()
            sender.take(request)
            taking.append(time.perf_counter() - began)
        began = time.process_time()
        task = asyncio.create_task(sender.run())
        while sender.waiting:  # noqa: ASYNC110 (nothing tells that the last one was sent)
            await asyncio.sleep(0.001)
        sending = time.process_time() - began
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        sender.close()
        await inbox.close()
        return taking, sending / requests

    with tempfile.TemporaryDirectory() as folder:
        taking, sending = asyncio.run(measure(Path(folder) / "s"))
    take_us, send_us = float(np.median(taking)) * 1e6, sending * 1e6
    print(f"  a drawn request costs its worker {take_us:.2f} us to take; sending and receiving it {send_us:.0f} us")
    report.add("a drawn request is taken in at most 20 us of the event loop, median", "at most 20 us", MOST_TAKE_US, take_us, None,
               requests, take_us <= MOST_TAKE_US, f"sent and received in {send_us:.0f} us of CPU")  # fmt: skip
