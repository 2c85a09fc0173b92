"""The options `--tls-*` of `serve`: which go together, and whether their files can be used."""

from __future__ import annotations

from extproc.certificates import ServerTls
from extproc.cli.failures import NOT_STARTED, USAGE, Failure


def server_tls(
    certificate: str | None,
    key: str | None,
    client_ca: str | None,
    client_sans: tuple[str, ...],
    *,
    bind: str,
) -> ServerTls | None:
    """Return the TLS that was asked for, its files checked; None for plain gRPC.

    Raises `Failure`: of usage, or where a file cannot be used.
    """
    if (certificate is None) != (key is None):
        raise Failure("--tls-certificate and --tls-key go together", USAGE)
    if client_ca is not None and certificate is None:
        raise Failure("--tls-client-ca needs --tls-certificate", USAGE)
    if client_sans and client_ca is None:
        raise Failure("--tls-client-san needs --tls-client-ca", USAGE)
    if "" in client_sans:
        raise Failure("--tls-client-san needs a name", USAGE)
    if certificate is None or key is None:
        return None
    if bind.startswith("unix:"):
        raise Failure("--tls-certificate is for host:port: a unix socket has file modes", USAGE)
    tls = ServerTls(certificate, key, client_ca, client_sans)
    try:
        tls.read()
    except ValueError as error:
        raise Failure(str(error), NOT_STARTED) from error
    return tls
