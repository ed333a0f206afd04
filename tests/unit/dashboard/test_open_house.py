"""Without keys everybody is one person, with one token for forms."""

from undertow.dashboard.access import Person
from undertow.dashboard.open_house import OpenHouse


def test_everybody_is_one_person():
    house = OpenHouse("ada", "operator", "t")
    assert house.person(None) == house.person(None) == Person("ada", "operator", "t")
