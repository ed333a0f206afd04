"""Lines of the audit trail for people: what the file says, in words, and nothing that acts."""

import msgspec

from undertow.dashboard.trail import HEADING, KINDS, MAX_EVIDENCE, TrailFilter, filter_of, line_of, read_moment, rows
from undertow.records.guard import TrailEntry

ENTRY = TrailEntry(
    id="a1", at="2026-04-01T00:00:00.000Z", who="ada", kind="route_back", segment="intent=billing", why="tickets",
    evidence={"loss": 0.08125, "labels": 12345.0, "version": "v1", "nothing": None},
)  # fmt: skip


def test_every_kind_has_words():
    assert set(KINDS) == set(msgspec.inspect.type_info(TrailEntry).fields[3].type.values)


def test_a_line_says_what_stands_in_the_file():
    line = line_of(ENTRY)
    assert (line.place, line.is_by_guard, line.is_bad) == ("intent=billing", False, False)
    assert dict(line.evidence) == {"loss": "0.0813", "labels": "12,345", "version": "v1", "nothing": "–"}
    assert line_of(msgspec.structs.replace(ENTRY, who="guard", status="failed")).is_bad


def test_a_time_that_is_none_and_evidence_without_end():
    line = line_of(msgspec.structs.replace(ENTRY, at="yesterday", evidence={f"n{i}": float(i) for i in range(500)}))
    assert line.at is None
    assert len(line.evidence) == MAX_EVIDENCE
    assert read_moment("") is None


def test_filters_are_read_from_an_address_and_nonsense_is_left_open():
    asked = filter_of({"q": " Billing ", "kind": "route_back", "status": "done", "by": "people", "policy": "auto"})
    assert asked == TrailFilter("Billing", "route_back", "done", "auto", "people")
    assert asked.keeps(ENTRY)
    assert not asked.keeps(msgspec.structs.replace(ENTRY, who="guard"))
    assert not asked.keeps(msgspec.structs.replace(ENTRY, policy="other"))
    assert filter_of({"kind": "<b>", "status": "x", "by": "me"}).is_open
    assert len(filter_of({"q": "x" * 10_000}).q) == 200


def test_rows_fit_their_heading():
    (row,) = rows([ENTRY])
    assert len(row) == len(HEADING)
    assert dict(zip(HEADING, row, strict=True))["evidence"].startswith("loss=0.08125; labels=12345.0")
