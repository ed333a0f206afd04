"""A certificate authority and a certificate for 127.0.0.1, made by openssl, for the measurement with TLS."""

import subprocess
from pathlib import Path

NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


def make_certificates(folder: Path) -> tuple[Path, Path, Path]:
    """Paths of the authority's certificate, the server's certificate and the server's key; made once."""
    authority, certificate, key = folder / "ca.pem", folder / "server.pem", folder / "server.key"
    if certificate.exists():
        return authority, certificate, key
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "names.txt").write_text(f"{NAMES}\n", encoding="utf-8")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    request, authority_key = folder / "server.csr", folder / "ca.key"
    for arguments in (
        ["req", "-x509", *curve, "-days", "3650", "-subj", "/CN=benchmark", "-keyout", authority_key, "-out", authority],
        ["req", "-new", *curve, "-subj", "/CN=localhost", "-keyout", key, "-out", request],
        ["x509", "-req", "-in", request, "-CA", authority, "-CAkey", authority_key, "-CAcreateserial", "-days", "3650",
         "-extfile", folder / "names.txt", "-out", certificate],
    ):  # fmt: skip
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
    return authority, certificate, key
