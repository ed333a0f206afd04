"""The public API is a list that changes on purpose only."""

import importlib

import pytest

import undertow

PUBLIC = [
    "AnswerError",
    "AsyncClient",
    "AuditReport",
    "AuditRequest",
    "Client",
    "UndertowError",
    "__version__",
    "run_audit",
]


def test_the_public_names_are_these_and_no_others():
    assert sorted(undertow.__all__) == sorted(PUBLIC)
    assert dir(undertow) == sorted(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_can_be_had_and_is_documented(name):
    value = getattr(undertow, name)
    assert name == "__version__" or value.__doc__


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(AttributeError, match="public names: AnswerError, AsyncClient"):
        _ = undertow.AuditReprot


def test_the_version_is_that_of_the_installed_package():
    assert importlib.metadata.version("undertow") == undertow.__version__
