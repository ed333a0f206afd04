"""Tuning over days of a real store: a shift makes a threshold stricter, good labels bring it back, workers' judges obey."""

from datetime import timedelta

import pytest

from store_for_tuning import write_settings, write_store
from tuning_factory import FITTED, calibration, group
from undertow.adapters.calibrations import read_calibration, read_states
from undertow.adapters.tuning.answers import StoreAnswers
from undertow.adapters.tuning.book import StoreBook
from undertow.bootstrap.tuning import targets_of
from undertow.keeper.storing import Storing
from undertow.policies.calibrated import CalibratedJudge
from undertow.ports.tuning import AlarmView
from undertow.records.answer import AnswerFacts
from undertow.records.request import RequestFacts
from undertow.records.runtime_files import THRESHOLDS
from undertow.services.tune import Bounds, tune, void
from undertow.services.tuning_run import Run

BOUNDS = Bounds(step=0.15, max_step=1.0, window_days=30.0)


class World:
    """A store, its calibration, and one run of tuning a day."""

    def __init__(self, folder):
        self.folder, self.store = folder, folder / "store"
        write_settings(folder, calibration(group("a"), group(), group_key="task"))
        self.targets = targets_of({"auto": (str(folder / "calibration.json"),)})

    def day(self, day, failing, task="a", count=120):
        write_store(self.store, count, failing, day=day, task=task)
        return self.tune(day)

    def tune(self, day, alarms=AlarmView()):  # noqa: B008 (frozen)
        run = Run("keeper", FITTED + timedelta(days=day + 1))
        report = tune(self.targets, StoreAnswers(self.store), alarms, StoreBook(self.store), BOUNDS, run)
        return {one.group: one for one in report.groups}

    def judge(self, *, strict=False):
        read, sha256 = read_calibration(self.folder / "calibration.json")
        judge = CalibratedJudge(read, sha256, strict=strict)
        states, problem = read_states(self.store / THRESHOLDS)
        assert problem is None
        assert states is None or judge.apply(states.policies["auto"]["cheap"])
        return judge

    def verdict(self, confidence, task="a", **options):
        import math

        answer = AnswerFacts(logprob_sum=math.log(confidence), logprob_count=1, chars=3)
        facts = RequestFacts("messages", "auto", segment={"task": task})
        return self.judge(**options).judge(answer, facts, {})


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_a_shift_in_one_group_makes_its_threshold_stricter_and_good_labels_bring_it_back(world):
    assert world.day(1, failing=0.02)["a"].after == pytest.approx(0.8, abs=0.05)
    assert world.verdict(0.9).is_released
    shifted = [world.day(day, failing=0.5)["a"].after for day in range(2, 5)]
    assert shifted[-1] is None or shifted[-1] > 0.95
    assert not world.verdict(0.9).is_released
    assert world.verdict(0.9, task="b").is_released  # the other requests have their own
    Storing(world.store, ()).compaction()  # what was converted meanwhile is read all the same
    highest = world.day(5, failing=0.0)["a"].after or 1.0  # a run that was held back is gone on with first
    later = [world.day(day, failing=0.0)["a"].after or 1.0 for day in range(6, 18)]
    assert later == sorted(later, reverse=True)
    assert later[-1] < highest
    assert later[-1] >= 0.8
    assert len({entry.version for entry in StoreBook(world.store).history()}) == len(StoreBook(world.store).history())


def test_a_void_certificate_stops_a_strict_policy_there_and_nowhere_else(world):
    world.day(1, failing=0.0)
    void(world.targets, StoreBook(world.store), "task=a", "an incident", Run("ann", FITTED + timedelta(days=2)))
    assert world.verdict(0.999, strict=True).reason == "calibration_void"
    assert world.verdict(0.999, strict=False).is_released
    elsewhere = world.verdict(0.999, task="", strict=True)
    assert elsewhere.reason != "calibration_void"


def test_labels_that_come_late_count_once(world):
    write_store(world.store, 60, 0.0, day=1)
    assert world.tune(1)["a"].labels > 0
    assert world.tune(1)["a"].labels == 0
    write_store(world.store, 60, 0.0, day=2)
    assert 15 < world.tune(2)["a"].labels < 45
