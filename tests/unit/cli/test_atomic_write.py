import stat

import pytest

from undertow.cli.atomic_write import write_atomically
from undertow.errors import ConfigError


def test_a_file_is_written_and_nothing_beside_it(tmp_path):
    write_atomically(tmp_path / "a.toml", b"new")
    assert (tmp_path / "a.toml").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["a.toml"]


def test_permissions_are_kept_and_links_are_followed(tmp_path):
    target = tmp_path / "real.toml"
    target.write_text("old")
    target.chmod(0o640)
    (tmp_path / "link.toml").symlink_to(target)
    write_atomically(tmp_path / "link.toml", b"new")
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert (tmp_path / "link.toml").is_symlink()


def test_a_draft_that_is_refused_leaves_the_file_as_it_was(tmp_path):
    target = tmp_path / "a.toml"
    target.write_text("old")

    def refuse(draft):
        assert draft.name == "a.toml"
        assert draft.read_bytes() == b"new"
        raise ConfigError("no")

    with pytest.raises(ConfigError, match="no"):
        write_atomically(target, b"new", refuse)
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.toml"]


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ConfigError, match="cannot be written"):
        write_atomically(tmp_path / "absent" / "a.toml", b"")


def test_a_new_file_has_the_permissions_that_are_asked_for_and_an_older_one_keeps_its_own(tmp_path):
    target = tmp_path / "a.csv"
    write_atomically(target, b"new", mode=0o640)
    assert target.stat().st_mode & 0o777 == 0o640
    target.chmod(0o600)
    write_atomically(target, b"newer", mode=0o640)
    assert target.stat().st_mode & 0o777 == 0o600
