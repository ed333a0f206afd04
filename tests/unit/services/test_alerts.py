"""Looks become messages that wait, each once; what waits is delivered by one process, in order, and nothing is lost."""

import asyncio
import multiprocessing
import threading
from datetime import timedelta

import pytest

from alert_servers import DAY0, OK, alarm, answer, hang, hook, report
from undertow.adapters.alerts.alertmanager import AlertmanagerChannel
from undertow.adapters.alerts.book import StoreAlertBook
from undertow.adapters.alerts.http import Caller
from undertow.adapters.alerts.pagerduty import PagerDutyChannel
from undertow.adapters.alerts.webhook import WebhookChannel
from undertow.alerting.due import GIVE_UP_S, LEAST_TRIES
from undertow.records.alert import OUTBOX, TOLD, Delivery, Message, Silence, Silences
from undertow.records.guard import TrailEntry
from undertow.records.moment import rfc3339
from undertow.records.segment import Segment
from undertow.services.alerts import AlertRules, announce, deliver, hold, watching_stopped

RULES = AlertRules(("webhook",), 86_400.0, "https://u.example/ui")
BILLING = Segment("intent", "billing")


def at(hours):
    return DAY0 + timedelta(days=12, hours=hours)


class Clock:
    def __init__(self, hours=0.0):
        self.hours = hours

    def __call__(self):
        return at(self.hours)


def look(book, made, hours=0.0, trail=(), rules=RULES):
    return announce(made, trail, book, rules, "auto", at(hours))


def webhook(receiver, total_s=1.0):
    return WebhookChannel(Caller(allow_internal=True, total_s=total_s), receiver.url)


def run(book, channels, clock, jitter=0.5):
    return dict(asyncio.run(deliver(book, channels, clock, lambda: jitter)))


def test_one_trouble_is_one_message_however_often_it_is_seen_and_by_however_many_monitors(tmp_path):
    book = StoreAlertBook(tmp_path)
    made = report(alarm(), alarm(BILLING, monitor="shadow", detected=11, onset=(7, 9)))
    with hook(OK) as receiver:
        for hours in range(5):
            look(StoreAlertBook(tmp_path), made, hours)
            run(book, {"webhook": webhook(receiver)}, Clock(hours))
    assert len(receiver.requests) == 1
    assert receiver.documents[0]["kind"] == "alarm"


def test_what_was_done_is_told_with_it_and_by_itself(tmp_path):
    book = StoreAlertBook(tmp_path)
    episode = look(book, report(alarm(BILLING)), rules=AlertRules()).episodes.episodes[0]
    acted = TrailEntry(
        id="a1", at=rfc3339(at(0)), who="guard", kind="route_back", segment="intent=billing", episode=episode.id
    )
    found = look(book, report(alarm(BILLING)), 1, trail=(acted,))
    assert [each.kind for each in found.messages] == ["action"]
    again = look(book, report(alarm(BILLING)), 25, trail=(acted,))
    assert dict(again.messages[0].facts)["done"].startswith("requests go to the capable tier")
    assert again.episodes.episodes[0].actions == ("a1",)


def test_a_process_that_dies_before_it_noted_what_it_told_tells_nothing_twice(tmp_path):
    class Dying(StoreAlertBook):
        def write(self, **_):
            raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        look(Dying(tmp_path), report(alarm()))
    assert len(StoreAlertBook(tmp_path).waiting()) == 1
    look(StoreAlertBook(tmp_path), report(alarm()), 1)
    assert len(StoreAlertBook(tmp_path).waiting()) == 1


def test_a_read_only_store_is_said_and_announced_at_the_next_look(tmp_path):
    class ReadOnly(StoreAlertBook):
        def put(self, delivery):
            raise PermissionError(delivery.channel)

    with pytest.raises(PermissionError):
        look(ReadOnly(tmp_path), report(alarm()))
    assert len(look(StoreAlertBook(tmp_path), report(alarm()), 1).messages) == 1


def test_what_is_silenced_is_written_down_and_told_when_the_silence_ends(tmp_path):
    book = StoreAlertBook(tmp_path)
    book.write(silences=Silences(silences=(Silence(id="s1", until=rfc3339(at(2)), who="me"),)))
    assert look(book, report(alarm())).silenced == 1
    assert look(book, report(alarm()), 1).silenced == 0
    assert book.waiting() == ()
    assert [(line.outcome, line.error) for line in book.history(9)] == [("silenced", "silence s1 of me")]
    assert len(look(book, report(alarm()), 3).messages) == 1


def test_500_is_tried_again_later_and_later_and_then_delivered(tmp_path):
    book, clock = StoreAlertBook(tmp_path), Clock()
    look(book, report(alarm()))
    tried = []
    with hook(answer(500), answer(500), OK) as receiver:
        for second in range(0, 200, 5):
            clock.hours = second / 3600
            if run(book, {"webhook": webhook(receiver)}, clock):
                tried.append(second)
    assert tried == [0, 30, 90]
    assert [(line.outcome, line.attempts) for line in book.history(9)] == [("delivered", 3)]


def test_a_wish_to_wait_is_granted(tmp_path):
    book, clock = StoreAlertBook(tmp_path), Clock()
    look(book, report(alarm()))
    with hook(answer(429, "retry-after: 600"), OK) as receiver:
        run(book, {"webhook": webhook(receiver)}, clock)
        for minutes in (1, 5, 9.9):
            clock.hours = minutes / 60
            assert run(book, {"webhook": webhook(receiver)}, clock) == {}
        clock.hours = 10.1 / 60
        assert run(book, {"webhook": webhook(receiver)}, clock) == {"alerts_delivered": 1}


@pytest.mark.parametrize("step", [answer(400), answer(401), answer(410), answer(301, "location: http://127.0.0.1/")])
def test_what_would_be_answered_so_again_is_given_up_and_said(tmp_path, step):
    book = StoreAlertBook(tmp_path)
    look(book, report(alarm()))
    with hook(step) as receiver:
        assert run(book, {"webhook": webhook(receiver)}, Clock())["alerts_given_up"] == 1
        assert run(book, {"webhook": webhook(receiver)}, Clock(10)) == {}
    assert len(receiver.requests) == 1
    assert book.history(1)[0].outcome == "given_up"
    assert "status" in book.history(1)[0].error


def test_a_hanging_receiver_holds_up_no_other(tmp_path):
    book = StoreAlertBook(tmp_path)
    look(book, report(alarm()), rules=AlertRules(("webhook", "pagerduty")))
    with hook(hang) as slow, hook(answer(202)) as quick:
        channels = {
            "webhook": webhook(slow, total_s=0.5),
            "pagerduty": PagerDutyChannel(Caller(allow_internal=True), "KEY", quick.url),
        }
        assert run(book, channels, Clock()) == {"alerts_delivered": 1, "alerts_failed": 1}
    assert [each.channel for each in book.waiting()] == ["webhook"]
    assert "no answer" in book.waiting()[0].last_error


def test_the_end_is_not_told_before_the_begin(tmp_path):
    book, clock = StoreAlertBook(tmp_path), Clock()
    look(book, report(alarm()))
    with hook(answer(500), OK) as receiver:
        run(book, {"webhook": webhook(receiver)}, clock)
        within = (-0.01, 0.01)
        look(book, report(alarm(latest=within), until=20))
        look(book, report(alarm(latest=within), until=21))
        assert len(book.waiting()) == 2
        run(book, {"webhook": webhook(receiver)}, clock)
        assert len(receiver.requests) == 1
        clock.hours = 1
        run(book, {"webhook": webhook(receiver)}, clock)
    assert [each["resolves"] for each in receiver.documents] == [False, False, True]
    assert book.waiting() == ()


def test_giving_up_after_days_is_written_down(tmp_path):
    book, clock = StoreAlertBook(tmp_path), Clock()
    look(book, report(alarm()))
    days = 0
    with hook(answer(500)) as receiver:
        while book.waiting() and clock.hours < 24 * 10:
            clock.hours += 4
            days = clock.hours / 24
            counts = run(book, {"webhook": webhook(receiver)}, clock)
    assert GIVE_UP_S / 86_400 <= days < GIVE_UP_S / 86_400 + 0.5
    assert counts["alerts_given_up"] == 1
    assert book.history(1)[0].attempts >= LEAST_TRIES


def test_a_full_outbox_is_delivered_after_a_restart_whole_and_once(tmp_path):
    book = StoreAlertBook(tmp_path)
    for number in range(120):
        told = Message(id=f"m{number}", kind="action", severity="info", at=rfc3339(at(number / 3600)), title="t")
        book.put(Delivery(message=told, channel="webhook", due_at=told.at))
    del book
    with hook(OK) as receiver:
        assert run(StoreAlertBook(tmp_path), {"webhook": webhook(receiver)}, Clock(1))["alerts_delivered"] == 120
        assert run(StoreAlertBook(tmp_path), {"webhook": webhook(receiver)}, Clock(1)) == {}
    assert [each["id"] for each in receiver.documents] == [f"m{number}" for number in range(120)]
    assert list((tmp_path / OUTBOX).iterdir()) == []


def _keep(store, url, barrier):
    """A keeper: it looks and delivers."""
    from undertow.adapters.alerts.book import StoreAlertBook as Book

    channel = WebhookChannel(Caller(allow_internal=True), url)
    barrier.wait()
    for _ in range(10):
        book = Book(store)
        announce(report(alarm(), alarm(tier="middle")), (), book, RULES, "auto", at(0))
        asyncio.run(deliver(book, {"webhook": channel}, Clock(), lambda: 0.5))


def test_two_keepers_at_once_deliver_once(tmp_path):
    spawn = (
        multiprocessing.get_context("fork") if threading.active_count() == 1 else multiprocessing.get_context("spawn")
    )
    with hook(OK) as receiver:
        barrier = spawn.Barrier(2)
        both = [spawn.Process(target=_keep, args=(tmp_path, receiver.url, barrier)) for _ in range(2)]
        for each in both:
            each.start()
        for each in both:
            each.join(60)
    assert [each.exitcode for each in both] == [0, 0]
    assert len(receiver.requests) == 2
    assert len({each["id"] for each in receiver.documents}) == 2


def test_files_that_were_set_aside_are_counted(tmp_path):
    book = StoreAlertBook(tmp_path)
    look(book, report(alarm()))
    next((tmp_path / OUTBOX).glob("*.json")).write_bytes(b"{}")
    assert run(book, {}, Clock()) == {"alert_files_set_aside": 1}


def test_what_waits_for_a_channel_that_is_gone_waits_on(tmp_path):
    book = StoreAlertBook(tmp_path)
    look(book, report(alarm()))
    assert run(book, {}, Clock()) == {}
    assert book.waiting()[0].last_error == "the channel is not configured"
    with hook(OK) as receiver:
        assert run(book, {"webhook": webhook(receiver)}, Clock(1)) == {"alerts_delivered": 1}


def test_open_alerts_are_held_open_where_they_would_close_and_closed_ones_are_not(tmp_path):
    book = StoreAlertBook(tmp_path)
    rules = AlertRules(("alertmanager",))
    with hook(OK) as receiver:
        channel = AlertmanagerChannel(Caller(allow_internal=True), receiver.url, lambda: at(0))
        assert asyncio.run(hold(book, {"alertmanager": channel}, rules, at(0))) == {}
        look(book, report(alarm()), rules=rules)
        watching_stopped("keeper_gone", at(-1), book, rules, at(0))
        run(book, {"alertmanager": channel}, Clock())
        held = asyncio.run(hold(book, {"alertmanager": channel, "webhook": webhook(receiver)}, rules, at(0)))
        assert {name: sent.outcome for name, sent in held.items()} == {"alertmanager": "delivered"}
    *delivered, held = receiver.documents
    assert sorted(each["labels"]["episode"] for each in held) == sorted(
        one[0]["labels"]["episode"] for one in delivered
    )
    assert [each["labels"] for each in held] != []


def test_that_nobody_watches_is_told_in_spite_of_silences_and_resolved_once(tmp_path):
    book = StoreAlertBook(tmp_path)
    book.write(
        silences=Silences(silences=(Silence(id="s", until=rfc3339(at(99)), who="me", kinds=("watching_stopped",)),))
    )
    first = watching_stopped("keeper_gone", at(0), book, RULES, at(1))
    assert watching_stopped("keeper_gone", at(0.5), book, RULES, at(1.1)) is None
    over = watching_stopped(None, at(2), book, RULES, at(2))
    assert watching_stopped(None, at(3), book, RULES, at(3)) is None
    assert [first.kind, over.kind] == ["watching_stopped", "resolved"]
    assert len(book.waiting()) == 2


def test_where_what_was_told_is_lost_repeats_go_on_and_nothing_is_told_twice(tmp_path):
    book = StoreAlertBook(tmp_path)
    with hook(OK) as receiver:
        channels = {"webhook": webhook(receiver)}
        for day in range(3):
            assert watching_stopped("keeper_gone", at(0), book, RULES, at(24 * day)) is not None
            look(book, report(alarm(BILLING)), 24 * day)
            run(book, channels, Clock(24 * day))
        assert len(receiver.requests) == 6
        (tmp_path / TOLD).unlink()
        assert watching_stopped("keeper_gone", at(0), book, RULES, at(60)) is None
        assert look(book, report(alarm(BILLING)), 60).messages == ()
        (tmp_path / TOLD).unlink()
        assert watching_stopped("keeper_gone", at(0), book, RULES, at(72)) is not None
        assert [each.kind for each in look(book, report(alarm(BILLING)), 72).messages] == ["alarm"]
        run(book, channels, Clock(72))
        assert len(receiver.requests) == 8


class Broken:
    async def send(self, _message):
        raise KeyError("a fault of the channel")

    async def hold(self, _messages):
        return None


def test_a_fault_of_one_channel_cuts_off_no_other_and_is_raised(tmp_path):
    book = StoreAlertBook(tmp_path)
    look(book, report(alarm()), rules=AlertRules(("slack", "webhook")))
    with hook(OK) as receiver, pytest.raises(KeyError):
        run(book, {"slack": Broken(), "webhook": webhook(receiver)}, Clock())
    assert len(receiver.requests) == 1
    assert [each.channel for each in book.waiting()] == ["slack"]
