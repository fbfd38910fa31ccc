"""TLS and mTLS, with certificates read anew when their files change."""

import pathlib
from dataclasses import dataclass

import grpc

from promptwire_server.core.clock import Clock


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Where the certificate is."""

    cert_file: str  # PEM chain
    key_file: str  # PEM key
    client_ca_file: str | None = None  # PEM; with it, clients must show a certificate of this authority
    reload_interval_s: float = 30.0  # how often, at most, the files are looked at


class Certificates:
    """Reads the files, and reads them again when they have changed. Called by gRPC at handshakes, from threads of its own."""

    def __init__(self, settings: TlsSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._stamp = self._stamps()
        self._looked_s = clock.monotonic()

    def credentials(self) -> grpc.ServerCredentials:
        """What the server listens with. Raises OSError when a file cannot be read."""
        demand = self._settings.client_ca_file is not None
        # The fetcher may answer None for "unchanged", which the type stubs do not know.
        return grpc.dynamic_ssl_server_credentials(self._configuration(), self._fetch, require_client_authentication=demand)  # type: ignore[arg-type]

    def _fetch(self) -> grpc.ServerCertificateConfiguration | None:
        """The new configuration, or None to go on with the old. A half-written pair keeps the old one; the next look tries again."""
        now_s = self._clock.monotonic()
        if now_s - self._looked_s < self._settings.reload_interval_s:
            return None
        self._looked_s = now_s
        try:
            stamp = self._stamps()
            if stamp == self._stamp:
                return None
            configuration = self._configuration()
        except OSError:
            return None
        self._stamp = stamp
        return configuration

    def _stamps(self) -> tuple[int, ...]:
        return tuple(pathlib.Path(path).stat().st_mtime_ns for path in self._paths())

    def _paths(self) -> list[str]:
        settings = self._settings
        return [settings.cert_file, settings.key_file, *([settings.client_ca_file] if settings.client_ca_file else [])]

    def _configuration(self) -> grpc.ServerCertificateConfiguration:
        cert, key, *authority = (pathlib.Path(path).read_bytes() for path in self._paths())
        return grpc.ssl_server_certificate_configuration([(key, cert)], authority[0] if authority else None)
