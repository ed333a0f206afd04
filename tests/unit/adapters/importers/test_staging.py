from undertow.adapters.importers.rows import Context, Decision, Signal
from undertow.adapters.importers.staging import Staging, merge


def decision(identity, second=0, **more):
    return Decision({"decision_id": identity, "event_time": f"2026-08-01T12:00:{second:02d}Z"}, **more)


def test_ids_with_tabs_quotes_and_line_ends_survive(tmp_path):
    odd = 'a\t"b"\n\\c\u2028ü'
    with Staging(tmp_path / "s") as staging:
        staging.add_decision(decision(odd, aliases=(f"trace:{odd}",), context=(odd,)))
        staging.add_context(Context(odd, {"user_id": odd}))
        staging.add_signal(
            Signal({"signal_id": odd, "event_time": "2026-08-01T12:00:00Z"}, refs=("span:none", f"trace:{odd}"))
        )
        ((packed, contexts),) = staging.decisions(latest_wins=True)
        assert merge(packed, contexts)["r"] == {
            "decision_id": odd,
            "event_time": "2026-08-01T12:00:00Z",
            "user_id": odd,
        }
        ((_, _, answer),) = staging.signals(latest_wins=False)
        assert answer == odd
    assert not (tmp_path / "s").exists()


def test_the_first_reference_that_is_known_wins_and_an_alias_means_its_last_decision(tmp_path):
    with Staging(tmp_path / "s") as staging:
        staging.add_decision(decision("late", 9, aliases=("trace:t",)))
        staging.add_decision(decision("early", 1, aliases=("trace:t", "span:x")))
        for name, refs in (("a", ("trace:t",)), ("b", ("span:x", "trace:t")), ("c", ("span:gone",))):
            staging.add_signal(Signal({"signal_id": name, "event_time": "2026-08-01T12:00:00Z"}, refs=refs))
        assert [answer for _, _, answer in staging.signals(latest_wins=False)] == ["late", "early", None]


def test_order_is_kept_and_the_highest_version_wins(tmp_path):
    with Staging(tmp_path / "s") as staging:
        for n in range(50):
            staging.add_decision(decision(f"d{n % 10}", version=float(n)))
        found = [packed["r"]["decision_id"] for packed, _ in staging.decisions(latest_wins=True)]
    assert found == [f"d{n}" for n in range(10)]


def test_contexts_fill_gaps_in_order_and_unite_labels():
    packed = {"r": {"decision_id": "d", "user_id": "own", "segment": {"a": "own"}}, "n": (), "v": None}
    contexts = [
        {
            "r": {"user_id": "x", "conversation_id": "first", "segment": {"a": "x", "b": "x"}},
            "n": ("m",),
            "v": "p",
            "c": (),
        },
        {"r": {"conversation_id": "second"}, "n": ("other",), "v": None, "c": ()},
    ]
    merged = merge(packed, contexts)
    assert merged["r"] == {
        "decision_id": "d",
        "user_id": "own",
        "conversation_id": "first",
        "segment": {"a": "own", "b": "x"},
    }
    assert (merged["n"], merged["v"]) == (("m",), "p")


def test_what_lies_in_the_folder_already_is_left_alone(tmp_path):
    (tmp_path / "keep").write_text("x")
    with Staging(tmp_path):
        pass
    assert (tmp_path / "keep").read_text() == "x"
