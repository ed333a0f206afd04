"""`undertow suite`: cases with a known right answer, sent as routed and to each tier, and compared with the runs before."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from undertow.cli import exit_status
from undertow.cli.audit import settings_file
from undertow.cli.command import FiniteRange, Group
from undertow.cli.drawing import progress_bar
from undertow.errors import LogError, UsageError

if TYPE_CHECKING:
    from undertow.adapters.suites.runs import StoreRuns
    from undertow.config.load import LoadedSettings
    from undertow.ports.audit_source import Progress
    from undertow.records.serving import ServingPlan
    from undertow.records.suite import RunResults, Suite, SuiteReport
    from undertow.services.suite import SuiteOptions
    from undertow.services.suite_refresh import Refresh

STATUS = {"no_loss": exit_status.HEALTHY, "loss": exit_status.LOSS, "inconclusive": exit_status.INCONCLUSIVE}
FILE_MODE = 0o640
"""Proposed cases hold text of users, which is not for everybody on the machine."""
MOST_RUNS = 128
"""Runs that are compared: of more the first and the last ones."""

_config = click.option("--config", metavar="FILE", help="Settings. Default: undertow.toml in the store's folder, else here.")  # fmt: skip
_store = click.option("--store", metavar="DIR", help="The store's root folder. Default: that of the settings.")
_json = click.option("--json", "as_json", is_flag=True, help="JSON (undertow.suite/1) on standard output, and nothing else there.")  # fmt: skip


@click.group("suite", cls=Group)
def command() -> None:
    """Send a suite of cases through the live policy and to each tier, and see what got worse, and why."""


@dataclass(frozen=True, slots=True)
class _Files:
    """Where a report goes beside standard output."""

    as_json: bool
    junit: str | None
    markdown: str | None


@command.command(
    "run",
    examples="""
    undertow suite run support.jsonl
    undertow suite run support.jsonl --config undertow.toml --budget-usd 2 --junit suite.xml
    undertow suite run support.jsonl --tiers cheap --limit 50 --json | jq '.verdict, .findings'
    undertow suite run support.jsonl --baseline
    """,
)
@click.argument("suite", metavar="SUITE.jsonl")
@_config
@_store
@click.option("--policy", default="auto", show_default=True, metavar="NAME", help="Policy that routes.")
@click.option("--tiers", metavar="A,B|none", help="Tiers that are asked directly, too. Default: all. Without them a cause cannot be told.")  # fmt: skip
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N cases.")
@click.option("--concurrency", type=click.IntRange(1, 64), default=4, show_default=True, metavar="N", help="Cases that are on their way at once.")  # fmt: skip
@click.option("--retries", type=click.IntRange(0, 10), default=2, show_default=True, metavar="N", help="Attempts after the first, where a failure may pass.")  # fmt: skip
@click.option("--budget-usd", type=FiniteRange(min=0, min_open=True), metavar="USD", help="Begin no case that would bring the cost beyond this.")  # fmt: skip
@click.option("--baseline", is_flag=True, help="Accept what this run shows: later runs are compared with it and not with what was before.")  # fmt: skip
@click.option("--alpha", type=FiniteRange(0, 0.5, min_open=True, max_open=True), metavar="P", help="Probability that a suite that got no worse is ever said to. Default: monitors.alpha.")  # fmt: skip
@click.option("--margin", type=FiniteRange(0, 1, min_open=True, max_open=True), metavar="LOSS", help="Loss of the routed answers against the capable tier that you accept. Default: monitors.margin.")  # fmt: skip
@_json
@click.option("--junit", type=click.Path(dir_okay=False, writable=True), metavar="FILE", help="Write JUnit XML, a test case a target and segment.")  # fmt: skip
@click.option("--markdown", type=click.Path(dir_okay=False, writable=True), metavar="FILE", help="Write a summary for a pull request.")  # fmt: skip
def run(
    suite: str,
    config: str | None,
    store: str | None,
    policy: str,
    tiers: str | None,
    limit: int | None,
    concurrency: int,
    retries: int,
    budget_usd: float | None,
    baseline: bool,
    alpha: float | None,
    margin: float | None,
    as_json: bool,
    junit: str | None,
    markdown: str | None,
) -> int:
    """Send every case of SUITE as the live policy routes it and to each tier, score the answers, and compare with earlier runs.

    The requests are recorded with origin `suite`, so they count as no traffic; the scores are signals of kind `suite`. Exit status: 0 no
    loss was shown, 1 a loss was shown, 3 nothing can be said yet (a first run, too few cases, or the grader itself changed), 2 bad input.
    """
    from undertow.bootstrap.suite import read_suite_file
    from undertow.suites.verdict import report_on

    for option, file in (("--junit", junit), ("--markdown", markdown)):
        _see_folder(option, file)
    cases = read_suite_file(Path(suite))
    plan, monitors = _plan(config, store)
    options = _options(plan, policy, tiers, limit, concurrency, retries, budget_usd, baseline=baseline)
    with progress_bar(shown=not as_json) as progress:
        found = _carried_out(cases, options, plan, progress)
    book = _book(plan)
    book.add(found)
    report = report_on(
        book.runs(cases.name, MOST_RUNS),
        alpha=monitors.alpha if alpha is None else alpha,
        margin=monitors.margin if margin is None else margin,
        level=monitors.level,
    )
    _show(report, _Files(as_json, junit, markdown))
    return STATUS[report.verdict]


@dataclass(frozen=True, slots=True)
class _Monitors:
    """What the settings say of lines and intervals."""

    alpha: float
    margin: float
    level: float


def _plan(config: str | None, store: str | None) -> "tuple[ServingPlan, _Monitors]":
    import msgspec

    from undertow.bootstrap.plan_file import read_plan
    from undertow.config.load import load_settings

    path = settings_file(config, (store,) if store else ())
    plan = read_plan(path, os.environ)
    loaded = load_settings(path, os.environ)
    root = Path(store) if store is not None else loaded.folder / plan.store.path
    plan = msgspec.structs.replace(plan, store=msgspec.structs.replace(plan.store, path=str(root)))
    return plan, _monitors(loaded)


def _monitors(loaded: "LoadedSettings") -> _Monitors:
    from undertow.bootstrap.calibration_files import with_certified_margin
    from undertow.records.report import AuditSettings

    given = with_certified_margin(loaded.settings, loaded.folder).monitors
    return _Monitors(given.alpha, AuditSettings().margin if given.margin is None else given.margin, given.level)


def _options(
    plan: "ServingPlan",
    policy: str,
    tiers: str | None,
    limit: int | None,
    concurrency: int,
    retries: int,
    budget_usd: float | None,
    *,
    baseline: bool,
) -> "SuiteOptions":
    from undertow.bootstrap.suite import unpriced
    from undertow.services.suite import SuiteOptions

    known = [tier.name for tier in plan.tiers]
    policies = [each.name for each in plan.policies]
    if policy not in policies:
        raise UsageError(f"--policy {policy!r}: expected one of {', '.join(policies)}")
    asked = known if tiers is None else [] if tiers == "none" else [name.strip() for name in tiers.split(",")]
    for name in asked:
        if name not in known:
            raise UsageError(f"--tiers {name!r}: expected some of {', '.join(known)}, or none")
    if budget_usd is not None and (without := unpriced(plan, known)):
        raise UsageError(
            f"--budget-usd cannot be kept: the prices of {', '.join(without)} are unknown; set prices under [tiers.{without[0]}]"
        )
    return SuiteOptions(
        tiers=tuple(name for name in known if name in asked),
        capable=known[-1],
        policy=policy,
        limit=limit,
        concurrency=concurrency,
        retries=retries,
        budget_usd=budget_usd,
        is_baseline=baseline,
    )


def _carried_out(cases: "Suite", options: "SuiteOptions", plan: "ServingPlan", progress: "Progress") -> "RunResults":
    import asyncio
    import secrets
    from datetime import UTC, datetime

    from undertow.bootstrap.gateway import writer_name
    from undertow.bootstrap.suite import SuiteGrading
    from undertow.client.sink import open_sink
    from undertow.client.suite import EngineTargets
    from undertow.services.suite import SuiteParts, run_suite

    began = datetime.now(UTC)
    run_id = f"{began:%Y%m%dT%H%M%S}{began.microsecond // 1000:03d}Z-{secrets.token_hex(3)}"
    grading = SuiteGrading(cases, plan.judge, os.environ)
    _book(plan).prepare(cases.name)
    sink = open_sink(None, plan.store, writer_name("suite"))

    async def work() -> "RunResults":
        targets = EngineTargets(plan, os.environ, sink, options.policy)
        parts = SuiteParts(targets, grading.grader, sink.signals, lambda: datetime.now(UTC), asyncio.sleep, run_id)
        try:
            return await run_suite(cases, options, parts, progress=progress)
        finally:
            await targets.aclose()
            await grading.aclose()

    try:
        return asyncio.run(work())
    finally:
        try:
            sink.close()
        except OSError as error:
            raise LogError(
                f"{plan.store.path}: {error.strerror or error}; the run cannot be kept, so it counts as not made"
            ) from None


def _book(plan: "ServingPlan") -> "StoreRuns":
    from undertow.adapters.suites.runs import StoreRuns

    return StoreRuns(Path(plan.store.path))


def _see_folder(option: str, file: str | Path | None) -> None:
    """A report without a place is told before anything is paid for."""
    if file is not None and not Path(file).absolute().parent.is_dir():
        raise UsageError(f"{option} {file}: its folder is not there; make it, or name another file")


def _show(report: "SuiteReport", files: _Files) -> None:
    from undertow.cli.atomic_write import write_atomically
    from undertow.reports.suite import suite_document, suite_junit, suite_lines, suite_markdown

    if files.junit is not None:
        write_atomically(Path(files.junit), suite_junit(report).encode("utf-8", "replace"))
    if files.markdown is not None:
        write_atomically(Path(files.markdown), suite_markdown(report).encode("utf-8", "replace"))
    if files.as_json:
        click.echo(json.dumps(suite_document(report), indent=1, ensure_ascii=False, allow_nan=False))
        return
    for line in suite_lines(report):
        click.echo(line)


@command.command(
    "refresh",
    examples="""
    undertow suite refresh support.jsonl undertow-data/
    undertow suite refresh support.jsonl undertow-data/ --count 50 --out proposed.jsonl
    """,
)
@click.argument("suite", metavar="SUITE.jsonl")
@click.argument("store", metavar="DIR")
@click.option("--out", type=click.Path(dir_okay=False, writable=True), metavar="FILE", help="Where the proposed cases go. Default: SUITE.proposed.jsonl beside the suite.")  # fmt: skip
@click.option("--count", type=click.IntRange(1, 1000), default=20, show_default=True, metavar="N", help="Most cases that are proposed.")  # fmt: skip
@click.option("--by", type=click.Choice(["auto", "encoder", "words"]), default="auto", show_default=True, help="What makes texts alike: the sentence encoder of the extra `embedding`, or their words.")  # fmt: skip
@click.option("--near", type=FiniteRange(0, 1, min_open=True), metavar="COSINE", help="From which likeness on a request counts as covered. Default: 0.5 by words, 0.6 by the encoder.")  # fmt: skip
@_json
def refresh(suite: str, store: str, out: str | None, count: int, by: str, near: float | None, as_json: bool) -> None:
    """Propose cases from the live traffic in DIR that SUITE does not cover, those first that stand for most requests.

    Texts come from what was drawn for review and shadow, and from what [retention] keeps. Proposals go to a file of their own, with `expected`
    left empty: fill it in, and move them to the suite. Nothing is added by itself, and a file in which something was filled in is left alone.
    """
    from undertow.adapters.suites.live_texts import read_live_texts
    from undertow.bootstrap.suite import read_suite_file, vectors_of
    from undertow.cli.atomic_write import write_atomically
    from undertow.services.suite_refresh import refresh as proposed

    path = Path(suite)
    target = Path(out) if out is not None else path.with_name(f"{path.stem}.proposed.jsonl")
    if target.resolve() == path.resolve():
        raise UsageError("--out: that is the suite itself; proposals go to a file of their own")
    _see_folder("--out", target)
    if _is_filled_in(target):
        raise UsageError(
            f"{target}: somebody has filled in `expected` there; move those cases to the suite first, or name another file with --out"
        )
    cases = read_suite_file(path)
    if not Path(store).is_dir():
        raise LogError(f"{store}: this is no folder; expected the root folder of a store")
    with progress_bar(shown=not as_json) as progress:
        live = read_live_texts(Path(store), progress)
        progress("comparing texts", 0, None)
        name, vectors, usual = vectors_of(by)
        found = proposed(cases, live, vectors, count=count, near=usual if near is None else near)
    content = b"".join(line + b"\n" for line in found.proposals)
    write_atomically(target, content, mode=FILE_MODE)
    _show_refresh(found, name, target, as_json=as_json)


def _is_filled_in(proposed: Path) -> bool:
    """Whether there is a file in which a person has filled in what is right: that is work which must not be lost."""
    import msgspec

    from undertow.records.unreadable import UNREADABLE

    try:
        lines = proposed.read_bytes().splitlines()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UsageError(f"{proposed}: cannot be read ({error.strerror}); name another file with --out") from None
    for line in lines:
        try:
            row = msgspec.json.decode(line, type=dict[str, object])
        except UNREADABLE:
            return bool(line.strip())  # not as it was written: somebody is at work on it
        if row.get("expected") not in ("", None) or "check" in row:
            return True
    return False


def _show_refresh(found: "Refresh", by: str, target: Path, *, as_json: bool) -> None:
    if as_json:
        document = {
            "schema": "undertow.suite-refresh/1",
            "covered_before": found.before,
            "covered_after": found.after,
            "texts": found.texts,
            "requests": found.requests,
            "by": by,
            "proposals": [
                {"segment": segment, "stands_for": share}
                for segment, share in zip(found.segments, found.stands_for, strict=True)
            ],
            "file": str(target),
        }
        click.echo(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False))
        return
    from undertow.reports import figures
    from undertow.reports.names import prose

    click.echo(
        f"{figures.percent(found.before)} of the traffic has a case near it (by {by}, {found.texts:,} different texts)"
    )
    for segment, share in zip(found.segments, found.stands_for, strict=True):
        labels = ", ".join(f"{key}={value}" for key, value in segment.items())
        click.echo(f"  {figures.percent(share):>7}  {prose(labels, 100) if labels else 'no labels'}")
    if not found.proposals:
        click.echo("nothing to propose: what is not covered is unlike anything else")
        return
    click.echo(
        f"with {figures.plural(len(found.proposals), 'proposed case')} it would be {figures.percent(found.after)}"
    )
    click.echo(f"wrote {target}: fill in `expected` and move the cases to the suite")


@command.command(
    "list",
    examples="""
    undertow suite list
    undertow suite list --store undertow-data/ --json
    """,
)
@_config
@_store
@_json
def list_runs(config: str | None, store: str | None, as_json: bool) -> None:
    """List the runs of all suites in a store, the latest last."""
    import msgspec

    from undertow.reports.suite import run_line

    book = _runs_of(config, store)
    heads = [head for name in book.suites() for head in book.heads(name)]
    if as_json:
        document = {"schema": "undertow.suite-runs/1", "runs": [msgspec.to_builtins(head) for head in heads]}
        click.echo(json.dumps(document, indent=1, ensure_ascii=False))
        return
    for head in heads:
        click.echo(run_line(head))
    if not heads:
        click.echo("no suite was run yet; `undertow suite run SUITE.jsonl` runs one")


@command.command(
    "show",
    examples="""
    undertow suite show support
    undertow suite show support --run 20260301T120000000Z-00ff00 --json
    """,
)
@click.argument("suite", metavar="NAME")
@click.option("--run", "run_id", metavar="RUN", help="Which run. Default: the last one.")
@_config
@_store
@_json
def show(suite: str, run_id: str | None, config: str | None, store: str | None, as_json: bool) -> None:
    """Show a run as it was told when it ended, beside the runs before it."""
    from undertow.config.load import load_settings
    from undertow.suites.verdict import report_on

    book = _runs_of(config, store)
    runs = book.runs(suite, MOST_RUNS, until=run_id)
    if not runs:
        raise LogError(f"suite {suite[:60]!r} has no run; `undertow suite list` shows what there is")
    monitors = _monitors(load_settings(settings_file(config, (store,) if store else ()), os.environ))
    report = report_on(runs, alpha=monitors.alpha, margin=monitors.margin, level=monitors.level)
    _show(report, _Files(as_json, None, None))


def _runs_of(config: str | None, store: str | None) -> "StoreRuns":
    from undertow.adapters.suites.runs import StoreRuns
    from undertow.config.load import load_settings

    if store is not None:
        if not Path(store).is_dir():
            raise LogError(f"{store}: this is no folder; expected the root folder of a store")
        return StoreRuns(Path(store))
    loaded = load_settings(settings_file(config, ()), os.environ)
    return StoreRuns(loaded.folder / loaded.settings.store.path)
