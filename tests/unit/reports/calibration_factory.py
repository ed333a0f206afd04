"""Reports of calibrations: one group, several, a shared threshold, none that qualifies, and hostile names."""

import msgspec
import numpy as np

from calibration_factory import answers
from undertow.calibration.fit import FitOptions
from undertow.records.calibration_report import CalibrationReport
from undertow.services.calibrate import calibrate


def options(**other):
    return FitOptions(
        tier="cheap", capable_tier="capable", fitted_at="2026-03-01T00:00:00Z", **({"margin": 0.04} | other)
    )


def _costs(n):
    return {"cheap_cost_usd": np.full(n, 1e-4), "capable_cost_usd": np.full(n, 4e-3)}


def single() -> CalibrationReport:
    report = calibrate(
        answers(1200, **_costs(1200), from_at="2026-01-01T08:00:00.000Z", to_at="2026-02-01T08:00:00.000Z"), options()
    )
    return msgspec.structs.replace(report, artefact="calibration.json", sha256="ab" * 32)


def _tasks(names=("billing", "faq", "legal"), n=2400):
    given = answers(n)
    place = np.arange(n) * len(names) // n
    hard = place == len(names) - 1
    good = given.good & ~(hard & (np.random.default_rng(2).random(n) < 0.3))
    return answers(n, good=good, segments=tuple({"task": names[p]} for p in place), **_costs(n))


def grouped() -> CalibrationReport:
    return calibrate(_tasks(), options(group_key="task"))


def shared() -> CalibrationReport:
    return calibrate(_tasks(), options(group_key="task", threshold_scope="shared"))


def hopeless() -> CalibrationReport:
    place = np.arange(400)
    score = np.where(place > 360, -0.1, np.linspace(-2.0, -0.4, 400))
    return calibrate(
        answers(400, good=(place > 120) & (place % 10 > 0) & (place < 361), features={"mean_logprob": score}), options()
    )


def hostile() -> CalibrationReport:
    names = ("<script>window.pwned=1</script>", "a\nb\x1b[31mred", "x" * 300)
    report = calibrate(_tasks(names), options(group_key="task"))
    made = msgspec.structs.replace(report.calibration, tier="<b>\u202etier", notes=("<img src=x onerror=pwned()>",))
    return msgspec.structs.replace(report, calibration=made, left_out={"<i>": 3})


def weighted() -> CalibrationReport:
    n = 900
    weight = np.random.default_rng(4).choice([1.0, 12.0], n)
    known = np.arange(n) % 4 > 0
    given = answers(n)
    return calibrate(answers(n, weight=weight, known=known, good=given.good & known), options())


def early() -> CalibrationReport:
    given = answers(2000)
    given.features["prefix.mean_logprob"] = given.features["mean_logprob"] * 0.8
    return calibrate(given, options(prefix_tokens=8))


EVERY = {each.__name__: each for each in (single, grouped, shared, hopeless, hostile, weighted, early)}
