import json

import click
from click.testing import CliRunner

from review_factory import NOON, sampled, vote
from undertow.cli.review_report import MOST_ROWS, as_document, show_status, show_table
from undertow.records.review import SEED_PREFIX, Material, ReviewRules, SeededCase
from undertow.reviewing.cases import cases_of
from undertow.reviewing.resolving import tally_votes
from undertow.reviewing.status import review_status


def status(rows, votes=(), rules=None, **more):
    rules = rules or ReviewRules()
    material = Material(sampled=tuple(rows), votes=tuple(votes), **more)
    return review_status(material, cases_of(material, rules), tally_votes(votes, rules), (), rules, NOON + 2_000)


def shown(found):
    @click.command()
    def command():
        show_status(found)

    return CliRunner().invoke(command).output


def test_an_empty_review_is_told_without_a_table():
    text = shown(status([]))
    assert "today      0 of 200 labels" in text
    assert "reviewers" not in text
    assert "drawn and judged" not in text


def test_names_from_outside_do_no_harm():
    rows = [sampled("d", tier="ch\x1beap", segment={"intent": "a\nnote: all is well"}, stratum="tail\u202e")]
    votes = [vote("d", f"an{chr(7)}n\nnote: x", 1.0)]
    text = shown(status(rows, votes))
    assert not set(text) & set("\x1b\x07\u202e")
    assert "\nnote: all is well" not in text
    assert "\nnote: x" not in text


def test_short_segments_come_first_and_many_are_cut():
    rows = [sampled(f"d{i}", segment={"intent": f"i{i:03}"}) for i in range(60)]
    votes = [vote(f"d{i}") for i in range(30)] + [vote(f"d{i}", "bob") for i in range(30)]
    text = shown(status(rows, votes))
    assert "more; --json has them all" in text
    table = text.split("drawn and judged")[1].splitlines()[2:MOST_ROWS]
    assert all("too few" in line for line in table)


def test_agreement_seeds_and_reviewers_are_shown():
    seed = SeededCase(case_id=f"{SEED_PREFIX}1", prompt="?", answer="!", value=0.0)
    rows = [sampled(f"d{i}") for i in range(20)]
    votes = [vote(f"d{i}", rater, float(i % 3 > 0), seconds=9.0) for i in range(20) for rater in ("ann", "bob")]
    votes.append(vote(seed.case_id, "ann", 0.0, is_seeded=True))
    text = shown(status(rows, votes, ReviewRules(raters=2), seeds=(seed,)))
    assert "alpha 1.00 (95 % interval" in text
    assert "1 case; 1 of 1 known failures seen" in text
    assert "+0.00 (" in text


def test_the_document_is_json_without_surprises():
    document = as_document(status([sampled("d")], [vote("d")]))
    assert json.loads(json.dumps(document, allow_nan=False))["schema"] == "undertow.review/1"


def test_a_table_has_straight_columns():
    @click.command()
    def command():
        show_table([("a", "b"), ("日本", "x"), ("wider", "")])

    assert CliRunner().invoke(command).output == "  a      b\n  日本   x\n  wider\n"
