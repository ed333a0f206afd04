import io
import json

import pytest
from rich.console import Console

from undertow.adapters.importers.result import ExplainedColumn, Explanation, MissingColumn, TierModel
from undertow.reports.explanation import explanation_json, render_explanation
from unit.reports.factory import HOSTILE


def explanation(name="spend"):
    return Explanation(
        format="litellm",
        columns=(ExplainedColumn("cost_usd", name, 0.985, "as logged"), ExplainedColumn("tier", name, 1.0)),
        missing=(MissingColumn("arm", name),),
        tiers=(
            TierModel("cheap", name, 1_200, 0.42, "list", "cheapest by price"),
            TierModel(None, "odd", 3, None, "", "no price and no name to go by"),
        ),
        signals={"thumb.helpful": 40},
    )


def shown(what, width=80):
    stream = io.StringIO()
    render_explanation(what, Console(file=stream, width=width))
    return stream.getvalue()


def test_it_says_what_became_what_what_is_missing_and_where_models_went():
    text = " ".join(shown(explanation()).split())
    for part in (
        "Format litellm",
        "cost_usd spend 98.5 % as logged",
        "arm spend",
        "cheap spend 1,200 $0.42 cheapest by price",
        "none odd 3 unknown no price",
        "thumb.helpful 40",
    ):
        assert part in text, part


def test_a_log_of_our_own_has_nothing_to_explain():
    assert "Nothing to explain" in " ".join(shown(None).split())
    assert json.loads(explanation_json(None))["format"] == "undertow"


def test_json_bears_every_field():
    found = json.loads(explanation_json(explanation()))
    assert found["schema"] == "undertow.explain/1"
    assert found["columns"][0] == {"column": "cost_usd", "source": "spend", "share": 0.985, "note": "as logged"}
    assert found["tiers"][1]["tier"] is None
    assert found["tiers"][1]["price_usd_per_mtok"] is None
    assert found["signals"] == {"thumb.helpful": 40}
    assert explanation_json(explanation()).endswith(b"}\n")


@pytest.mark.parametrize("name", [name for name in HOSTILE if "\ud800" not in name])
def test_hostile_names_neither_act_nor_break_the_table(name):
    text = shown(explanation(name), width=60)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert all(len(line) <= 80 for line in text.splitlines())
    json.loads(explanation_json(explanation(name)))
