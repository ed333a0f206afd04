"""Every book of the guard passes the list."""

import pytest

from conformance.check_guard_book import CHECKS
from undertow.adapters.guard.book import StoreGuardBook


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_book_of_a_store(check, tmp_path):
    check(lambda: StoreGuardBook(tmp_path / "store"))
