"""Actions in the browser: what an operator says is written with his name, and nobody else says anything."""

from undertow.adapters.guard.book import StoreGuardBook
from undertow.records.guard import GuardMemory, TrailEntry
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


def test_a_suggestion_that_was_answered_meanwhile_is_not_answered_again(client, tmp_path):
    store = store_with(tmp_path, ASKED)
    one, two = client(ui(store)), client(ui(store))
    assert one.post("/ui/actions", {"do": "reject", "id": "a1b2c3", "why": "holiday"}).status == 303
    late = two.post("/ui/actions", {"do": "approve", "id": "a1b2c3"})
    assert late.status == 400
    assert [e.status for e in trail_of(store)] == ["suggested", "rejected"]


def test_a_segment_is_routed_back_by_hand(client, tmp_path):
    store = store_with(tmp_path)
    mine = client(ui(store))
    assert mine.post("/ui/actions", {"do": "route_back", "segment": "intent=fraud", "why": "rules changed"}).status == 303  # fmt: skip
    (entry,) = trail_of(store)
    assert (entry.kind, entry.segment, entry.who) == ("route_back", "intent=fraud", "ada")
    for wrong in ({"segment": ""}, {"segment": "no label"}):
        assert mine.post("/ui/actions", {"do": "route_back", "why": "x", **wrong}).status == 400
    assert len(trail_of(store)) == 1


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
    assert "the id of a line is missing" in mine.post("/ui/actions", {"do": "approve"}).text
    assert client(ui(None)).post("/ui/actions", {"do": "approve", "id": "a"}).status == 400


def test_the_trail_is_searched_and_taken_away(client, tmp_path):
    mine = client(ui(store_with(tmp_path, ASKED)))
    assert "Nothing was done yet that is like" in mine.get("/ui/actions?q=rollout").text
    rows = mine.get("/ui/actions?format=csv").text.splitlines()
    assert rows[0].startswith("at,who,kind,status")
    assert len(rows) == 2


def test_a_log_that_is_no_store_has_no_actions(client):
    assert "This log is no store." in client(ui(None)).get("/ui/actions").text
