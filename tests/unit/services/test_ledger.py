"""The book of a simulated incident: the same total as the audit, lines that say where, and what cannot be told without a holdout."""

from dataclasses import replace

import pytest
from click.testing import CliRunner

from undertow.bootstrap.audit import AuditRequest, audit_settings, outcome_prices, read_cells
from undertow.cli.main import main
from undertow.config.load import load_settings
from undertow.services.ledger import make_book


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ledger") / "log"
    arguments = ["simulate", "support", "--out", str(folder), "--weeks", "12", "--queries-per-day", "1500", "-q"]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    return folder


@pytest.fixture(scope="module")
def request_(log):
    return AuditRequest((str(log),), settings=load_settings(log / "undertow.toml", {}).settings)


@pytest.fixture(scope="module")
def cells(request_):
    return read_cells(request_, money=True)


@pytest.fixture(scope="module")
def book(request_, cells):
    return make_book(cells, audit_settings(request_), outcome_prices(request_.settings))


def test_the_one_number_has_an_interval_and_a_beginning(book):
    assert book.causal is True
    low, high = book.net_interval
    assert low < book.net_usd_month < high
    assert book.since is not None


def test_months_add_up_to_the_whole(book):
    months = [line for line in book.lines if line.place.kind == "whole" and line.month and line.tier is None]
    [whole] = [line for line in book.lines if line.place.kind == "whole" and line.month is None and line.tier is None]
    assert sum(line.decisions for line in months) == whole.decisions
    assert sum(line.savings_usd for line in months) == pytest.approx(whole.savings_usd, rel=0.01)


def test_there_are_lines_of_segments_versions_and_tiers(book):
    kinds = {line.place.kind for line in book.lines}
    assert kinds == {"whole", "segment", "version"}
    assert {line.tier for line in book.lines if line.tier} == {"cheap", "capable"}


def test_without_a_holdout_no_line_claims_a_downstream_cost(request_, cells):
    blind = replace(cells, exposure=replace(cells.exposure, arm=cells.exposure.arm * 0))
    book = make_book(blind, audit_settings(request_), outcome_prices(request_.settings))
    assert book.causal is False
    assert all(line.downstream_usd is None for line in book.lines)
    assert any("set [holdout] share" in note for note in book.notes)


def test_an_outcome_without_a_price_is_named(request_, cells):
    book = make_book(cells, audit_settings(request_), ())
    assert set(book.unpriced) == set(cells.outcome_names)
    assert book.net_usd_month is None
