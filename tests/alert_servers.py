"""Receivers of alerts on loopback: an HTTP server that answers as told, and a mail server. And reports with alarms, made by hand."""

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from undertow.records.cells import Coverage
from undertow.records.report import Aggregate, Alarm, AuditReport, AuditSettings, Ledger, LedgerItem, ReferenceReport
from undertow.records.segment import WHOLE, Segment

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
DAY0 = datetime(2026, 3, 1, tzinfo=UTC)


def answer(status: int, *headers: str, body: bytes = b"") -> bytes:
    lines = "".join(f"{header}\r\n" for header in headers)
    return f"HTTP/1.1 {status} X\r\n{lines}content-length: {len(body)}\r\n\r\n".encode() + body


Step = bytes | Callable[[socket.socket], None]


@dataclass
class Hook:
    """A receiver.

    Attributes:
        steps: What it does with each request, the last one for all that follow: bytes are the answer.
        requests: Method and path, headers, body.
    """

    port: int
    steps: list[Step]
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def documents(self) -> list:
        return [json.loads(body) for _, _, body in self.requests if body]

    def wait_for(self, count: int, within_s: float = 20.0) -> None:
        until = time.monotonic() + within_s
        while len(self.requests) < count:
            assert time.monotonic() < until, f"{len(self.requests)} of {count} requests came"
            time.sleep(0.02)


def hang(peer: socket.socket) -> None:
    time.sleep(3)


def drip(peer: socket.socket) -> None:
    """A head that never ends, one byte at a time."""
    with contextlib.suppress(OSError):
        for byte in b"HTTP/1.1 200 OK\r\nx-a: " + b"a" * 400:
            peer.sendall(bytes([byte]))
            time.sleep(0.05)


def huge(peer: socket.socket) -> None:
    with contextlib.suppress(OSError):
        peer.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n")
        for _ in range(400):
            peer.sendall(b"x" * 100_000)


def huge_head(peer: socket.socket) -> None:
    with contextlib.suppress(OSError):
        peer.sendall(b"HTTP/1.1 200 OK\r\n")
        for _ in range(400):
            peer.sendall(b"x-a: " + b"x" * 10_000 + b"\r\n")


@contextlib.contextmanager
def hook(*steps: Step, tls: ssl.SSLContext | None = None) -> Iterator[Hook]:
    """A receiver that does `steps`, one a request."""
    listener = socket.create_server(("127.0.0.1", 0))
    found = Hook(listener.getsockname()[1], list(steps) or [OK])
    lock = threading.Lock()

    def serve(peer: socket.socket) -> None:
        with contextlib.suppress(OSError, ssl.SSLError), _wrapped(peer, tls) as talking:
            head, _, body = _until(talking, b"\r\n\r\n").partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            while len(body) < int(headers.get("content-length", 0)):
                body += talking.recv(65_536)
            with lock:
                step = found.steps[min(len(found.requests), len(found.steps) - 1)]
                found.requests.append((first.rsplit(" ", 1)[0], headers, body))
            if isinstance(step, bytes):
                talking.sendall(step)
            else:
                step(talking)

    def accept() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(peer,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@contextlib.contextmanager
def _wrapped(peer: socket.socket, tls: ssl.SSLContext | None) -> Iterator[socket.socket]:
    peer.settimeout(10)
    with peer:
        if tls is None:
            yield peer
        else:
            with tls.wrap_socket(peer, server_side=True) as talking:
                yield talking


def _until(peer: socket.socket, end: bytes) -> bytes:
    seen = b""
    while end not in seen:
        piece = peer.recv(65_536)
        if not piece:
            raise OSError("closed")
        seen += piece
    return seen


@dataclass
class MailHost:
    """A mail server.

    Attributes:
        says: What it answers instead of what is usual, by the first word of a command; `GREETING` for its first line.
        mails: What it took: recipients, text.
        commands: What it was told.
    """

    port: int
    says: dict[str, str]
    mails: list[tuple[list[str], str]] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)


@contextlib.contextmanager
def mail_host(
    *,
    tls: ssl.SSLContext | None = None,
    offers: tuple[str, ...] = (),
    says: dict[str, str] | None = None,
    pause_s: float = 0.0,
) -> Iterator[MailHost]:
    """A mail server; with a `tls` context it can STARTTLS where it offers that. `pause_s` between the bytes of its greeting."""
    listener = socket.create_server(("127.0.0.1", 0))
    found = MailHost(listener.getsockname()[1], says or {})

    def say(peer: socket.socket, line: str, pause: float = 0.0) -> None:
        data = f"{line}\r\n".encode()
        for piece in [bytes([byte]) for byte in data] if pause else [data]:
            peer.sendall(piece)
            time.sleep(pause)

    def serve(peer: socket.socket, stack: contextlib.ExitStack) -> None:
        recipients: list[str] = []
        say(peer, found.says.get("GREETING", "220 ready"), pause_s)
        unread = b""
        while True:
            while b"\r\n" not in unread:
                piece = peer.recv(65_536)
                if not piece:
                    return
                unread += piece
            line, _, unread = unread.partition(b"\r\n")
            command = line.decode()
            found.commands.append(command)
            word = command.split(" ")[0].upper()
            if word in found.says:
                say(peer, found.says[word])
            elif word == "EHLO":
                lines = ["mail.example", *offers]
                for place, text in enumerate(lines):
                    say(peer, f"250{' ' if place == len(lines) - 1 else '-'}{text}")
            elif word == "STARTTLS":
                say(peer, "220 go on")
                peer = stack.enter_context(tls.wrap_socket(peer, server_side=True))
                unread = b""
            elif word == "AUTH":
                say(peer, "235 welcome")
            elif word == "RCPT":
                recipients.append(command)
                say(peer, "250 ok")
            elif word == "DATA":
                say(peer, "354 go on")
                while b"\r\n.\r\n" not in unread:
                    unread += peer.recv(65_536)
                text, _, unread = unread.partition(b"\r\n.\r\n")
                found.mails.append((recipients, text.decode()))
                say(peer, "250 taken")
            elif word == "QUIT":
                say(peer, "221 bye")
                return
            else:
                say(peer, "250 ok")

    def guarded(peer: socket.socket) -> None:
        with contextlib.suppress(OSError, ssl.SSLError), contextlib.ExitStack() as stack:
            stack.enter_context(peer)
            peer.settimeout(10)
            serve(peer, stack)

    def accept() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=guarded, args=(peer,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def day(number: float) -> datetime:
    return DAY0 + timedelta(days=number)


def alarm(
    segment: Segment = WHOLE,
    *,
    detected: float = 10.0,
    onset: tuple[float, float] | None = (6.0, 8.0),
    latest: tuple[float, float] | None = (0.03, 0.09),
    monitor: str = "quality",
    kind: str = "level",
    cause: str = "routing",
    tier: str = "cheap",
    changed: tuple[str, ...] = (),
    story: str = "",
) -> Alarm:
    """An alarm; times in days since `DAY0`."""
    return Alarm(
        monitor=monitor,
        signal="review.accuracy",
        tier=tier,
        segment=segment,
        cause=cause,
        basis="human",
        detected_at=day(detected),
        onset=None if onset is None else day(sum(onset) / 2),
        onset_interval=None if onset is None else (day(onset[0]), day(onset[1])),
        loss=0.05,
        interval=(0.02, 0.08),
        evidence=4.0,
        kind=kind,
        latest_loss=None if latest is None else sum(latest) / 2,
        latest_interval=latest,
        changed_nearby=changed,
        story=story,
    )


def report(
    *alarms: Alarm,
    until: float = 12.0,
    warnings: tuple[Alarm, ...] = (),
    net: tuple[float, float, float] | None = (-500.0, -900.0, -100.0),
    items: tuple[LedgerItem, ...] = (),
) -> AuditReport:
    """What an audit of a log that ends on day `until` found."""
    ledger = Ledger(None, None, None, *((None, None) if net is None else (net[0], net[1:])), items=items)
    return AuditReport(
        verdict="quality_loss",
        headline="",
        period=(DAY0, day(until)),
        settings=AuditSettings(),
        reference=ReferenceReport("holdout", causal=True, note=""),
        coverage=Coverage(),
        aggregate=Aggregate(0, None, {}),
        tiers=(),
        alarms=alarms,
        warnings=warnings,
        segments=(),
        ledger=ledger,
        next=(),
    )
