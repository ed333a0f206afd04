"""TLS for upstreams: verification and host names checked, always; no switch to turn them off."""

import ssl

from undertow.errors import ConfigError


def client_context(ca_file: str | None) -> ssl.SSLContext:
    """A context for connections to upstreams: TLS 1.2 or later, certificate and host name verified.

    Args:
        ca_file: Certificate authorities to trust instead of the system's (PEM), or None.

    Raises:
        ConfigError: The file is missing or holds no certificate.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"ca_file = {ca_file!r} cannot be read as PEM certificates ({error}); name a file with the authority's certificate"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
