import asyncio
import sys
import threading

import pytest

from undertow.adapters.suites.functions import SuiteFunction, load_check
from undertow.errors import ConfigError
from undertow.records.suite import Check, SuiteCase

CASE = SuiteCase(
    case_id="a", messages=({"role": "user", "content": "q"},), segment={"k": "v"}, tags=("t",),
    check=Check(kind="function", function="m:f"),
)  # fmt: skip


def call(function, timeout_s=5.0):
    return asyncio.run(SuiteFunction("m:f", function, timeout_s).call("answer", CASE))


def test_a_function_gets_the_answer_and_the_case():
    told = {"id": "a", "messages": [{"role": "user", "content": "q"}], "segment": {"k": "v"}, "tags": ["t"]}
    assert call(lambda answer, case: (answer, case)) == ("answer", told)


@pytest.mark.parametrize(("raised", "seen"), [(ValueError, ValueError), (StopIteration, RuntimeError)])
def test_what_it_raises_comes_to_who_waits(raised, seen):
    def check(answer, case):
        raise raised

    with pytest.raises(seen):
        call(check)


def test_one_that_hangs_is_left_alone():
    release = threading.Event()
    try:
        with pytest.raises(TimeoutError):
            call(lambda *_: release.wait(30), timeout_s=0.05)
    finally:
        release.set()


def test_a_function_that_was_edited_is_another_grader(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    graders = []
    for body in ("return True", "return False"):
        (tmp_path / "my_checks.py").write_text(f"def check(answer, case):\n    {body}\n")
        sys.modules.pop("my_checks", None)
        import importlib
        import linecache

        importlib.invalidate_caches()
        linecache.clearcache()
        graders.append(load_check("my_checks:check").grader)
    sys.modules.pop("my_checks", None)
    assert graders[0].startswith("function:my_checks:check#")
    assert graders[0] != graders[1]


@pytest.mark.parametrize("name", ["no_such_module:f", "json:no_such", "json:__name__"])
def test_what_cannot_be_called_is_refused(name):
    with pytest.raises(ConfigError, match=r"check\.function"):
        load_check(name)
