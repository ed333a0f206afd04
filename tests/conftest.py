"""What all tests share: the tables beside the project, and the rule for tests that cannot run here."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A property that is slow on a busy machine is not wrong: no test asserts a time.
settings.register_profile("undertow", deadline=None)
settings.load_profile("undertow")

PROJECT = Path(__file__).resolve().parent.parent

LONG = frozenset({("tests", "integration"), ("tests", "stories"), ("tests", "statistical")})
"""Folders of tests that start servers or repeat something thousands of times."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long ones first, each half in the order that was drawn: so no process is left alone with one at the end."""
    items.sort(key=lambda item: Path(os.path.relpath(item.path, PROJECT)).parts[:2] not in LONG)


def require(condition: bool, reason: str) -> None:
    """Skip the running test with `reason` unless `condition`; fail it under UNDERTOW_REQUIRE=all.

    Continuous integration sets that variable, so that a test which silently stopped running is seen there.
    """
    if condition:
        return
    if os.environ.get("UNDERTOW_REQUIRE") == "all":
        pytest.fail(f"UNDERTOW_REQUIRE=all, but {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def project_dir() -> Path:
    """The project's root folder."""
    return PROJECT


@pytest.fixture
def shared_dir() -> Path:
    """The folder of real tables and samples beside the project. Tests read it in place and never copy from it."""
    folder = PROJECT.parent / "shared"
    require(folder.is_dir(), f"the folder {folder.name!r} of real samples is not beside the project")
    return folder


@pytest.fixture(autouse=True)
def _no_undertow_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own UNDERTOW_* settings must not change what a test sees."""
    for name in [name for name in os.environ if name.startswith("UNDERTOW_") and name != "UNDERTOW_REQUIRE"]:
        monkeypatch.delenv(name)
