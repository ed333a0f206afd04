"""Mail, by SMTP: over TLS from the first byte (`smtps://`), or by STARTTLS wherever the server offers it. A password never goes unencrypted."""

import asyncio
import hashlib
import smtplib
import socket
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from urllib.parse import unquote, urlsplit

from undertow.adapters.upstreams.tls import client_context
from undertow.errors import ConfigError
from undertow.ports.alerts import Sent
from undertow.records.alert import Message

TOTAL_S = 10.0
"""Longest time that one mail takes, in seconds."""
_PORTS = {"smtp": 25, "smtps": 465}


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in.

    Attributes:
        host: Name or address.
        port: TCP port.
        is_tls: TLS from the first byte.
        user: Name, or empty: no login.
        password: Its password.
    """

    host: str
    port: int
    is_tls: bool
    user: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"<MailServer {self.host}:{self.port}>"


def parse_smtp_url(url: str) -> MailServer:
    """Split `smtp://USER:PASSWORD@HOST:PORT`; user, password and port may be left out, and are percent-decoded.

    Raises:
        ConfigError: It is none; the message does not repeat it.

    Examples:
        >>> parse_smtp_url("smtps://mail.example.org").port
        465
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise ConfigError("it is no address of a mail server; expected smtp://USER:PASSWORD@HOST:PORT or smtps://...")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not (user + password).isprintable():
        raise ConfigError("the user or password in it holds a control character")
    return MailServer(parts.hostname, port or _PORTS[parts.scheme], parts.scheme == "smtps", user, password)


class _Smtp(smtplib.SMTP):
    _host: str
    """Name that TLS verifies; the constructor takes it only where it connects at once, which nothing could then bring to an end."""
    line: socket.socket | None = None
    """The connection under a second descriptor: while TLS shakes hands, `sock` is not yet it, or no longer."""
    is_late = False

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        made: socket.socket = super()._get_socket(host, port, timeout)  # type: ignore[misc]  # not in the stubs
        self.line = made.dup()
        if self.is_late:
            self.end()
        return made

    def end(self) -> None:
        """Bring whatever is waited for to an end, from another thread."""
        self.is_late = True
        if self.line is not None:
            try:
                self.line.shutdown(socket.SHUT_RDWR)
            except OSError:
                return

    def close(self) -> None:
        super().close()
        if self.line is not None:
            self.line.close()


class _SmtpTls(smtplib.SMTP_SSL, _Smtp):
    """The same, with TLS from the first byte: put between `SMTP_SSL` and what it takes its socket from."""


class EmailChannel:
    """Implements `undertow.ports.alerts.AlertChannel`.

    Args:
        server: Where mail is handed in. It may be internal: whoever wrote the settings chose it.
        sender: Address of the sender.
        to: Addresses that get the mail.
        context: TLS context; None: the system's authorities.
        total_s: Longest time that one mail takes, in seconds.
    """

    def __init__(
        self,
        server: MailServer,
        sender: str,
        to: Sequence[str],
        context: ssl.SSLContext | None = None,
        total_s: float = TOTAL_S,
    ) -> None:
        self._server, self._sender, self._to = server, sender, tuple(to)
        self._context, self._total_s = context, total_s

    async def send(self, message: Message) -> Sent:
        """Hand a mail in. Its Message-ID is the same at each try."""
        try:
            mail = mail_of(message, self._sender, self._to)
        except (ValueError, MessageError):
            return Sent("refused", "an address or the title holds what no header may")
        return await asyncio.to_thread(self._hand_in, mail)

    async def hold(self, messages: object) -> None:
        """What was sent stays."""

    def _hand_in(self, mail: EmailMessage) -> Sent:
        context = self._context or client_context(None)
        name = socket.gethostname()
        smtp: _Smtp | _SmtpTls = (
            _SmtpTls(local_hostname=name, timeout=self._total_s, context=context)
            if self._server.is_tls
            else _Smtp(local_hostname=name, timeout=self._total_s)
        )
        smtp._host = self._server.host  # noqa: SLF001 (ours, see above)
        # A server that says one byte at a time would keep each single wait short of its limit.
        timer = threading.Timer(self._total_s, smtp.end)
        timer.start()
        try:
            return self._talk(smtp, mail, context)
        except smtplib.SMTPRecipientsRefused as error:
            codes = sorted({code for code, _ in error.recipients.values()})
            is_final = all(500 <= code < 600 for code in codes)
            return Sent(
                "refused" if is_final else "retry", f"all recipients were refused ({', '.join(map(str, codes))})"
            )
        except smtplib.SMTPResponseException as error:
            is_final = 500 <= error.smtp_code < 600
            return Sent("refused" if is_final else "retry", f"the mail server answered {error.smtp_code}")
        except ssl.SSLCertVerificationError:
            return Sent("retry", "the mail server's TLS certificate is not trusted or for another name")
        except smtplib.SMTPNotSupportedError:
            return Sent("refused", "the mail server offers no login that can be used")
        except (OSError, smtplib.SMTPException, ValueError) as error:
            late = smtp.is_late or isinstance(error, TimeoutError)
            return Sent("retry", f"no answer within {self._total_s:g} s" if late else f"the mail server cannot be talked to ({type(error).__name__})")  # fmt: skip
        finally:
            timer.cancel()
            smtp.close()

    def _talk(self, smtp: smtplib.SMTP, mail: EmailMessage, context: ssl.SSLContext) -> Sent:
        code, _ = smtp.connect(self._server.host, self._server.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, b"")
        smtp.ehlo_or_helo_if_needed()
        is_tls = self._server.is_tls
        if not is_tls and smtp.has_extn("starttls"):
            smtp.starttls(context=context)
            smtp.ehlo()
            is_tls = True
        if self._server.user:
            if not is_tls:
                return Sent("refused", "the mail server offers no TLS, and a password is never sent without it")
            smtp.login(self._server.user, self._server.password)
        refused = smtp.send_message(mail, self._sender_address(), list(self._to))
        said = f"handed in; {len(refused)} of {len(self._to)} recipients were refused" if refused else "handed in"
        return Sent("delivered", said)

    def _sender_address(self) -> str:
        return parseaddr(self._sender)[1] or self._sender


def mail_of(message: Message, sender: str, to: Sequence[str]) -> EmailMessage:
    """A message as a mail.

    Raises:
        ValueError: A header would hold a line break.

    Examples:
        >>> message = Message(id="1", kind="test", severity="info", at="2026-03-01T00:00:00Z", title="Test", facts=(("where", "x"),))
        >>> mail_of(message, "undertow@localhost", ["a@example.org"])["Subject"]
        '[Undertow] Test'
    """
    mail = EmailMessage()
    for name, value in (
        ("From", sender),
        ("To", ", ".join(to)),
        ("Subject", f"[Undertow] {message.title}"),
        ("Message-ID", f"<{hashlib.sha256(message.id.encode()).hexdigest()[:32]}@undertow>"),
        ("Date", format_datetime(datetime.fromisoformat(message.at))),
        ("Auto-Submitted", "auto-generated"),
    ):
        mail[name] = value
    if message.episode is not None:
        # Mails of one episode stand together.
        mail["References"] = f"<{hashlib.sha256(message.episode.encode()).hexdigest()[:32]}@undertow>"
    lines = [message.title, "", *(f"{name}: {value}" for name, value in message.facts)]
    if message.link:
        lines += ["", message.link]
    mail.set_content("\n".join(lines) + "\n")
    return mail
