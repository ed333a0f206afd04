"""What implements the protocols has their methods, with their parameters."""

import inspect

import pytest

from undertow.adapters.reviews.day_log import StoreDayLog
from undertow.adapters.reviews.store import StoreReviews
from undertow.ports.review import DayLog, ReviewStore


@pytest.mark.parametrize(("port", "made"), [(ReviewStore, StoreReviews), (DayLog, StoreDayLog)])
def test_the_adapter_has_every_method_of_the_port(port, made):
    wanted = {
        name: value for name, value in vars(port).items() if inspect.isfunction(value) and not name.startswith("_")
    }
    assert wanted
    for name, method in wanted.items():
        assert list(inspect.signature(getattr(made, name)).parameters) == list(inspect.signature(method).parameters)
