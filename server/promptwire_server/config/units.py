"""Values with units, as people write them: durations ("1m30s", "20ms"), sizes ("16MiB") and addresses ("127.0.0.1:50051")."""

import ipaddress
import re
from dataclasses import dataclass

_DURATION_UNITS_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h|d)")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?i?b)?", re.IGNORECASE)
_SIZE_UNITS = {"": 1, "b": 1} | {
    prefix + suffix: base**power for power, prefix in enumerate("kmgt", start=1) for suffix, base in (("b", 1000), ("ib", 1024))
}
_MAX_PORT = 65535
_LONGEST_S = 3650 * 86400.0  # ten years: nobody means more, and clocks, timers and messages count no further than some centuries


def seconds(text: str | float) -> float:
    """Seconds of a duration such as "250ms", "30s" or "1h30m", of ten years at most; a bare number is seconds. Raises ValueError."""
    value_s = _seconds(text)
    if not value_s <= _LONGEST_S:  # not a number is none of both
        raise ValueError("must be at most 3650d, ten years")
    return value_s


def _seconds(text: str | float) -> float:
    if isinstance(text, int | float) and not isinstance(text, bool):
        return float(min(_not_negative(text), _LONGEST_S * 2))  # YAML's whole numbers may be too large for a float
    stripped = str(text).strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", stripped):
        return float(stripped)
    parts = _DURATION_PART.findall(stripped)
    if not parts or "".join(number + unit for number, unit in parts) != stripped:
        raise ValueError('must be a duration such as "250ms", "30s" or "1h30m"')
    return sum(float(number) * _DURATION_UNITS_S[unit] for number, unit in parts)


def size_bytes(text: str | float) -> int:
    """Bytes of a size such as "16MiB" or "500kB"; a bare number is bytes. Raises ValueError."""
    if isinstance(text, int) and not isinstance(text, bool):
        return int(_not_negative(text))
    found = _SIZE.fullmatch(str(text).strip())
    if found is None:
        raise ValueError('must be a size such as "16MiB", "500kB" or a number of bytes')
    return int(float(found[1]) * _SIZE_UNITS[(found[2] or "").lower()])


def duration_text(value_s: float) -> str:
    """A duration as people write it, e.g. 90 -> "1m30s"; the inverse of `seconds`."""
    if value_s < 1:
        return f"{value_s * 1000:g}ms" if value_s else "0s"
    if value_s % 1:
        return f"{value_s:g}s"
    rest = int(value_s)
    text = ""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, length)
        text += f"{count}{unit}" if count else ""
    return text


def size_text(value: int) -> str:
    """A size as people write it, e.g. 16777216 -> "16MiB"; the inverse of `size_bytes`."""
    for unit, power in (("TiB", 4), ("GiB", 3), ("MiB", 2), ("KiB", 1)):
        if value and value % 1024**power == 0:
            return f"{value // 1024**power}{unit}"
    return f"{value}B"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a port is opened: host and port, or the path of a Unix socket."""

    host: str = ""
    port: int = 0  # 0: the system chooses one
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> "Address":
        """From "127.0.0.1:50051", "[::]:50051", ":50051" (every interface) or "unix:/run/promptwire.sock". Raises ValueError."""
        if text.startswith("unix:"):
            return cls._socket(text)
        host, colon, port = text.rpartition(":")
        if not colon or not re.fullmatch(r"\d{1,5}", port):
            raise ValueError('must be "host:port" such as "127.0.0.1:50051" or "[::]:50051", or "unix:/path"')
        if int(port) > _MAX_PORT:
            raise ValueError(f"the port must be 0 to {_MAX_PORT} (0: the system chooses), got {port}")
        bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        if ":" in bare and bare == host:
            raise ValueError(f'an IPv6 address stands in brackets: "[{host}]:{port}"')
        return cls(host=bare or "0.0.0.0", port=int(port))

    @classmethod
    def _socket(cls, text: str) -> "Address":
        path = text.removeprefix("unix:").removeprefix("//")
        if not path:
            raise ValueError('the path is missing: "unix:/run/promptwire.sock"')
        return cls(path=path)

    @property
    def loopback(self) -> bool:
        """Only this machine can reach it."""
        if self.path or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False  # a name: it may resolve to anything

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _not_negative(value: float) -> float:
    if value < 0:
        raise ValueError("must not be negative")
    return value
