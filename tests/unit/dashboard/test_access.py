"""Roles: each may do what those before it may, and no more."""

from types import SimpleNamespace

import pytest

from undertow.dashboard.access import RANKS, ForbiddenError, Person, needs


@pytest.mark.parametrize(("role", "may"), [("viewer", 1), ("reviewer", 2), ("operator", 3)])
def test_a_role_may_do_what_those_before_it_may(role, may):
    person = Person("ada", role, "")
    assert sum(person.may(other) for other in RANKS) == may


def test_who_may_not_is_told_what_it_needs():
    asked = SimpleNamespace(state=SimpleNamespace(person=Person("ada", "viewer", "")))
    assert needs(asked, "viewer").name == "ada"
    with pytest.raises(ForbiddenError, match="needs the role operator; yours is viewer"):
        needs(asked, "operator")
