"""A PostgreSQL server for tests: Debian's, on a port of its own, in a folder that goes with it."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conftest import require

NOBODY = "postgres"


def _program(name: str) -> str | None:
    """Debian keeps the server's programs out of the path."""
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(versions[-1]) if versions else None)


@contextmanager
def postgres() -> Iterator[str]:
    """Run a server; yields its address for SQLAlchemy. It refuses to run as root, so there it runs as its own user."""
    initdb, server = _program("initdb"), _program("postgres")
    require(initdb is not None and server is not None, "PostgreSQL is not installed (apt-get install postgresql)")
    as_user: list[str] = []
    if os.getuid() == 0:
        require(shutil.which("runuser") is not None, "runuser is missing: PostgreSQL does not run as root")
        as_user = ["runuser", "-u", NOBODY, "--"]
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        if as_user:
            os.chown(folder, pwd.getpwnam(NOBODY).pw_uid, -1)
        data = folder / "data"
        subprocess.run(
            [*as_user, str(initdb), "-D", str(data), "-U", "owner", "-A", "trust", "--no-sync", "-E", "UTF8"],
            check=True, capture_output=True, cwd="/", timeout=120,
        )  # fmt: skip
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        running = subprocess.Popen(
            [*as_user, str(server), "-D", str(data), "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}", "-c", "fsync=off"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/",
        )  # fmt: skip
        try:
            _wait(port, running)
            yield f"postgresql+psycopg://owner@127.0.0.1:{port}/postgres"
        finally:
            pid = int((data / "postmaster.pid").read_text().splitlines()[0])
            os.kill(pid, 2)  # fast: sessions are ended
            running.wait(timeout=60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(port: int, running: "subprocess.Popen[bytes]") -> None:
    import psycopg

    for _ in range(600):
        assert running.poll() is None, "the server ended"
        try:
            psycopg.connect(f"host=127.0.0.1 port={port} user=owner dbname=postgres", connect_timeout=2).close()
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the server does not answer")
