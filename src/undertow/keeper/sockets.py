"""Sockets by which the workers of this gateway reach the keeper: names in the runtime folder, for its owner alone.

A socket is bound under another name and moved to its place, so that a keeper which follows another takes its place in one
step; and each removes only what is its own.
"""

import os
import socket
from pathlib import Path

from undertow.errors import ConfigError

LONGEST_PATH = 107
"""What Linux allows for the name of a socket, in bytes; some systems allow 103."""


class OwnSocket:
    """A Unix socket bound to a path.

    Args:
        path: Where it is to be found.
        kind: `socket.SOCK_DGRAM` or `socket.SOCK_STREAM`.

    Raises:
        ConfigError: The path is longer than a socket's name may be.
        OSError: It cannot be bound.
    """

    def __init__(self, path: Path, kind: socket.SocketKind) -> None:
        self.path = path
        bound = path.with_name(f"{path.name}.{os.getpid()}")
        if len(os.fsencode(bound)) > LONGEST_PATH:
            raise ConfigError(
                f"the runtime folder's path is too long for a socket ({len(os.fsencode(bound))} bytes, at most {LONGEST_PATH}): "
                "choose a shorter one"
            )
        bound.unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, kind)
        try:
            self.socket.bind(os.fspath(bound))
            bound.chmod(0o600)
            self._inode = bound.stat().st_ino
            bound.replace(path)
        except OSError:
            self.socket.close()
            raise

    def close(self) -> None:
        """Close it, and remove its name unless another socket has taken it."""
        self.socket.close()
        try:
            if self.path.stat().st_ino == self._inode:
                self.path.unlink()
        except OSError:
            return
