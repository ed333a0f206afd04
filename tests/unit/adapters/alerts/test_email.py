import asyncio
import contextlib
import socket
import ssl
import threading
import time

import pytest

from alert_servers import mail_host
from gateway_fakes.certificates import make_certificates
from undertow.adapters.alerts.email import EmailChannel, MailServer, mail_of, parse_smtp_url
from undertow.errors import ConfigError
from undertow.records.alert import Message

WORD = "SECRET"
TO = ("a@example.org", "b@example.org")


def message(**given):
    return Message(
        **{
            "id": "e1:1", "kind": "alarm", "severity": "critical", "at": "2026-03-01T00:00:00Z", "title": "Loss", "episode": "e1",
            "facts": (("where", "tier cheap"),), "link": "https://u.example/ui", **given,
        }
    )  # fmt: skip


def send(port, *, user="", password="", is_tls=False, context=None, total_s=5.0, told=None):
    server = MailServer("localhost", port, is_tls, user, password)
    channel = EmailChannel(server, "undertow@example.org", TO, context, total_s)
    return asyncio.run(channel.send(told or message()))


def test_it_is_handed_in_for_all_recipients_with_an_id_that_stays():
    with mail_host() as host:
        assert send(host.port).outcome == "delivered"
        assert send(host.port).outcome == "delivered"
    (recipients, first), (_, second) = host.mails
    assert [each for each in recipients if "a@example.org" in each or "b@example.org" in each] == recipients
    assert len(recipients) == 2
    ids = [line for text in (first, second) for line in text.splitlines() if line.startswith("Message-ID")]
    assert len(ids) == 2
    assert len(set(ids)) == 1
    assert "Subject: [Undertow] Loss" in first
    assert "where: tier cheap" in first
    assert "https://u.example/ui" in first


def test_a_password_goes_over_tls_alone(tmp_path):
    with mail_host(offers=("AUTH PLAIN",)) as host:
        sent = send(host.port, user="u", password=WORD)
        assert sent.outcome == "refused"
        assert "no TLS" in sent.said
        assert not any("AUTH" in command for command in host.commands)
    made = make_certificates(tmp_path)
    trusting = ssl.create_default_context(cafile=str(made.authority))
    with mail_host(tls=made.server_context(), offers=("STARTTLS", "AUTH PLAIN")) as host:
        assert send(host.port, user="u", password=WORD, context=trusting).outcome == "delivered"
        assert [each.split(" ")[0] for each in host.commands].index("STARTTLS") < [
            each.split(" ")[0] for each in host.commands
        ].index("AUTH")


def test_an_untrusted_certificate_gets_no_mail(tmp_path):
    made = make_certificates(tmp_path)
    with mail_host(tls=made.server_context(), offers=("STARTTLS",)) as host:
        sent = send(host.port)
        assert (sent.outcome, host.mails) == ("retry", [])
        assert "certificate" in sent.said


@pytest.mark.parametrize(
    ("says", "outcome"),
    [
        ({"GREETING": "554 no"}, "refused"),
        ({"GREETING": "421 later"}, "retry"),
        ({"RCPT": "550 nobody"}, "refused"),
        ({"RCPT": "451 later"}, "retry"),
        ({"MAIL": "452 full"}, "retry"),
        ({"DATA": "554 spam SECRET"}, "refused"),
        ({"GREETING": "nonsense"}, "retry"),
    ],
)
def test_what_a_mail_server_says_decides(says, outcome):
    with mail_host(says=says) as host:
        sent = send(host.port)
    assert sent.outcome == outcome
    assert "SECRET" not in sent.said


@pytest.mark.parametrize("pause_s", [0.2], ids=["drips"])
def test_a_server_that_takes_for_ever_is_left_in_time(pause_s):
    began = time.monotonic()
    with mail_host(says={"GREETING": "220 " + "x" * 400}, pause_s=pause_s) as host:
        sent = send(host.port, total_s=0.6)
        assert time.monotonic() - began < 3.0
    assert sent.outcome == "retry"
    assert "no answer within" in sent.said


def test_nobody_there_is_tried_again():
    sent = send(1)
    assert sent.outcome == "retry"


def test_no_header_can_be_broken_out_of():
    sent = send(1, told=message(title="Loss\r\nBcc: evil@example.org"))
    assert sent.outcome == "refused"
    with pytest.raises(ValueError):
        mail_of(message(), "a@example.org\nBcc: x@y", TO)
    with pytest.raises(ValueError):
        mail_of(message(), "a@example.org", ("x@y\r\nBcc: z@w",))


def test_mails_of_an_episode_stand_together():
    first, last = mail_of(message(), "u@x", TO), mail_of(message(id="e1:1:resolved"), "u@x", TO)
    assert first["References"] == last["References"]
    assert first["Message-ID"] != last["Message-ID"]
    assert mail_of(message(episode=None), "u@x", TO)["References"] is None


@pytest.mark.parametrize(
    "url",
    [
        "http://x",
        "smtp://",
        "smtp://x/path",
        "smtp://x:port",
        "smtp://u:p%0d%0a@x",
        "smtp://x?a=b",
        "smtp://[x",
        "SECRET",
    ],
)
def test_an_address_that_is_none_is_refused_without_being_repeated(url):
    with pytest.raises(ConfigError) as refused:
        parse_smtp_url(url)
    assert "SECRET" not in str(refused.value)


def test_user_and_password_are_decoded_and_never_shown():
    server = parse_smtp_url("smtp://me%40x:p%2Fw@mail.example:2525")
    assert (server.user, server.password, server.port, server.is_tls) == ("me@x", "p/w", 2525, False)
    assert "p/w" not in repr(server)
    assert asyncio.run(EmailChannel(server, "a@b", TO).hold(())) is None


def test_a_server_whose_handshake_outlasts_the_limit_and_that_drips_then_is_left_in_time(tmp_path):
    made = make_certificates(tmp_path)
    trusting = ssl.create_default_context(cafile=str(made.authority))
    listener = socket.create_server(("localhost", 0))

    def serve():
        connection, _ = listener.accept()
        with contextlib.suppress(OSError):
            connection.sendall(b"220 hello\r\n")
            connection.recv(1000)
            connection.sendall(b"250-x\r\n250 STARTTLS\r\n")
            connection.recv(1000)
            time.sleep(0.4)
            connection.sendall(b"220 go on\r\n")
            # The limit passes while the hands are shaken; each single wait stays short of it.
            time.sleep(0.4)
            connection = made.server_context().wrap_socket(connection, server_side=True)
            connection.recv(1000)
            for _ in range(60):
                connection.sendall(b"2")
                time.sleep(0.1)
        connection.close()

    server = threading.Thread(target=serve)
    server.start()
    began = time.monotonic()
    sent = send(listener.getsockname()[1], context=trusting, total_s=0.6)
    took_s = time.monotonic() - began
    server.join()
    listener.close()
    assert took_s < 3.0
    assert sent.outcome == "retry"
    assert "no answer within" in sent.said
