"""Cost against quality: what each tier and segment saves and loses, which choices nothing beats, and what another threshold would do."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from undertow.adapters.tuning.book import StoreBook
from undertow.bootstrap.tuning import calibrations_of, committing_of, targets_of
from undertow.dashboard.charts import both, csv_response
from undertow.dashboard.pages import Ui, as_of, page, report_of, ui_of
from undertow.dashboard.places import Option, cells_of
from undertow.errors import ConfigError, DataError, UsageError
from undertow.records.calibration import Calibration, Group, GroupState
from undertow.records.cells import AuditCells
from undertow.records.segment import WHOLE, Segment
from undertow.reports.calibration_words import group_name
from undertow.reports.html import section_values
from undertow.reports.names import clip, prose, segment_name
from undertow.reports.svg.palette import tier_class
from undertow.reports.svg.pareto import Dot, pareto_chart
from undertow.services.confidence_histogram import confidence_histogram
from undertow.services.cost_quality import (
    Setting,
    Trade,
    best,
    moved_back,
    prices_of,
    settings_of,
    trades,
    worst_trades,
)
from undertow.services.tuning_run import Now

DRAWN_SEGMENTS = 40
SHOWN_SEGMENTS = 100
NAMED_SEGMENTS = 8
SHOWN_THRESHOLDS = 12
SHOWN_STEPS = 12


@dataclass(frozen=True, slots=True)
class Curve:
    """Thresholds that a calibration knows of, for one group of requests.

    Attributes:
        calibration: The artefact.
        policy: That uses it.
        group: The group, with the threshold that was certified.
        state: How it stands now.
    """

    calibration: Calibration
    policy: str
    group: Group
    state: GroupState

    @property
    def is_whole(self) -> bool:
        """Whether it is of all requests."""
        return len(self.calibration.groups) == 1

    @property
    def segment(self) -> Segment:
        """Its requests as a segment; the rest of a key counts as all."""
        key, value = self.calibration.group_key, self.group.value
        return WHOLE if key is None or value is None else Segment(key, value)


def curves_of(ui: Ui) -> tuple[tuple[Curve, ...], str]:
    """The curves of the calibrations that the settings name, and why there are none or fewer; empty: nothing is wrong."""
    try:
        targets = targets_of(calibrations_of(ui.settings, ui.folder), committing_of(ui.settings))
    except (ConfigError, DataError, OSError) as error:
        return (), str(error)
    if not targets:
        return (), ""
    problem, found = "", []
    try:
        now = None if ui.store is None else Now.of(StoreBook(ui.store))
    except (ConfigError, OSError) as error:
        now, problem = (
            None,
            f"thresholds are shown as they were calibrated, since those in force cannot be read ({error})",
        )
    for target in targets:
        groups = (
            [target.certifying(group) for group in target.calibration.groups] if now is None else now.groups(target)
        )
        for group in groups:
            if group.quality is not None and group.quality.risk_coverage:
                state = target.in_force(group, None) if now is None else now.in_force(target, group)
                found.append(Curve(target.calibration, target.policy, group, state))
    return tuple(found), problem


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What the page says of one curve.

    Attributes:
        curve: Which.
        rows: What each threshold would do.
        choices: All curves, for the form; their values are their places.
        place: Of this one.
        problem: Why something is missing; empty: nothing is.
    """

    curve: Curve | None
    rows: tuple[Setting, ...]
    choices: tuple[Option, ...]
    place: int
    problem: str


def thresholds_of(request: Request, cells: AuditCells) -> Thresholds:
    """The curve that the address asks for (`curve`, its place), or the first.

    Raises:
        UsageError: There is no such curve.
    """
    curves, problem = curves_of(ui_of(request))
    text = request.query_params.get("curve", "0")
    if not text.isdecimal() or len(text) > 6 or (curves and int(text) >= len(curves)):
        raise UsageError(f"curve: expected a number from 0 to {max(len(curves) - 1, 0)}")
    if not curves:
        return Thresholds(None, (), (), 0, problem)
    place = int(text)
    curve = curves[place]
    now = confidence_histogram(cells, segment=curve.segment)
    rows = settings_of(
        curve.group.quality.risk_coverage if curve.group.quality is not None else (),
        curve.calibration.margin,
        None if curve.state.is_void else curve.state.threshold,
        prices_of(cells, curve.calibration.tier, curve.segment),
        now,
    )
    several = len({each.policy for each in curves}) > 1
    choices = tuple(Option(str(i), _curve_name(each, with_policy=several)) for i, each in enumerate(curves))
    return Thresholds(curve, rows, choices, place, problem)


def _curve_name(curve: Curve, *, with_policy: bool) -> str:
    name = f"{clip(curve.calibration.tier, 20)}, {group_name(curve.group, curve.calibration, 32)}"
    return f"{clip(curve.policy, 20)}: {name}" if with_policy else name


def dots_of(
    found: Sequence[Trade], thresholds: Thresholds, tiers: Sequence[str]
) -> tuple[list[Dot], list[tuple[float, float]]]:
    """Points of the chart, those to be seen first last, and the front of choices for all requests.

    Args:
        found: Trades.
        thresholds: Of the curve that is shown.
        tiers: In order of cost.
    """
    segments = [each for each in worst_trades(found) if each.relative_cost is not None and each.loss is not None]
    dots = [
        Dot(segment_name(each.segment, 24) if place < NAMED_SEGMENTS else "", each.relative_cost, each.loss, each.interval, tier_class(each.tier, tiers), is_part=True)
        for place, each in enumerate(segments[:DRAWN_SEGMENTS])
        if each.relative_cost is not None and each.loss is not None
    ][::-1]  # fmt: skip
    settings = [(each.relative_cost, each) for each in thresholds.rows if each.relative_cost is not None]
    dots += [
        Dot(
            "threshold in force" if each.is_in_force else "",
            cost,
            each.loss,
            (each.loss, each.upper),
            "c-mid0",
            each.is_in_force,
        )
        for cost, each in settings
    ]
    choices = [
        (cost, each.loss) for cost, each in settings if thresholds.curve is not None and thresholds.curve.is_whole
    ]
    steps = [(step.relative_cost, step.loss) for step in moved_back(found)]
    dots += [Dot("", *step, None, "c-seg0") for step in steps]
    dots.append(Dot(f"{clip(tiers[-1], 18)} alone", 1.0, 0.0, None, "c-capable", is_large=True))
    choices += [*steps, (1.0, 0.0)]
    for each in found:
        if (
            each.segment.is_whole
            and each.tier != tiers[-1]
            and each.relative_cost is not None
            and each.loss is not None
        ):
            cls = tier_class(each.tier or None, tiers)
            label = clip(each.tier, 20) if each.tier else "as routed"
            dots.append(Dot(label, each.relative_cost, each.loss, each.interval, cls, is_large=True))
            if not each.tier:
                choices.append((each.relative_cost, each.loss))
    if len(dots) == 1:
        return [], []  # nothing stands beside the capable tier
    front = best(choices)
    return dots, [choices[i] for i in sorted(front)]


def cost(request: Request) -> Response:
    """`/ui/cost`."""
    report, cells, ui = report_of(request), cells_of(request), ui_of(request)
    if report is None or cells is None:
        return page(request, "waiting.html.j2")
    found = ui.kept.of(ui.log.seen, ("cost", as_of(request)), lambda: trades(cells, report))
    thresholds = thresholds_of(request, cells)
    if request.query_params.get("format") == "csv":
        if request.query_params.get("what") == "thresholds":
            return csv_response(
                "undertow-thresholds", THRESHOLD_HEADING, [_threshold_row(each) for each in thresholds.rows]
            )
        return csv_response("undertow-cost", HEADING, [_row(each) for each in found])
    dots, front = dots_of(found, thresholds, cells.tiers)
    parts = worst_trades(found)
    values = section_values(report) | {
        "whole": [each for each in found if each.segment.is_whole], "parts": parts[:SHOWN_SEGMENTS], "all_parts": len(parts),
        "together": found[0], "steps": moved_back(found)[:SHOWN_STEPS], "worst": _worst(parts), "thresholds": thresholds, "curve": thresholds.curve, "settings": some_of(thresholds.rows), "drawn": min(len(parts), DRAWN_SEGMENTS),
        "pareto": both(lambda w, i: pareto_chart(dots, front, report.settings.margin, _legend(cells, thresholds, parts), w, i), "pareto"),
        "has_costs": any(each.relative_cost is not None for each in found), "group": "" if thresholds.curve is None else thresholds.choices[thresholds.place].shown,
        "problem": prose(thresholds.problem, 400),
    }  # fmt: skip
    return page(request, "cost.html.j2", **values)


def some_of(rows: Sequence[Setting], most: int = SHOWN_THRESHOLDS) -> list[Setting]:
    """Some of many thresholds, evenly, with that in force, its neighbours, and the last that is shown inside the margin."""
    if len(rows) <= most:
        return list(rows)
    places = {round(i * (len(rows) - 1) / (most - 1)) for i in range(most)}
    for i, row in enumerate(rows):
        if row.is_in_force:
            places |= {max(i - 1, 0), i, min(i + 1, len(rows) - 1)}
    inside = [i for i, row in enumerate(rows) if row.is_within]
    return [rows[i] for i in sorted(places | set(inside[-1:]))]


def _worst(parts: Sequence[Trade]) -> Trade | None:
    """The segment that surely loses most for what it saves, if any surely loses."""
    lost = [
        each
        for each in parts
        if each.interval is not None and each.interval[0] > 0 and each.saved_per_failure_usd is not None
    ]
    return min(lost, key=lambda each: each.saved_per_failure_usd or 0.0, default=None)


def _legend(cells: AuditCells, thresholds: Thresholds, parts: Sequence[Trade]) -> list[tuple[str, str]]:
    entries = [(clip(tier, 20), f"fill {tier_class(tier, cells.tiers)}") for tier in cells.tiers[:6]]
    entries.append(("as routed", "fill c-all"))
    if thresholds.rows:
        entries.append(("another threshold", "fill c-mid0"))
    if parts:
        entries.append(("segments moved back, one by one", "fill c-seg0"))
        entries.append(("small: segments", "fill c-all part"))
    return [*entries, ("what nothing beats", "c-all front")]


HEADING = (
    "tier", "segment", "state", "share", "cost_usd", "capable_cost_usd", "relative_cost", "saved_usd_month", "loss", "low", "high",
    "saved_usd_per_worse_answer",
)  # fmt: skip


def _row(each: Trade) -> tuple[object, ...]:
    return (
        each.tier or "all tiers", str(each.segment), each.state, each.share, each.cost_usd, each.capable_usd, each.relative_cost,
        each.saved_usd_month, each.loss, *(each.interval or (None, None)), each.saved_per_failure_usd,
    )  # fmt: skip


THRESHOLD_HEADING = (
    "threshold", "accepted_at_calibration", "accepted_now", "loss", "loss_upper", "saved_usd_month", "relative_cost", "within_margin", "in_force",
)  # fmt: skip


def _threshold_row(each: Setting) -> tuple[object, ...]:
    return (
        each.threshold, each.acceptance, each.acceptance_now, each.loss, each.upper, each.saved_usd_month, each.relative_cost,
        each.is_within, each.is_in_force,
    )  # fmt: skip


ROUTES = (Route("/cost", cost, name="cost"),)
