"""A certificate authority and a certificate of 127.0.0.1 and localhost, made anew by openssl."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Certificates:
    """Paths of what was made.

    Attributes:
        authority: Certificate to trust.
        certificate: The server's, signed by it.
        key: The server's private key.
    """

    authority: Path
    certificate: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        """A context for `FakeUpstream(tls=...)`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def make_certificates(folder: Path, host: str = "localhost") -> Certificates:
    """Make them in `folder`. With another `host` than localhost the certificate holds for that name alone."""
    made = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1" if host == "localhost" else f"subjectAltName=DNS:{host}"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    (folder / "names.txt").write_text(f"{names}\n", encoding="utf-8")
    for command in (
        ["req", "-x509", *curve, "-days", "2", "-subj", "/CN=fake authority", "-keyout", folder / "ca.key", "-out", made.authority],
        ["req", "-new", *curve, "-subj", f"/CN={host}", "-keyout", made.key, "-out", folder / "server.csr"],
        ["x509", "-req", "-in", folder / "server.csr", "-CA", made.authority, "-CAkey", folder / "ca.key", "-CAcreateserial",
         "-days", "2", "-extfile", folder / "names.txt", "-out", made.certificate],
    ):  # fmt: skip
        subprocess.run(["openssl", *map(str, command)], check=True, capture_output=True)
    return made
