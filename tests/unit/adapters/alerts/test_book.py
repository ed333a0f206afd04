"""What waits survives whatever happens to the process, and what cannot be read is set aside and counted."""

import os
import signal
import subprocess
import sys
import time

import msgspec

from undertow.adapters.alerts.book import StoreAlertBook
from undertow.alerting.messages import of_test
from undertow.records.alert import (
    DELIVERED,
    EPISODES,
    OUTBOX,
    SILENCES,
    TOLD,
    Delivered,
    Delivery,
    Episodes,
    Silence,
    Silences,
    Told,
)

AT = "2026-03-01T00:00:00.000Z"


def delivery(at=AT, channel="slack"):
    return Delivery(message=of_test(at, "me"), channel=channel, due_at=at)


def line(of, outcome="delivered"):
    return Delivered(at=AT, message=of.message.id, kind="test", title="t", channel=of.channel, outcome=outcome)


def test_what_is_put_waits_once_oldest_first_and_is_settled_for_good(tmp_path):
    book = StoreAlertBook(tmp_path)
    later, first = delivery("2026-03-02T00:00:00.000Z"), delivery()
    assert book.put(later)
    assert book.put(first)
    assert not book.put(first)
    assert book.put(delivery(channel="email"))
    assert [(each.message.id, each.channel) for each in book.waiting()] == [
        (first.message.id, "email"), (first.message.id, "slack"), (later.message.id, "slack"),
    ]  # fmt: skip
    book.settle(first, line(first))
    assert first not in book.waiting()
    assert not book.put(first)
    assert StoreAlertBook(tmp_path).put(first) is False


def test_what_was_settled_when_the_process_died_is_not_sent_again(tmp_path):
    book = StoreAlertBook(tmp_path)
    book.put(delivery())
    book.note(line(delivery()))  # killed between the line and the removal
    assert StoreAlertBook(tmp_path).waiting() == ()
    assert list((tmp_path / OUTBOX).iterdir()) == []


def test_a_failed_try_is_kept(tmp_path):
    book = StoreAlertBook(tmp_path)
    book.put(delivery())
    book.retry(msgspec.structs.replace(delivery(), attempts=3, last_error="status 500"))
    assert StoreAlertBook(tmp_path).waiting()[0].attempts == 3


def test_documents_are_kept_and_private(tmp_path):
    book = StoreAlertBook(tmp_path)
    with book.changing():
        book.write(
            episodes=Episodes(at="x"), told=Told(), silences=Silences(silences=(Silence(id="s", until=AT, who="me"),))
        )
    again = StoreAlertBook(tmp_path)
    assert again.episodes().at == "x"
    assert again.silences().silences[0].who == "me"
    assert oct((tmp_path / EPISODES).stat().st_mode)[-3:] == "640"


def test_files_that_cannot_be_read_are_set_aside_counted_and_begin_anew(tmp_path):
    book = StoreAlertBook(tmp_path)
    book.put(delivery())
    for name in (EPISODES, SILENCES, TOLD, f"{OUTBOX}/garbage.json"):
        (tmp_path / name).write_bytes(b"[" * 5000)
    strange = tmp_path / OUTBOX / "renamed.json"
    strange.write_bytes(next((tmp_path / OUTBOX).glob("*[0-9a-f].json")).read_bytes())
    assert book.episodes().episodes == ()
    assert book.silences().silences == ()
    assert book.told().told == {}
    assert len(book.waiting()) == 1
    assert book.set_aside == 5
    assert book.waiting()
    assert book.set_aside == 5
    assert len(list((tmp_path / "state/alerts").rglob("*.unreadable-*"))) == 5


def test_a_cut_line_spoils_no_other_and_the_latest_come_first(tmp_path):
    book = StoreAlertBook(tmp_path)
    book.note(line(delivery()))
    with (tmp_path / DELIVERED).open("ab") as file:
        file.write(b'{"at": "cut')
    book.note(line(delivery(channel="email")))
    assert [each.channel for each in book.history(10)] == ["email", "slack"]
    assert len(book.history(1)) == 1


def test_one_delivers_at_a_time_and_a_change_waits_for_nobody_who_delivers(tmp_path):
    one, other = StoreAlertBook(tmp_path), StoreAlertBook(tmp_path)
    with one.delivering() as is_mine, other.delivering() as is_theirs, other.changing():
        assert (is_mine, is_theirs) == (True, False)
    with other.delivering() as is_theirs:
        assert is_theirs


def test_kill_9_in_the_middle_of_writing_leaves_whole_files(tmp_path):
    script = f"""
import sys
from pathlib import Path
from undertow.adapters.alerts.book import StoreAlertBook
from undertow.alerting.messages import of_test
from undertow.records.alert import Delivery
book = StoreAlertBook(Path({str(tmp_path)!r}))
print("go", flush=True)
for number in range(100_000):
    book.put(Delivery(message=of_test(f"2026-03-01T00:00:00.{{number:06}}Z", "me"), channel="slack", due_at=""))
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    process.stdout.readline()
    time.sleep(0.4)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    book = StoreAlertBook(tmp_path)
    assert len(book.waiting()) > 0
    assert book.set_aside == 0
