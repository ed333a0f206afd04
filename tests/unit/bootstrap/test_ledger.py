import pytest

from undertow.bootstrap.audit import AuditRequest
from undertow.bootstrap.ledger import run_ledger
from undertow.errors import LogError


def test_a_log_that_is_not_there_is_said(tmp_path):
    with pytest.raises(LogError):
        run_ledger(AuditRequest((str(tmp_path / "nothing"),)))
