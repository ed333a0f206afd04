"""`/ui/power`: how soon a loss would be seen, and how the same reviews are better spent, by sliders."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from undertow.bootstrap.planning import asked_design, logged_design, settings_design
from undertow.dashboard.charts import both, csv_response
from undertow.dashboard.pages import Ui, address, page, ui_of
from undertow.dashboard.planner import Found, Question
from undertow.errors import UsageError
from undertow.planning.options import Alternative, alternatives, unseen
from undertow.records.power import Assumption, Design, Option, PlannedLoss, PowerReport
from undertow.reports.names import plain
from undertow.reports.plan_terminal import SOURCES, headline
from undertow.reports.svg.power import PowerPoint, power_chart
from undertow.services.power import quickness

WAIT_S = 0.2
"""Seconds that a page waits for a simulation; what is not there then comes later."""
FILE_WAIT_S = 60.0
GRID = (10.0, 30.0, 100.0, 300.0, 1_000.0)
"""Reviews a day of the chart."""


@dataclass(frozen=True, slots=True)
class Slider:
    """One number that somebody may change.

    Attributes:
        name: In the address.
        label: What it is.
        unit: Behind it.
        low, high: Least and most that may be given.
        step: Of the slider.
        ends: Where the slider ends, where that is before `high`.
        says: What it means, a sentence or empty.
    """

    name: str
    label: str
    unit: str
    low: float
    high: float
    step: float = 1.0
    ends: float | None = None
    says: str = ""


SLIDERS = (
    Slider("labels", "Reviews a day, of all tiers", "a day", 1, 100_000, ends=1_000),
    Slider("loss", "Quality lost where it is lost", "%", 1, 100, says="Of so many requests in the slice the answer fails that did not before."),
    Slider("slice", "Size of the slice", "%", 1, 100, says="Of the requests that the cheaper tiers answer."),
    Slider("sensitivity", "Failures that reviewers see", "%", 5, 100, says="Confident failures look right: people see about half of them in one answer alone, eight in ten side by side."),
    Slider("alpha", "False-alarm budget", "%", 0.1, 50, says="Chance of any false alarm within the horizon."),
    Slider("horizon", "Horizon", "days", 14, 730, step=5, ends=365, says="The time over which the budget is spent."),
    Slider("margin", "Largest accepted loss", "%", 0.1, 50, step=0.5, ends=20, says="Of the whole tier. It changes what is too much, not how soon a change is seen."),
)  # fmt: skip
"""In the order of the page."""


@dataclass(frozen=True, slots=True)
class Base:
    """What the page begins with.

    Attributes:
        design: From the settings, and the log where it was read.
        said: Where its numbers come from.
        has_reference: There is something to compare levels with.
    """

    design: Design
    said: tuple[Assumption, ...]
    has_reference: bool


def base_of(ui: Ui) -> Base:
    """The design as it is."""
    design, said = settings_design(ui.settings)
    has_reference = ui.settings.holdout.share > 0
    if ui.log.seen is not None:
        design, said, has_reference = logged_design(ui.log.seen.cells, design, said)
    return Base(design, tuple(said), has_reference)


def power(request: Request) -> Response:
    """`/ui/power`."""
    if "as_of" in request.query_params:  # a plan is for days to come
        return RedirectResponse(address(request, {"as_of": None}), 303)
    ui = ui_of(request)
    base = ui.kept.of(ui.log.seen, "power", lambda: base_of(ui))
    share = ui.settings.review.cheap_share or 1.0
    at_rest = _at_rest(base.design, share)
    given = _given(request.query_params, at_rest)
    design, said = _asked(base, share, given, at_rest)
    loss = PlannedLoss(
        given["loss"] / 100, given["slice"] / 100, is_labelled=request.query_params.get("named", "yes") != "no"
    )
    others = alternatives(design)
    grid = {labels: replace(design, reviews_per_day=labels * share) for labels in sorted({*GRID, given["labels"]})}
    wanted = [Question(each, loss) for each in (design, *grid.values(), *(other.design for other in others))]
    is_csv = request.query_params.get("format") == "csv"
    known = ui.planner.ask(wanted, FILE_WAIT_S if is_csv else WAIT_S, until_final=is_csv)
    points = [
        (labels, found.delay) for labels, each in grid.items() if (found := known.get(Question(each, loss))) is not None
    ]
    if is_csv:
        heading = ("reviews_a_day", "median_days", "p90_days", "seen_share", "runs")
        rows = [(labels, each.median_days, each.p90_days, each.seen_share, each.runs) for labels, each in points]
        return csv_response("undertow-power", heading, rows)
    now = known.get(Question(design, loss))
    report = None if now is None else _report(design, said, now, others, known, base)
    total = len(dict.fromkeys(wanted))
    done = sum(each.is_final for each in known.values())
    plotted = [PowerPoint(labels, each.median_days, each.p90_days) for labels, each in points]
    return page(
        request, "power.html.j2", title="Power", sliders=SLIDERS, given={name: _number(value) for name, value in given.items()},
        named=loss.is_labelled, report=report, said=None if report is None else f"{headline(report)}.", points=points, sources=SOURCES,
        total=total, done=done, is_rough=now is not None and not now.is_final, is_measured=ui.log.seen is not None,
        tier_loss=loss.size * loss.slice_share, is_whole=loss.slice_share >= 1.0,
        here=given["labels"],
        drawn=both(lambda width, ident: power_chart(plotted, given["labels"], design.horizon_days, width, ident), "power"),
    )  # fmt: skip


def _report(
    design: Design, said: list[Assumption], now: Found, others: tuple[Alternative, ...], known: Mapping[Question, Found], base: Base
) -> PowerReport:  # fmt: skip
    loss = now.delay.loss
    found = [(each, known.get(Question(each.design, loss))) for each in others]
    # Of as many runs each, or chance decides.
    options = [
        Option(each.what, quick.delay, each.costs)
        for each, quick in found
        if quick is not None and quick.is_final and now.is_final and quickness(quick.delay) < quickness(now.delay)
    ]
    options.sort(key=lambda each: quickness(each.delay))
    return PowerReport(
        design, tuple(said), (), loss, now.delay, tuple(options), unseen(design, (), has_reference=base.has_reference)
    )


def _at_rest(design: Design, share: float) -> dict[str, float]:
    """Where the sliders stand before anybody has touched them."""
    found = {
        "labels": max(1.0, round(design.reviews_per_day / share)),
        "loss": 30.0,
        "slice": 10.0,
        "sensitivity": 100 * design.sensitivity,
        "alpha": 100 * design.alpha,
        "horizon": float(design.horizon_days),
        "margin": 100 * design.margin,
    }
    return {slider.name: _held(slider, found[slider.name]) for slider in SLIDERS}


def _given(query: Mapping[str, str], at_rest: Mapping[str, float]) -> dict[str, float]:
    """The numbers in the address, each within its bounds.

    Raises:
        UsageError: One is no number.
    """
    found: dict[str, float] = {}
    for slider in SLIDERS:
        text = query.get(slider.name, "").strip()
        try:
            value = float(text) if text else at_rest[slider.name]
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise UsageError(f"{slider.name}={plain(text)[:40]!r}: expected a number such as {slider.low:g}")
        found[slider.name] = _held(slider, value)
    return found


def _held(slider: Slider, value: float) -> float:
    """Within its bounds, and no finer than anybody would ask: what was simulated can be used again."""
    held = min(max(value, slider.low), slider.high)
    return float(round(held)) if slider.name in {"labels", "horizon"} else round(held, 1)


def _asked(
    base: Base, share: float, given: Mapping[str, float], at_rest: Mapping[str, float]
) -> tuple[Design, list[Assumption]]:
    """The design with what was changed; what was not keeps its number and where that comes from."""
    changed = {name: value for name, value in given.items() if value != at_rest[name]}

    def part(name: str) -> float | None:
        return changed[name] / 100 if name in changed else None

    return asked_design(
        base.design, base.said, share, labels_per_day=changed.get("labels"), sensitivity=part("sensitivity"), margin=part("margin"),
        alpha=part("alpha"), horizon_days=int(changed["horizon"]) if "horizon" in changed else None,
    )  # fmt: skip


def _number(value: float) -> str:
    return f"{value:.10g}"


ROUTES = (Route("/power", power, name="power"),)
