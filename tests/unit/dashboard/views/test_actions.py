"""Actions in the browser: what an operator says is written with his name, and nobody else says anything."""

from datetime import UTC, datetime

import msgspec
import pytest

from undertow.actions.rollout import begin
from undertow.adapters.guard.book import StoreGuardBook
from undertow.adapters.guard.controls import guard_folder
from undertow.adapters.guard.versions import keep_version
from undertow.dashboard.views.actions import held
from undertow.policies.version import policy_version
from undertow.records.guard import Controls, GuardMemory, Pin, PolicyControls, Restriction, TrailEntry
from undertow.records.serving import PolicyPlan, RolloutPlan, ServingPlan, StorePlan, TierPlan
from unit.dashboard.conftest import FixedLog, made_ui
from unit.reports.factory import EVERY

AT = "2026-04-01T00:00:00.000Z"
ASKED = TrailEntry(
    id="a1b2c3", at=AT, who="guard", kind="route_back", status="suggested", segment="intent=billing", episode="e1",
    before="served by the policy", after="served by the capable tier", why="an alarm about <b>billing</b>",
)  # fmt: skip


def store_with(tmp_path, *entries):
    book = StoreGuardBook(tmp_path / "store")
    with book.locked():
        book.write(None, GuardMemory(at=AT), list(entries))
    return tmp_path / "store"


def served(tmp_path, at, **policy):
    """A version of the policy that has served; its hash."""
    tiers = (
        TierPlan(name="cheap", model="<i>small</i>", endpoints=()),
        TierPlan(name="capable", model="large", endpoints=()),
    )
    plan = PolicyPlan(**{"name": "auto", "version": "", "kind": "split", "tiers": ("cheap", "capable"), **policy})
    whole = ServingPlan(tiers=tiers, policies=(plan,), store=StorePlan(path=str(tmp_path / "store")))
    name = policy_version(plan, {tier.name: tier for tier in tiers}, whole.constraints, whole.holdout, ())
    keep_version(guard_folder(tmp_path / "store"), whole, msgspec.structs.replace(plan, version=name), at)
    return name


def ui(store, role="operator"):
    return made_ui(FixedLog(EVERY["pareto_trap"]()), store=store, role=role)


def trail_of(store):
    return StoreGuardBook(store).trail()


def test_a_suggestion_is_approved_with_a_name_and_a_reason_and_then_released(client, tmp_path):
    store = store_with(tmp_path, ASKED)
    mine = client(ui(store))
    page = mine.get("/ui/actions").text
    assert "1 suggestion for you" in page
    assert "&lt;b&gt;billing&lt;/b&gt;" in page
    answer = mine.post("/ui/actions", {"do": "approve", "id": "a1b2c3", "why": "seen in tickets"})
    assert (answer.status, answer.headers["location"]) == (303, "/ui/actions?note=approve")
    done = next(e for e in trail_of(store) if e.status == "done")
    assert (done.who, done.why, done.segment) == ("ada", "seen in tickets", "intent=billing")
    assert StoreGuardBook(store).controls().policies["auto"].restrictions[0].exposure == 0.0
    assert "1 restriction in force" in mine.get("/ui/actions").text
    mine.post("/ui/actions", {"do": "release", "id": done.id, "why": "mended"})
    assert "Nothing is restricted, and nothing waits" in mine.get("/ui/actions").text


def test_a_suggestion_that_was_answered_meanwhile_is_not_answered_again_and_says_who_did(client, tmp_path):
    store = store_with(tmp_path, ASKED)
    one, two = client(ui(store)), client(ui(store))
    assert one.post("/ui/actions", {"do": "reject", "id": "a1b2c3", "why": "holiday"}).status == 303
    late = two.post("/ui/actions", {"do": "approve", "id": "a1b2c3", "why": "seen"})
    assert late.status == 409
    assert "Nothing was done. Ada rejected that already, on " in late.text
    assert "Nothing is restricted, and nothing waits" in late.text, "and the page shows how things are"
    assert [e.status for e in trail_of(store)] == ["suggested", "rejected"]


@pytest.mark.parametrize("which", ["a1", "A1B2C3", "zzz", "<b>"])
def test_only_the_whole_id_of_a_line_that_is_there_hits_it(client, tmp_path, which):
    store = store_with(tmp_path, ASKED)
    late = client(ui(store)).post("/ui/actions", {"do": "approve", "id": which, "why": "x"})
    assert late.status == 409
    assert "has no line" in late.text
    assert len(trail_of(store)) == 1


def test_a_release_of_what_was_released_meanwhile_releases_nothing_else(client, tmp_path):
    store = store_with(tmp_path)
    mine = client(ui(store))
    for segment in ("intent=a", "intent=b"):
        mine.post("/ui/actions", {"do": "route_back", "segment": segment, "why": "x"})
    first, _ = trail_of(store)
    assert mine.post("/ui/actions", {"do": "release", "id": first.id, "why": "mended"}).status == 303
    again = mine.post("/ui/actions", {"do": "release", "id": first.id, "why": "mended"})
    assert again.status == 409
    assert "released that already" in again.text
    assert [r.segment for r in StoreGuardBook(store).controls().policies["auto"].restrictions] == ["intent=b"]


def test_while_another_process_writes_nothing_is_done(client, tmp_path):
    store = store_with(tmp_path, ASKED)
    with StoreGuardBook(store).locked() as is_mine:
        assert is_mine
        busy = client(ui(store)).post("/ui/actions", {"do": "approve", "id": "a1b2c3", "why": "x"})
    assert busy.status == 409
    assert "Another process changes what the guard holds in force" in busy.text
    assert len(trail_of(store)) == 1


def test_a_segment_is_routed_back_by_hand(client, tmp_path):
    store = store_with(tmp_path)
    mine = client(ui(store))
    assert mine.post("/ui/actions", {"do": "route_back", "segment": "intent=fraud", "why": "rules changed"}).status == 303  # fmt: skip
    (entry,) = trail_of(store)
    assert (entry.kind, entry.segment, entry.who) == ("route_back", "intent=fraud", "ada")
    for wrong in ({"segment": ""}, {"segment": "no label"}):
        assert mine.post("/ui/actions", {"do": "route_back", "why": "x", **wrong}).status == 400
    again = mine.post("/ui/actions", {"do": "route_back", "segment": "intent=fraud", "why": "x"})
    assert again.status == 409
    assert "is routed back already" in again.text
    assert len(trail_of(store)) == 1
    assert mine.post("/ui/actions", {"do": "route_back", "segment": "all", "why": "out of credit"}).status == 303
    assert trail_of(store)[-1].segment == ""


def test_only_operators_act_and_everybody_sees(client, tmp_path):
    store = store_with(tmp_path, ASKED)
    for role in ("viewer", "reviewer"):
        theirs = client(ui(store, role))
        page = theirs.get("/ui/actions").text
        assert "An operator answers this." in page
        assert '<form method="post"' not in page
        assert theirs.post("/ui/actions", {"do": "approve", "id": "a1b2c3"}).status == 403
    assert len(trail_of(store)) == 1


def test_what_cannot_be_done_is_said(client, tmp_path):
    mine = client(ui(store_with(tmp_path, ASKED)))
    assert "is nothing that can be done here" in mine.post("/ui/actions", {"do": "drop <table>", "id": "a"}).text
    assert "the id of a line is missing" in mine.post("/ui/actions", {"do": "approve", "why": "x"}).text
    for what in ("approve", "reject", "release", "route_back"):
        said = mine.post("/ui/actions", {"do": what, "id": "a1b2c3", "segment": "intent=a", "why": "  "})
        assert (said.status, "a reason is missing" in said.text) == (400, True)
    assert client(ui(None)).post("/ui/actions", {"do": "approve", "id": "a"}).status == 400


def test_the_trail_is_searched_and_taken_away(client, tmp_path):
    other = msgspec.structs.replace(ASKED, id="d4", who="=cmd", kind="tighten", status="done", segment="intent=fraud")
    mine = client(ui(store_with(tmp_path, ASKED, other)))
    assert "No line is like that." in mine.get("/ui/actions?q=rollout").text
    assert "2 lines in the trail" in mine.get("/ui/actions").text
    rows = mine.get("/ui/actions?format=csv").text.splitlines()
    assert rows[0].startswith("at,who,kind,status")
    assert len(rows) == 3
    assert ",'=cmd,tighten," in rows[2], "no cell is a formula"
    for query in ("q=fraud", "kind=tighten", "status=done", "by=people"):
        (_, row) = mine.get(f"/ui/actions?format=csv&{query}").text.splitlines()
        assert "intent=fraud" in row
    assert len(mine.get("/ui/actions?format=csv&kind=nonsense&by=<b>").text.splitlines()) == 3


def test_a_long_trail_comes_in_parts(client, tmp_path):
    lines = [msgspec.structs.replace(ASKED, id=f"x{i:04}", kind="hold", status="done", segment=f"n={i}") for i in range(150)]  # fmt: skip
    mine = client(ui(store_with(tmp_path, *lines)))
    page = mine.get("/ui/actions").text
    assert "50 older lines" in page
    assert "from=100" in page
    assert "n=149" in page
    older = mine.get("/ui/actions?from=100").text
    assert "n=49" in older
    assert "older line" not in older
    assert mine.get("/ui/actions?from=-1").status == mine.get("/ui/actions?from=99999999999999").status == 200


def test_a_rollout_is_shown_held_and_let_go_on_by_its_version(client, tmp_path):
    store = store_with(tmp_path, begin("auto", "v1", RolloutPlan(enabled=True), datetime(2026, 3, 1, tzinfo=UTC)))
    mine = client(ui(store))
    page = mine.get("/ui/actions").text
    assert "under way at 5" in page
    assert "Begin a rollout" in page
    assert "<svg" in page
    stale = mine.post("/ui/actions", {"do": "take_off", "policy": "auto", "version": "v0", "why": "tickets"})
    assert stale.status == 409
    assert "Version v1 is rolled out by now" in stale.text
    for what, said in (("pause", "held at 5"), ("resume", "under way at 5"), ("take_off", "nobody is exposed")):
        assert mine.post("/ui/actions", {"do": what, "policy": "auto", "version": "v1", "why": "x"}).status == 303
        assert said in mine.get("/ui/actions").text
    assert mine.post("/ui/actions", {"do": "pause", "policy": "auto", "version": "v1", "why": "x"}).status == 409


def test_versions_are_listed_and_compared(client, tmp_path):
    store = store_with(tmp_path)
    assert "No version is kept yet." in client(ui(store)).get("/ui/actions").text
    first = served(tmp_path, "2026-03-01T00:00:00Z", kind="cascade", threshold=0.5)
    mine = client(ui(store))
    page = mine.get("/ui/actions").text
    assert "Compare" not in page
    assert first in page
    second, third = (
        served(tmp_path, f"2026-03-{day}T00:00:00Z", kind="cascade", threshold=share)
        for day, share in ((10, 0.6), (20, 0.7))
    )
    page = mine.get("/ui/actions").text
    assert "<del>0.6</del>" in page, "the last change, unless others are asked for"
    assert "&lt;i&gt;small" in page
    page = mine.get(f"/ui/actions?before={first}&after={third}").text
    assert "policy.threshold" in page
    assert "<del>0.5</del>" in page
    same = mine.get(f"/ui/actions?before={second}&after={second}").text
    assert "do not differ in anything that decides" in same
    assert "is no version that has served" in mine.get(f"/ui/actions?before=<b>&after={third}").text


def test_what_the_trail_has_lost_is_shown_and_released(client, tmp_path):
    store = store_with(tmp_path)
    lost = PolicyControls(restrictions=(Restriction(segment="intent=x", exposure=0.0, source="gone1"),), pin=Pin(bad="v2", good="v1", source="gone2"))  # fmt: skip
    book = StoreGuardBook(store)
    with book.locked():
        book.write(Controls(version=3, at=AT, policies={"auto": lost}), GuardMemory(at=AT), [])
    assert {each.id for each in held((), book.controls())} == {"gone1", "gone2"}
    mine = client(ui(store))
    assert "has lost the line" in mine.get("/ui/actions").text
    assert mine.post("/ui/actions", {"do": "release", "id": "gone1", "why": "found"}).status == 303
    assert [r.source for r in book.controls().policies["auto"].restrictions] == []


def test_what_failed_is_told(client, tmp_path):
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    failed = msgspec.structs.replace(ASKED, at=now, status="failed", why="the disk is full")
    page = client(ui(store_with(tmp_path, failed))).get("/ui/actions").text
    assert "Could not be applied" in page
    assert "The disk is full. It is tried again" in page


def test_files_that_cannot_be_read_are_told_on_the_page(client, tmp_path):
    store = store_with(tmp_path, ASKED)
    for folder in (store / "state", guard_folder(store)):
        (folder / "guard.jsonl").write_bytes(b"no entry\n{}\n")
    answer = client(ui(store)).get("/ui/actions")
    assert answer.status == 503
    assert "no entry of the guard&#39;s trail" in answer.text
    assert "What is in force is not known" in answer.text


def test_a_store_that_cannot_be_written_changes_nothing(client, tmp_path):
    store = store_with(tmp_path, ASKED)
    for folder in (store / "state", guard_folder(store)):
        (folder / "guard.pending.json").mkdir()
    answer = client(ui(store)).post("/ui/actions", {"do": "approve", "id": "a1b2c3", "why": "x"})
    assert answer.status == 503
    assert "cannot be written" in answer.text
    assert len(trail_of(store)) == 1


def test_hostile_names_are_harmless(client, tmp_path):
    evil = msgspec.structs.replace(ASKED, segment="k=\u202e<script>alert(1)</script>" + "x" * 10_000, why="\x1b[31m<img src=x>", evidence={"<b>": "<i>", "n": None})  # fmt: skip
    page = client(ui(store_with(tmp_path, evil))).get("/ui/actions").text
    body = page.partition("<main")[2]
    assert "<script" not in body
    assert "<img" not in body
    assert "\u202e" not in page
    assert "\x1b" not in page
    assert len(page) < 60_000


def test_a_log_that_is_no_store_has_no_actions(client):
    assert "This log is no store." in client(ui(None)).get("/ui/actions").text
