"""One pass over a store that is watched alone: what the jobs do again and again, once, one after the other."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from undertow.adapters.alerts.book import StoreAlertBook
from undertow.bootstrap.keeper import KeeperPlan
from undertow.errors import UndertowError
from undertow.keeper.alerts import Alerts
from undertow.keeper.main import id_key_of, watching_of
from undertow.keeper.outcomes import Outcomes
from undertow.keeper.retention import Retention
from undertow.keeper.reviewing import Reviewing
from undertow.keeper.storing import Storing
from undertow.keeper.watching import Watching
from undertow.records.runtime_files import WATCH_REPORT


@dataclass(frozen=True, slots=True)
class Step:
    """A part of the pass.

    Attributes:
        name: Which.
        found: What it did, as it stands in JSON; None: it was not to be done, or failed.
        error: Why it failed, or None.
    """

    name: str
    found: Mapping[str, object] | None
    error: Exception | None = None

    @property
    def why(self) -> str:
        """Why it failed, in words; empty: it did not. What an error of ours or of a library says may quote a row, so only its kind is told."""
        match self.error:
            case None:
                return ""
            case UndertowError() | OSError():
                return str(self.error)
            case _:
                return type(self.error).__name__


def one_pass(plan: KeeperPlan, env: Mapping[str, str]) -> Iterator[Step]:
    """Do everything once, each step as it is asked for. One that fails stops none of the others.

    Outcomes and reviews come before the look, which so knows of them. Judging and tuning are left to a keeper that runs on.

    Args:
        plan: What to work on.
        env: Environment with the secrets that the plan names.
    """
    store = Path(plan.store.path)
    storing, serving = Storing(store, plan.tiers), plan.serving
    id_key, lacking = id_key_of(plan.store, env)
    yield _done("recovered", lambda: asdict(storing.recover_now()))
    if serving is not None and serving.sources and not lacking:
        yield _done("outcomes", Outcomes(plan.store, serving.sources, env).run)
    if serving is not None and not lacking:
        yield _done("reviews", Reviewing(store, serving.review_rules, id_key).run)
    yield _done("compacted", lambda: asdict(storing.compact_now()))
    yield _done("length_ratios", lambda: _measured(storing))
    yield _done("retention", Retention(store, plan.text_days).run)
    if serving is not None:
        alerts, watching = watching_of(plan, serving, None, id_key)
        if serving.monitor_minutes > 0:
            yield _done("watched", lambda: _looked(store, watching))
        yield _done("alerts", lambda: _told(store, alerts))


def _done(name: str, do: Callable[[], Mapping[str, object] | None]) -> Step:
    try:
        return Step(name, do())
    except Exception as error:  # noqa: BLE001 (the edge of one step: whatever it was, the others go on)
        return Step(name, None, error)


def _measured(storing: Storing) -> Mapping[str, object] | None:
    ratios = storing.measure_now()
    return None if ratios is None else ratios.tiers


def _looked(store: Path, watching: Watching) -> Mapping[str, object]:
    counted = watching.look()
    try:
        report = json.loads((store / WATCH_REPORT).read_bytes())
    except (OSError, ValueError):
        report = {}
    episodes = StoreAlertBook(store).episodes().episodes
    opened = sum(each.kind == "alarm" and each.closed_at is None for each in episodes)
    return {"verdict": report.get("verdict"), "headline": report.get("headline"), **counted, "alarms_open": opened}


def _told(store: Path, alerts: Alerts) -> Mapping[str, object]:
    """What was delivered now, and what waits, whoever tried it last."""
    counted = alerts.run()
    return {**counted, "alerts_waiting": len(StoreAlertBook(store).waiting())}
