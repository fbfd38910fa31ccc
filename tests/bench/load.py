"""Load by h2load on a core of its own; latencies from its log, CPU of the server from /proc."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.message import Message

LOAD_CORE = "1"
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Result:
    """What one run of h2load saw."""

    calls_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us_per_call: float  # of the server process, user and system
    failed: int


def require() -> None:
    """Say how to get h2load when it is missing."""
    if shutil.which("h2load") is None:
        raise SystemExit("h2load is missing: apt-get install nghttp2-client")


def framed(message: Message) -> bytes:
    """A gRPC request body: one uncompressed message."""
    data = message.SerializeToString()
    return b"\0" + len(data).to_bytes(4, "big") + data


def run(url: str, message: Message, *, calls: int, connections: int, streams: int, pid: int) -> Result:
    """Send `calls` gRPC requests, `connections` * `streams` at a time."""
    options = ["-c", str(connections), "-m", str(streams), "-H", "content-type: application/grpc", "-H", "te: trailers"]
    return _measured(url, framed(message), options, calls=calls, pid=pid)


def run_h1(url: str, body: bytes, headers: Mapping[str, str], *, calls: int, connections: int, pid: int) -> Result:
    """Post `body` over HTTP/1.1 `calls` times, one at a time on each connection."""
    options = ["--h1", "-c", str(connections)]
    for name, value in headers.items():
        options += ["-H", f"{name}: {value}"]
    return _measured(url, body, options, calls=calls, pid=pid)


def _measured(url: str, data: bytes, options: list[str], *, calls: int, pid: int) -> Result:
    with tempfile.TemporaryDirectory() as folder:
        body, log = pathlib.Path(folder, "body"), pathlib.Path(folder, "log")
        body.write_bytes(data)
        before_s = cpu_s(pid)
        command = ["taskset", "-c", LOAD_CORE, "h2load", "-n", str(calls), "-d", str(body), *options, f"--log-file={log}", url]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        used_s = cpu_s(pid) - before_s
        latencies = sorted(int(line.split()[2]) for line in log.read_text().splitlines())
    rate = float(_found(r"finished in [\d.]+\w+, ([\d.]+) req/s", done.stdout))
    failed = calls - int(_found(r"(\d+) succeeded", done.stdout))
    return Result(rate, _percentile(latencies, 50), _percentile(latencies, 99), used_s / calls * 1e6, failed)


def cpu_s(pid: int) -> float:
    """CPU seconds that a process has used."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def rss_mib(pid: int) -> float:
    """Resident memory of a process."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(_found(r"VmRSS:\s+(\d+) kB", status)) / 1024


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise SystemExit(f"h2load said something unexpected:\n{text}")
    return match[1]


def _percentile(ordered_us: list[int], percent: int) -> float:
    return ordered_us[min(len(ordered_us) - 1, len(ordered_us) * percent // 100)] / 1000
