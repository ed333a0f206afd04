"""What a dashboard is told of a request that a worker passed on."""

import asyncio

import pytest

from undertow.cli.ui_server import Application, as_asked, log_view
from undertow.config.settings import Settings
from undertow.records.runtime_files import UI_PEER_HEADER

TOLD = UI_PEER_HEADER.encode()


def scope(*headers, client=("", 0)):
    return {"type": "http", "headers": [(b"host", b"x"), *headers], "client": client}


def test_a_request_is_from_the_address_that_the_worker_tells_which_pages_do_not_see():
    found = as_asked(scope((TOLD, b"10.0.0.7")))
    assert found["client"] == ("10.0.0.7", 0)
    assert found["headers"] == [(b"host", b"x")]


@pytest.mark.parametrize("headers", [(), ((TOLD, b"127.0.0.1"), (TOLD, b"10.0.0.7")), ((TOLD, b""),)])
def test_without_one_clear_address_it_is_from_nowhere(headers):
    found = as_asked(scope(*headers, client=("127.0.0.1", 9)))
    assert found["client"] in {None, ("", 0)}
    assert TOLD not in dict(found["headers"])


@pytest.mark.parametrize(("is_behind", "expected"), [(True, ("10.0.0.7", 0)), (False, ("192.0.2.1", 9))])
def test_only_behind_workers_is_a_told_address_believed(is_behind, expected):
    seen = []

    async def app(found, receive, send):
        seen.append(found["client"])

    application = Application(app, is_behind_workers=is_behind)
    asyncio.run(application(scope((TOLD, b"10.0.0.7"), client=("192.0.2.1", 9)), None, None))
    assert seen == [expected]
    assert application.record_refused(400, "broken") is None


def test_the_log_is_read_as_an_audit_reads_it_and_looked_at_as_often_as_asked(tmp_path):
    (tmp_path / "decisions").mkdir()
    view = log_view(str(tmp_path), Settings(), tmp_path, {}, log_format="undertow", refresh_s=7.0)
    assert view.seen is None
    assert view.as_of is not None
