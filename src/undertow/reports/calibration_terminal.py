"""A calibration on the terminal: the verdict first, then what it rests on."""

from undertow.records.calibration import Group
from undertow.records.calibration_report import CalibrationReport
from undertow.reports import calibration_words as words
from undertow.reports import figures
from undertow.reports.aligned import aligned
from undertow.reports.names import prose

NAME_COLUMNS = 24
SHOWN_GROUPS = 60


def calibration_lines(report: CalibrationReport) -> tuple[str, ...]:
    """The lines of the report, without colours.

    Args:
        report: What was found.
    """
    made, on = report.calibration, report.calibration.fitted_on
    lines = [words.headline(report) + ".", ""]
    period = f", {on.from_at[:10]} to {on.to_at[:10]}" if on.from_at and on.to_at else ""
    effective = f", worth {on.effective:,.0f} of equal weight" if on.effective < 0.99 * on.labels else ""
    lines.append(
        f"  labels    {on.labels:,} from {prose(on.source, 60)}{effective}{period}; {on.good:,} say as good as the capable tier"
    )
    lines.append(f"  score     {', '.join(feature.name for feature in made.features)}")
    if aside := words.left_out(report):
        lines.append(f"  left out  {aside}")
    lines += ["", *_table(report), ""]
    for group in made.groups[:SHOWN_GROUPS]:
        if group.quality is not None:
            lines.append(f"  quality   {_of(group, report)}{words.quality(group.quality)}")
    if made.prefix is not None:
        for group in made.prefix.groups[:SHOWN_GROUPS]:
            lines.append(f"  prefix    {_of(group, report)}{_prefix(group, made.prefix.tokens)}")
    lines += [f"  missing   {prose(each, 300)}" for each in words.missing(report)]
    lines += [f"  warning   {prose(each, 400)}" for each in words.hidden(report)]
    lines += [f"  note      {prose(each, 400)}" for each in made.notes]
    lines.append(f"  meaning   {words.meaning(report)}.")
    if report.artefact is not None:
        lines.append(f'\nwrote {report.artefact}: use it with [policy] calibration = "{report.artefact}"')
    return tuple(lines)


def _table(report: CalibrationReport) -> list[str]:
    made = report.calibration
    rows = [("group", "labels", "from confidence", "loss", "at most", "served cheaply", "saves per 1,000")]
    for group in made.groups[:SHOWN_GROUPS]:
        certificate, saved = group.certificate, group.savings
        rows.append(
            (
                words.group_name(group, made, NAME_COLUMNS),
                f"{group.labels:,}",
                words.confidence(group.threshold),
                "-" if certificate is None else figures.percent(certificate.loss),
                "-" if certificate is None else figures.percent(certificate.upper),
                "0 %"
                if certificate is None
                else f"{figures.percent(certificate.acceptance)} ({_bare(certificate.acceptance_interval)})",
                "-" if saved is None else figures.usd(1000 * saved.usd_per_request),
            )
        )
    lines = aligned(rows)
    if len(made.groups) > SHOWN_GROUPS:
        lines.append(f"  and {len(made.groups) - SHOWN_GROUPS} more groups (--json has all)")
    return lines


def _bare(interval: tuple[float, float]) -> str:
    return figures.percent_interval(interval).removesuffix(" %")


def _of(group: Group, report: CalibrationReport) -> str:
    made = report.calibration
    return "" if len(made.groups) == 1 else f"{words.group_name(group, made, NAME_COLUMNS)}: "


def _prefix(group: Group, tokens: int) -> str:
    if group.certificate is None:
        return f"first {tokens} tokens: no threshold; {group.note}"
    return (
        f"first {tokens} tokens: from confidence {words.confidence(group.threshold)} on, {figures.percent(group.certificate.acceptance)} served "
        f"cheaply, loss at most {figures.percent(group.certificate.upper)}"
    )
