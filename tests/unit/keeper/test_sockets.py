import socket
import stat

import pytest

from undertow.errors import ConfigError
from undertow.keeper.sockets import OwnSocket


def test_a_socket_is_its_owners_alone_and_goes_with_it(tmp_path):
    path = tmp_path / "s"
    own = OwnSocket(path, socket.SOCK_DGRAM)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    own.close()
    assert list(tmp_path.iterdir()) == []


def test_a_successor_takes_the_place_and_keeps_it_when_the_predecessor_ends(tmp_path):
    path = tmp_path / "s"
    path.write_text("left by one that was killed")
    first = OwnSocket(path, socket.SOCK_DGRAM)
    second = OwnSocket(path, socket.SOCK_DGRAM)
    first.close()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", str(path))
    assert second.socket.recv(10) == b"x"
    second.close()
    assert not path.exists()


def test_a_path_that_is_too_long_is_refused_with_words(tmp_path):
    with pytest.raises(ConfigError, match="too long"):
        OwnSocket(tmp_path / ("x" * 120), socket.SOCK_DGRAM)
