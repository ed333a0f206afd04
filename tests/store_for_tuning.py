"""A real store, written by its own adapters: cheap answers with confidences, shadow pairs of them, and a calibration."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from tuning_factory import FITTED, calibration
from undertow.adapters.calibrations import write_calibration
from undertow.adapters.store.log import StoreDecisionLog
from undertow.adapters.store.signal_log import StoreSignalLog
from undertow.records.calibration import Calibration
from undertow.records.decision import Call, DecisionRecord
from undertow.records.serving import StorePlan
from undertow.records.signal import SignalRecord

SETTINGS = """\
[tiers.cheap]
model = "small"
base_url = "http://127.0.0.1:1/v1"
[tiers.capable]
model = "large"
base_url = "http://127.0.0.1:2/v1"
[policy]
kind = "cascade"
margin = 0.03
calibration = "calibration.json"
[store]
path = "store"
"""


def text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def write_settings(folder: Path, given: Calibration | None = None, more: str = "") -> str:
    """Settings and the artefact that they name; its hash."""
    (folder / "undertow.toml").write_text(SETTINGS + more)
    return write_calibration(given or calibration(), folder / "calibration.json")


def write_store(
    folder: Path, count: int, failing: float, *, day: int = 1, seed: int = 1, probability: float = 0.5, task: str = "a"
) -> None:
    """Decisions of one day; those of at least .8 were served cheaply. A share `probability` of all has a shadow pair."""
    rng = np.random.default_rng([seed, day])
    store = StorePlan(path=str(folder))
    log, signals = StoreDecisionLog(store, "w0"), StoreSignalLog(store, "w0")
    start = FITTED + timedelta(days=day)
    for number in range(count):
        confidence = float(rng.uniform(0.5, 1.0))
        is_served, name, at = confidence >= 0.8, f"{day:04}{seed:04}{number:024}", start + timedelta(seconds=number)
        tier = "cheap" if is_served else "capable"
        log.finish(
            DecisionRecord(
                decision_id=name,
                event_time=text(at),
                segment={"task": task},
                policy="auto",
                origin="live",
                mode="route",
                eligible=True,
                arm="treatment",
                arm_probability=0.95,
                first_tier="cheap",
                tier=tier,
                escalated=not is_served,
                reason="confident" if is_served else "unsure",
                confidence=confidence,
                confidence_kind="calibrated",
                features={"mean_logprob": float(np.log(confidence))},
                calls=(Call(tier="cheap", model="small", status="ok" if is_served else "discarded"),),
                status="ok",
            )
        )
        if rng.random() < probability:
            fails = float(rng.random() < failing)
            pair = (1.0 - fails, 1.0) if is_served else (1.0, 1.0 - fails)
            signals.add(
                (
                    SignalRecord(
                        signal_id=f"s-{name}",
                        event_time=text(at + timedelta(minutes=1)),
                        decision_id=name,
                        kind="shadow",
                        name="agreement",
                        value=pair[0],
                        reference_value=pair[1],
                        selection="sampled",
                        inclusion_probability=probability,
                    ),
                )
            )
    log.close()
    signals.close()
