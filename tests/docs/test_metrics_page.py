"""The page on metrics names every metric that there is, and no other."""

import re
import time
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from undertow.gateway.metrics import Metrics
from undertow.gateway.runtime import Runtime, Supervision, write_supervision
from undertow.gateway.tallies import SEPARATOR, InForce, Restricted
from undertow.records.decision import Call, DecisionRecord
from undertow.records.runtime_files import HEARTBEAT
from undertow.records.sampling import Drawn

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "observe.md"
HEART = b'{"pid": 1, "at": 0, "jobs": {"recovery": {}}, "counts": {}}'


def test_the_page_names_every_metric_with_its_labels(tmp_path):
    runtime = Runtime.within(str(tmp_path), "", worker_number=0, workers=1, generation=1)
    (tmp_path / HEARTBEAT).write_bytes(HEART)
    write_supervision(str(tmp_path), Supervision())
    metrics = Metrics(runtime, 1)
    calls = (Call(tier="cheap", cost_usd=1.0),)
    metrics.tallies.add(
        DecisionRecord(
            decision_id="d", event_time="t", calls=calls, escalated=True, confidence=0.5, latency_ms=1.0, ttft_ms=1.0,
            committed_tokens=1, draws=(Drawn("review", "tail", 0.5, chosen=True),),
        )
    )  # fmt: skip
    metrics.tallies.add_lost_text("disk")
    metrics.tallies.gauges.at = time.time()
    metrics.tallies.in_force = {SEPARATOR.join(("auto", "cheap", "*")): InForce(0.9)}
    metrics.tallies.restricted = {SEPARATOR.join(("auto", "*")): Restricted(0.5)}
    metrics.tallies.add_signals("feedback", "accepted", 1)
    metrics.tallies.add_refusal("team", "rate")
    shown = {}
    for family in text_string_to_metric_families(metrics.exposition().decode()):
        name = family.name + ("_total" if family.type == "counter" else "")
        shown[name] = {label for sample in family.samples for label in sample.labels} - {"le"}
    rows = re.findall(r"^\| (`undertow_[^|]*)\|([^|]*)\|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    named = {
        name: set(filter(None, re.split(r",\s*", labels.strip())))
        for names, labels in rows
        for name in re.findall(r"`(undertow_\w+)`", names)
    }
    assert named == shown
