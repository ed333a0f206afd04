"""Sources, index and log put together."""

import json

import pytest

from outcome_factory import HEADER, NOW, decision, drop, files_plan, stamp, write_decisions
from undertow.adapters.outcomes.database import DatabaseRows
from undertow.adapters.outcomes.files import DroppedFiles
from undertow.bootstrap.outcomes import (
    PullOptions,
    id_key_of,
    outcome_status,
    pull_sources,
    source_of,
    unjoined,
    windows_of,
)
from undertow.config.settings import Settings
from undertow.errors import ConfigError, DataError
from undertow.records.outcome import LOCK
from undertow.records.pseudonym import pseudonym
from undertow.records.serving import SourcePlan, StorePlan

KEY = b"secret"
ENV = {"ID_KEY": "secret"}
PLAIN = PullOptions()


def pull(tmp_path, *plans, options=PLAIN, id_key_env=None, env=None, now=NOW):
    store = StorePlan(path=str(tmp_path / "store"), id_key_env=id_key_env)
    return pull_sources(store, plans, options, env=env or {}, now=lambda: now)


def lines(tmp_path):
    return [
        json.loads(line)
        for path in sorted((tmp_path / "store" / "signals" / "open").iterdir())
        for line in path.read_text().splitlines()
    ]


def test_ids_are_the_pseudonyms_that_the_gateway_writes(tmp_path):
    drop(tmp_path / "t.csv", f"id,created_at,user_id,conversation_id\n1,{stamp(1)},u1,\n2,{stamp(1)},,c1\n")
    (done,) = pull(tmp_path, files_plan(tmp_path / "t.csv"), id_key_env="ID_KEY", env=ENV)
    assert done.accepted == 2
    text = json.dumps(lines(tmp_path))
    assert pseudonym("u1", KEY) in text
    assert '"u1"' not in text
    assert "ticket/1" not in text, "what a row is named by may be anything"
    write_decisions(tmp_path / "store", [decision(1, 0, key=KEY)])
    (found,) = outcome_status(tmp_path / "store", Settings(), NOW).joins
    assert found.joined == {"decision": 0, "conversation": 1, "user": 1}


def test_a_row_without_an_id_of_its_own_cannot_be_guessed_from_its_signal(tmp_path):
    drop(tmp_path / "t.csv", f"created_at,user_id\n{stamp(1)},u1\n")
    pull(tmp_path, files_plan(tmp_path / "t.csv"))
    pull(tmp_path, files_plan(tmp_path / "t.csv", name="other"), id_key_env="ID_KEY", env=ENV)
    plain, keyed = lines(tmp_path)
    assert plain["signal_id"].split("/")[-1] not in keyed["signal_id"]


def test_a_key_that_is_named_and_not_set_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="ID_KEY, which is not set"):
        pull(tmp_path, id_key_env="ID_KEY")
    assert id_key_of("ID_KEY", ENV) == KEY


def test_only_what_is_due_is_pulled(tmp_path):
    drop(tmp_path / "t.csv", HEADER + f"1,{stamp(1)},u1,1\n")
    plan = files_plan(tmp_path / "t.csv")
    assert len(pull(tmp_path, plan, options=PullOptions(only_due=True))) == 1
    assert len(pull(tmp_path, plan, options=PullOptions(only_due=True))) == 0
    assert len(pull(tmp_path, plan)) == 1


def test_two_at_once_is_refused(tmp_path):
    from undertow.adapters.one_writer import alone

    with alone(tmp_path / "store" / LOCK), pytest.raises(DataError, match="another process is pulling"):
        pull(tmp_path, files_plan(tmp_path))


@pytest.mark.parametrize(
    ("kind", "type_"),
    [("files", DroppedFiles), ("zendesk", DroppedFiles), ("intercom", DroppedFiles), ("sql", DatabaseRows)],
)
def test_each_kind_has_its_reader(kind, type_):
    assert isinstance(source_of(SourcePlan(name="crm", kind=kind), {}, None), type_)


def test_the_status_of_a_store_that_was_never_pulled_into_writes_nothing(tmp_path):
    write_decisions(tmp_path / "store", [decision(1, 0)])
    before = sorted(tmp_path.rglob("*"))
    found = outcome_status(tmp_path / "store", Settings(), NOW)
    assert (dict(found.sources), found.joins) == ({}, ())
    assert sorted(tmp_path.rglob("*")) == before


def test_the_status_tells_sources_and_joins(tmp_path):
    write_decisions(tmp_path / "store", [decision(1, 0)])
    drop(tmp_path / "t.csv", HEADER + f"1,{stamp(1)},u1,1\n2,{stamp(1)},u9,1\n3,soon,u1,1\n")
    pull(tmp_path, files_plan(tmp_path / "t.csv"))
    settings = Settings(outcomes={"ticket": {"usd": 12.0, "attribution_days": 3.0}})
    found = outcome_status(tmp_path / "store", settings, NOW)
    assert found.sources["crm"].accepted == 2
    assert found.set_aside == {"crm": {"bad_time": 1}}
    assert (found.joins[0].attribution_days, found.joins[0].is_priced, found.joins[0].waiting) == (3.0, True, 1)
    assert [row.id for row in unjoined(tmp_path / "store", settings, 9)] == ["u9"]
    assert windows_of(settings)[0].attribution_days == 3.0
