"""A cookie stands for a login only as it was given, by this run of the gateway, until it is over, ended, or its key is gone."""

import hashlib
import stat

import msgspec
import pytest

from undertow.dashboard.sessions import SECRET_BYTES, Sessions, open_sessions, secret_in
from undertow.records.runtime_files import UI_SECRET
from undertow.records.serving import KeyPlan

HASH = hashlib.sha256(b"ut_abcdefgh_x").hexdigest()
ADA = KeyPlan(name="ada", key_id="abcdefgh", sha256=HASH, ui="reviewer")
BOB = KeyPlan(name="bob", key_id="zyxwvuts", sha256=hashlib.sha256(b"other").hexdigest(), ui="operator")
SECRET = b"s" * SECRET_BYTES


class Clock:
    now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def sessions(clock, *keys, secret=SECRET):
    return Sessions(keys or (ADA, BOB), secret, 3600.0, clock)


def test_a_login_holds_until_it_is_over(clock):
    made = sessions(clock)
    token = made.begin(ADA)
    found = made.find(token)
    assert (found.name, found.role) == ("ada", "reviewer")
    clock.now += 3599
    assert made.find(token) is not None
    clock.now += 2
    assert made.find(token) is None


def test_each_login_has_a_token_of_its_own_for_forms(clock):
    made = sessions(clock)
    one, other = made.find(made.begin(ADA)), made.find(made.begin(ADA))
    assert one.csrf != other.csrf
    assert sessions(clock, secret=b"t" * SECRET_BYTES).csrf("x") != made.csrf("x")


def test_nothing_of_a_cookie_can_be_changed(clock):
    made = sessions(clock)
    token = made.begin(ADA)
    for place in range(len(token)):
        changed = token[:place] + ("0" if token[place] != "0" else "1") + token[place + 1 :]
        assert made.find(changed) is None, place
    key_id, until, nonce, signature = token.split(".")
    for forged in (
        f"zyxwvuts.{until}.{nonce}.{signature}", f"{key_id}.{int(until) + 9_999_999}.{nonce}.{signature}", f"{key_id}.{until}.{nonce}.",
        f"{key_id}.{until}.{nonce}", "", "...", "....", token + ".x", token + "0" * 300, "é" + token, f"{key_id}.-1.{nonce}.{signature}",
    ):  # fmt: skip
        assert made.find(forged) is None, forged


def test_a_login_is_of_one_run_and_of_one_key(clock):
    token = sessions(clock).begin(ADA)
    assert sessions(clock).find(token) is not None, "another process of the same run knows it"
    assert sessions(clock, secret=b"t" * SECRET_BYTES).find(token) is None
    assert sessions(clock, BOB).find(token) is None, "the key is gone"
    replaced = msgspec.structs.replace(ADA, sha256=BOB.sha256)
    assert sessions(clock, replaced).find(token) is None, "the key was replaced by another with its id"
    assert sessions(clock, msgspec.structs.replace(ADA, ui=None)).find(token) is None
    assert sessions(clock, msgspec.structs.replace(ADA, ui="viewer")).find(token).role == "viewer", (
        "the role of now holds"
    )


def test_a_login_that_was_ended_stays_ended_in_the_next_process(clock, tmp_path):
    made = open_sessions((ADA,), 3600.0, tmp_path, clock)
    token, other = made.begin(ADA), made.begin(ADA)
    made.end(token)
    made.end("nonsense")
    assert made.find(token) is None
    assert made.find(other) is not None
    again = open_sessions((ADA,), 3600.0, tmp_path, clock)
    assert again.find(token) is None
    assert again.find(other) is not None


def test_ended_logins_are_forgotten_once_they_would_be_over(clock, tmp_path):
    made = open_sessions((ADA,), 3600.0, tmp_path, clock)
    made.end(made.begin(ADA))
    clock.now += 7200
    made.end(made.begin(ADA))
    assert len(made._ended) == 1
    assert len(open_sessions((ADA,), 3600.0, tmp_path, clock)._ended) == 1


def test_the_secret_is_made_once_for_this_user_alone(tmp_path):
    made = secret_in(tmp_path)
    assert len(made) == SECRET_BYTES
    assert secret_in(tmp_path) == made
    assert stat.S_IMODE((tmp_path / UI_SECRET).stat().st_mode) == 0o600
    (tmp_path / UI_SECRET).write_bytes(b"cut")
    assert len(secret_in(tmp_path)) == SECRET_BYTES, "half a secret is none"


def test_without_a_key_that_opens_anything_there_are_no_logins(clock):
    assert not sessions(clock, msgspec.structs.replace(ADA, ui=None)).are_possible
    assert sessions(clock).are_possible
