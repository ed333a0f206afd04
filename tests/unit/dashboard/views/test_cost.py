"""Cost against quality, and what another threshold would do."""

import csv
import io
from dataclasses import replace

import msgspec
import pytest

from cells_factory import build, labels, served
from undertow.adapters.calibrations import write_calibration, write_states
from undertow.config.settings import Settings
from undertow.dashboard.views.cost import curves_of, some_of
from undertow.records.calibration import Calibration, GroupState, PolicyState, ThresholdStates
from undertow.records.report import AuditSettings
from undertow.services.audit import audit
from undertow.services.cost_quality import Setting
from unit.dashboard.conftest import FixedLog, made_ui, small_cells
from unit.reports.factory import EVERY

CURVE = [
    {"threshold": t, "acceptance": a, "loss": loss, "upper": loss + 0.004}
    for t, a, loss in ((0.95, 0.1, 0.001), (0.8, 0.4, 0.008), (0.6, 0.7, 0.03), (0.2, 1.0, 0.2))
]


def artefact(groups=(None,)):
    quality = {
        "ece": 0.02, "ece_interval": [0.01, 0.03], "ece_floor": 0.01, "raw_ece": None, "auroc": 0.8, "auroc_interval": [0.7, 0.9], "brier": 0.1,
        "risk_coverage": CURVE,
    }  # fmt: skip
    given = {
        "tier": "cheap", "capable_tier": "capable", "fitted_at": "2026-01-01T00:00:00Z", "margin": 0.02, "delta": 0.1,
        "fitted_on": {"source": "review", "labels": 500, "good": 400, "effective": 500.0}, "features": [{"name": "mean_logprob"}],
        "group_key": "intent" if len(groups) > 1 else None,
        "groups": [
            {
                "value": value, "labels": 500, "good": 400, "map": {"method": "platt"}, "threshold": 0.8, "quality": quality,
                "certificate": {
                    "margin": 0.02, "delta": 0.1, "method": "clopper_pearson", "labels": 500, "losses": 4, "loss": 0.008, "upper": 0.012,
                    "acceptance": 0.4, "acceptance_interval": [0.35, 0.45],
                },
            }
            for value in groups
        ],
        "distribution": {"edges": [], "mean": -0.2, "sd": 0.1, "n": 500},
    }  # fmt: skip
    return msgspec.convert(given, Calibration)


@pytest.fixture
def calibrated(tmp_path):
    """What pages are made from where the policy names a calibration; `calibrated(groups, tuned)`."""

    def made(groups=(None,), tuned=None):
        version = write_calibration(artefact(groups), tmp_path / "calibration.json")
        if tuned is not None:
            (tmp_path / "state").mkdir()
            state = PolicyState(calibration_version=version, version=1, groups=(tuned,))
            write_states(
                tmp_path / "state" / "thresholds.json",
                ThresholdStates(at="2026-01-02T00:00:00Z", policies={"auto": {"cheap": state}}),
            )
        settings = Settings(policy={"kind": "cascade", "calibration": "calibration.json", "margin": 0.02})
        cells = small_cells()
        return replace(
            made_ui(FixedLog(audit(cells, AuditSettings()), cells), store=tmp_path, settings=settings), folder=tmp_path
        )

    return made


def rows(answer):
    return list(csv.DictReader(io.StringIO(answer.text)))


@pytest.mark.parametrize("name", EVERY)
def test_every_kind_of_report_has_its_page(client, name):
    answer = client(made_ui(FixedLog(EVERY[name]()))).get("/ui/cost")
    assert answer.status == 200
    assert 'aria-current="page"' in answer.text
    assert "<script>alert" not in answer.text


def test_before_anything_was_read_it_waits(client):
    assert "Reading the log" in client(made_ui(FixedLog())).get("/ui/cost").text


def test_the_page_says_what_is_saved_and_lost(client, calibrated):
    text = client(calibrated()).get("/ui/cost").text
    assert "of the capable tier alone and loses" in text
    assert "Cost against loss of quality" in text
    assert "as routed" in text
    assert "0.8000" in text
    assert "in force" in text


def test_without_a_calibration_it_says_how_to_come_by_one(client):
    assert "undertow calibrate" in client().get("/ui/cost").text


def test_without_costs_it_says_what_to_log(client):
    cells = small_cells()
    bare = replace(cells, traffic=replace(cells.traffic, paired_cost_n=cells.traffic.paired_cost_n * 0))
    text = client(made_ui(FixedLog(audit(bare, AuditSettings()), bare))).get("/ui/cost").text
    assert "baseline_cost_usd" in text
    assert "Costs are not known" in text


def test_rows_may_be_taken_away(client, calibrated):
    page = client(calibrated())
    found = rows(page.get("/ui/cost?format=csv"))
    assert [row["tier"] for row in found[:3]] == ["all tiers", "cheap", "capable"]
    assert float(found[1]["relative_cost"]) == pytest.approx(0.25)
    settings = rows(page.get("/ui/cost?format=csv&what=thresholds"))
    assert [float(row["threshold"]) for row in settings] == [0.95, 0.8, 0.6, 0.2]
    assert [row["in_force"] for row in settings] == ["False", "True", "False", "False"]
    assert float(settings[1]["saved_usd_month"]) > 0


def test_the_threshold_in_force_is_the_tuned_one(client, calibrated):
    ui = calibrated(tuned=GroupState(threshold=0.95))
    settings = rows(client(ui).get("/ui/cost?format=csv&what=thresholds"))
    assert [row["in_force"] for row in settings] == ["True", "False", "False", "False"]
    assert "(calibrated: 0.8)" in client(ui).get("/ui/cost").text


def test_a_void_certificate_is_said(client, calibrated):
    ui = calibrated(tuned=GroupState(threshold=0.8, is_void=True, why="<b>an alarm</b>"))
    text = client(ui).get("/ui/cost").text
    assert "The certificate is void" in text
    assert "<b>an alarm</b>" not in text


def test_each_group_has_its_curve(client, calibrated):
    ui = calibrated(groups=("billing", None))
    assert [curve.group.value for curve in curves_of(ui)[0]] == ["billing", None]
    page = client(ui)
    assert '<option value="1" selected>' in page.get("/ui/cost?curve=1").text
    for wrong in ("2", "x", "-1", "9" * 30):
        assert page.get(f"/ui/cost?curve={wrong}").status == 400


def test_a_calibration_that_cannot_be_read_is_said(client, calibrated, tmp_path):
    ui = calibrated()
    (tmp_path / "calibration.json").write_text("{}")
    answer = client(ui).get("/ui/cost")
    assert answer.status == 200
    assert "expected a file that this version" in answer.text


def test_of_many_thresholds_some_are_shown_and_those_that_matter_always():
    every = [
        Setting(1 - i / 100, i / 100, None, 0.0, 0.0, None, None, is_within=i < 7, is_in_force=i == 51)
        for i in range(100)
    ]
    some = some_of(every, 5)
    assert [each for each in some if each.is_in_force]
    assert every[6] in some
    assert {every[0], every[50], every[52], every[99]} <= set(some)
    assert len(some) <= 9
    assert some_of(every[:3], 5) == every[:3]


def test_a_log_of_one_tier_has_nothing_to_compare(client):
    cells = build(served("only", 50, days=20), labels("only", 10, 1, days=20), tiers=("only",))
    log = FixedLog(audit(cells, AuditSettings()), cells)
    for view in ("cost", "quality", "drift"):
        assert client(made_ui(log)).get(f"/ui/{view}").status == 200
    assert "No loss can be compared yet." in client(made_ui(log)).get("/ui/cost").text


def test_names_of_ten_thousand_letters_stay_out_of_the_address(client):
    tier, segment = "t" * 10_000, "intent=" + "\u202ex" * 5_000
    cells = build(
        served(tier, 50, days=20), served("capable", 50, days=20), served(tier, 20, days=20, segment=segment),
        labels(tier, 10, 1, days=20), labels("capable", 10, 1, days=20, arm="holdout"), labels(tier, 5, 1, days=20, segment=segment),
        tiers=(tier, "capable"),
    )  # fmt: skip
    log = FixedLog(audit(cells, AuditSettings()), cells)
    for view in ("cost", "quality", "drift"):
        answer = client(made_ui(log)).get(f"/ui/{view}")
        assert answer.status == 200
        assert len(answer.body) < 400_000
        assert "t" * 400 not in answer.text
        assert "\u202e" not in answer.text
