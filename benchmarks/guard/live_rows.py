"""The same incident through the keeper's own parts: a store, its looks, alarms, places, actions, alerts that are delivered; and what that avoids.

Each day requests are drawn by the store's rates (`detection.live_world`) and kept off the cheap tier where the controls say so; at the end of the day
`keeper.Watching` looks, `keeper.Guarding` decides and writes, `keeper.Alerts` delivers to a server on this machine. The baseline is learnt, reviews
come a day late, the log has 4,000 decisions a day, and a look a day acts at its end: slower than the rows of `damage_rows`, which know the baseline.
"""

import http.server
import json
import logging
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from detection.common import NEVER, in_processes
from detection.live_world import CAPABLE_USD, CHEAP_USD, INTENTS, MARGIN, TIERS, Design, World
from detection.steered import F_PAIRS
from guard.damage_rows import first_restriction
from guard.money import HORIZON_DAYS, failure_usd, saved_usd_request, seen_of_failures, stakes
from report import Report
from undertow.adapters.guard.book import StoreGuardBook
from undertow.keeper.alerts import Alerts
from undertow.keeper.guarding import Guarding
from undertow.keeper.watching import Watching
from undertow.policies.exposure import restrictions_of
from undertow.records.serving import AlertsPlan, GuardPlan, PolicyPlan, RolloutPlan, ServingPlan
from undertow.simulation.story import Scenario, StoryModel, healthy, scenario

TEXT = "ours, live: the keeper's own parts, a look a day, baseline learnt"
CALM_DAYS = 7
"""Days between two looks long before the onset."""


@dataclass(frozen=True)
class LiveJob:
    """One store.

    Attributes:
        name: Scenario.
        seed: Seed.
        decisions: Decisions a day.
        days: Length.
    """

    name: Scenario
    seed: int
    decisions: int = 4_000
    days: int = HORIZON_DAYS

    @property
    def model(self) -> StoryModel:
        """Its story."""
        return healthy(scenario("half")) if self.name == "healthy" else scenario(self.name)


@dataclass
class Lived:
    """What came of it.

    Attributes:
        exposed: Share of each day that a segment was served cheap. Shape (days, 1, S).
        actions: What the guard did, as `kind segment`.
        alerts: Episodes that the receiver was told of, and tellings in all.
    """

    exposed: np.ndarray
    actions: list[str] = field(default_factory=list)
    alerts: tuple[int, int] = (0, 0)


class GuardedWorld(World):
    """A world that does what the controls say."""

    def open_segments(self) -> frozenset[str]:
        """As gateways read it from the controls."""
        controls = StoreGuardBook(self.root).controls()
        held = None if controls is None else restrictions_of(controls.policies.get("auto"), "v1")
        return frozenset(name for name in INTENTS if held is None or held.holds({"intent": name}, 0.0).is_exposed)


@contextmanager
def _receiver() -> Iterator[tuple[str, list[dict[str, object]]]]:
    """A server that takes webhooks."""
    told: list[dict[str, object]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Not to standard error."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/hook", told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def live(job: LiveJob) -> Lived:
    """One store from its first day to its last."""
    logging.getLogger("undertow").setLevel(logging.CRITICAL)
    fast = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 (a store syncs thousands of times)
    with tempfile.TemporaryDirectory(prefix="undertow-guard-", dir=fast) as folder, _receiver() as (url, told):
        model = job.model
        world = GuardedWorld(Path(folder, "store"), model, Design(decisions=job.decisions), job.seed)
        plan = ServingPlan(
            tiers=(),
            policies=(PolicyPlan(name="auto", version="v1", kind="cascade", tiers=TIERS),),
            guard=GuardPlan(route_back="automatic", failure_usd=_failure_usd(model)),
            rollout=RolloutPlan(margin=MARGIN),
        )
        alerts = Alerts(
            world.root,
            AlertsPlan(webhook_url=url, allow_internal=True, repeat_hours=1e6),
            {},
            lambda: world.now,
            jitter=lambda: 0.0,
        )
        guarding = Guarding(world.root, plan, now=lambda: world.now)
        watching = Watching(
            world.root, world.monitors, world.review, world.shadow, TIERS, (), 60.0, now=lambda: world.now,
            after=lambda report: alerts.looked(report, guarding.trail), guard=guarding.look,
        )  # fmt: skip
        found = Lived(np.ones((job.days, 1, len(INTENTS))))
        for day in range(job.days):
            open_today = world.open_segments()
            found.exposed[day, 0] = [name in open_today for name in INTENTS]
            world.live()
            is_calm = job.name == "healthy" or day < model.onset_day - 2
            if not is_calm or day < 2 or day % CALM_DAYS == 0:
                watching.look()
                alerts.run()
        found.actions = [f"{e.kind} {e.segment}" for e in guarding.trail if e.status == "done"]
        opened = [each for each in told if each.get("kind") == "alarm"]
        found.alerts = len({each.get("episode") for each in opened}), len(opened)
        return found


def _failure_usd(model: StoryModel) -> float:
    """Cost of a failure that reviewers see, at the prices of the small log."""
    seen = seen_of_failures(replace(model, seen_hidden=F_PAIRS.seen_hidden))
    return failure_usd() / saved_usd_request(model) * (CAPABLE_USD - CHEAP_USD) / seen


def bench_live(report: Report, runs: int) -> None:
    """A few stores of each scenario."""
    names: tuple[Scenario, ...] = ("story", "half", "slice", "healthy")
    jobs = [LiveJob(name, report.seed + i) for name in names for i in range(runs)]
    done = iter(in_processes(live, jobs))
    print(f"\nThe keeper's own parts through a store, {runs} runs each: share of the avoidable damage avoided, first action after the onset")  # fmt: skip
    for name in names:
        lived = [next(done) for _ in range(runs)]
        acted = np.array([float(first_restriction(each.exposed)[0]) for each in lived])
        if name == "healthy":
            false = sum(moment < NEVER for moment in acted)
            kept = float(np.mean([each.exposed.mean() for each in lived]))
            print(f"  healthy  false rollbacks in {false} of {runs}, savings kept {kept:.1%}")
            report.add("live, healthy: runs with a false rollback", "shown", None, false / runs, None, runs, None, TEXT)
            continue
        at, onset = stakes(scenario(name)), scenario(name).onset_day
        avoided = np.array([float(at.avoided(at.damage(each.exposed))[0]) for each in lived])
        days = ", ".join("never" if moment >= NEVER else f"+{moment - onset:.0f}" for moment in acted)
        print(f"  {name:8s} {', '.join(f'{share:.1%}' for share in avoided)}; after {days} days; alerts {[each.alerts for each in lived]}")  # fmt: skip
        for each in lived:
            print(f"           {'; '.join(each.actions) or 'nothing done'}")
        report.add(f"live, {name}: share of avoidable damage avoided, median", "shown", None, float(np.median(avoided)), None, runs, None, TEXT)  # fmt: skip
        report.add(f"live, {name}: first action, day", "shown", None, float(np.median(acted)), None, runs, None, TEXT)
