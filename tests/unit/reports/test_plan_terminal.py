"""The plan is told with the reference loss first, and never without where its numbers come from."""

from undertow.records.power import Assumption, Delay, Design, Option, PlannedLoss, PowerReport
from undertow.reports.plan_json import plan_document
from undertow.reports.plan_terminal import headline, plan_lines

LOSS = PlannedLoss(0.3, 0.1)
DESIGN = Design(30_000, 140, 0.6, (0.5, 0.5), 0.06, 0.5)


def report(now, options=()):
    said = (Assumption("judge", "none", "settings"),)
    return PowerReport(DESIGN, said, (now,), LOSS, now, options, ("a thing",))


def test_verdict_first():
    seen = report(Delay(LOSS, 4, 9, 1.0, 50))
    assert headline(seen) == (
        "A loss of 30 % of the quality in a labelled slice of 10 % is seen in 4 days half of the time, in 9 days nine times in ten"
    )
    quick = report(Delay(LOSS, 1, 1, 1.0, 50))
    assert headline(quick).endswith("is seen in 1 day half of the time, in 1 day nine times in ten")
    missed = report(Delay(LOSS, None, None, 0.2, 50))
    assert "within 180 days in 20.0 % of the runs only" in headline(missed)
    assert "but not nine times in ten" in headline(report(Delay(LOSS, 1, None, 0.8, 50)))


def test_every_part_is_there():
    better = Option("do this", Delay(LOSS, 2, 3, 1.0, 50), "some money")
    text = "\n".join(plan_lines(report(Delay(LOSS, 4, 9, 1.0, 50), (better,))))
    for part in (
        "30 %",
        "a labelled slice of 10 %",
        "4 days",
        "9 days",
        "do this",
        "some money",
        "- a thing",
        "from the settings",
        "50 simulated runs",
    ):
        assert part in text
    assert "nothing that was tried is quicker" in "\n".join(plan_lines(report(Delay(LOSS, 1, 1, 1.0, 50))))


def test_absent_is_null_in_json():
    document = plan_document(report(Delay(LOSS, None, None, 0.2, 50)))
    assert document["schema"] == "undertow.plan-power/1"
    assert document["delays"][0]["median_days"] is None
    assert document["design"]["reviews_per_day"] == 140
