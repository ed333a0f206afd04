import asyncio
import ssl
import subprocess

import pytest

from conftest import require
from scripted_http import JSON_200, LOOPS, ScriptedServer, endpoint_plan, limits, run, tier_plan
from undertow.adapters.upstreams.tier import TierUpstream
from undertow.adapters.upstreams.tls import client_context
from undertow.errors import ConfigError
from undertow.ports.upstream import UpstreamFailedError, UpstreamRequest

ASK = UpstreamRequest(kind="openai", path="/chat/completions", body=b"{}")


def openssl(folder, *arguments):
    try:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)
    except FileNotFoundError:
        require(False, "the openssl command is not installed")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """An authority of our own, and a certificate of its for 127.0.0.1 and one for another host."""
    folder = tmp_path_factory.mktemp("certificates")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    usage = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n"
    (folder / "ca.cnf").write_text(
        f"[req]\ndistinguished_name=dn\nx509_extensions=v3\n[dn]\n[v3]\n{usage}subjectKeyIdentifier=hash\n"
    )
    openssl(
        folder,
        "req",
        "-x509",
        *key,
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
        "-days",
        "2",
        "-subj",
        "/CN=ca",
        "-config",
        "ca.cnf",
    )
    for name, alternative in (("here", "IP:127.0.0.1"), ("elsewhere", "DNS:elsewhere.example")):
        (folder / f"{name}.ext").write_text(f"subjectAltName={alternative}\nauthorityKeyIdentifier=keyid\n")
        openssl(
            folder,
            "req",
            "-new",
            *key,
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.csr",
            "-subj",
            f"/CN={name}",
            "-config",
            "ca.cnf",
        )
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", f"{name}.ext")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *signed)
    return folder


def server_context(folder, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context


async def ask(folder, name, ca_file, times=1):
    async with ScriptedServer(JSON_200, ssl=server_context(folder, name)) as server:
        asyncio.get_running_loop().set_exception_handler(
            lambda *_: None
        )  # the server's own complaint about the handshake
        upstream = TierUpstream(tier_plan(endpoint_plan(server, ca_file=ca_file)), limits(max_retries=0), {})
        try:
            for _ in range(times):
                answer = await upstream.ask(ASK)
                assert await answer.read() == b"{}"
            return server.connections
        finally:
            await upstream.aclose()


@pytest.mark.parametrize("loop_name", LOOPS)
def test_an_authority_that_is_named_is_trusted_and_the_connection_kept(certificates, loop_name):
    assert run(loop_name, ask(certificates, "here", str(certificates / "ca.pem"), times=3)) == 1


@pytest.mark.parametrize("loop_name", LOOPS)
@pytest.mark.parametrize(("name", "is_named"), [("here", False), ("elsewhere", True)], ids=["authority", "host name"])
def test_a_certificate_that_does_not_fit_is_refused(certificates, name, is_named, loop_name):
    with pytest.raises(UpstreamFailedError) as caught:
        run(loop_name, ask(certificates, name, str(certificates / "ca.pem") if is_named else None))
    assert caught.value.kind == "connect"
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)


@pytest.mark.parametrize("loop_name", LOOPS)
def test_a_peer_that_speaks_no_tls_is_refused(certificates, loop_name):
    async def main():
        async def greets(peer):
            await peer.reader.read(1)
            await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            peer.close()

        async with ScriptedServer(greets) as server:
            plan = tier_plan(endpoint_plan(server))
            secure = plan.endpoints[0].base_url.replace("http:", "https:")
            upstream = TierUpstream(tier_plan(type(plan.endpoints[0])(base_url=secure)), limits(max_retries=0), {})
            with pytest.raises(UpstreamFailedError, match="connect"):
                await upstream.ask(ASK)

    run(loop_name, main())


def test_the_context_verifies():
    context = client_context(None)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_a_file_without_certificates_is_refused_at_start(tmp_path):
    (tmp_path / "empty.pem").write_text("nothing")
    for name in ("empty.pem", "missing.pem"):
        with pytest.raises(ConfigError, match=name):
            client_context(str(tmp_path / name))
