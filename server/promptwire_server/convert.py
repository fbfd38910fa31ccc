"""From the configuration's sections to the settings that each part defines for itself."""

import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from promptwire import v1 as pb
from promptwire_server.banner import Facts
from promptwire_server.config import model as config
from promptwire_server.config import model_facts, routing
from promptwire_server.config import providers as sections
from promptwire_server.config.aliases import OWN
from promptwire_server.config.settings import Settings
from promptwire_server.config.units import Address
from promptwire_server.core.call import Target
from promptwire_server.core.facts import Facts as ModelFacts
from promptwire_server.core.money import NANO_PER_USD
from promptwire_server.core.price import OPERATOR, Price, Rates
from promptwire_server.layers.admission import memory
from promptwire_server.layers.admission.settings import AdmissionSettings
from promptwire_server.layers.book import Account
from promptwire_server.layers.breaker import BreakerSettings
from promptwire_server.layers.cache.cache import CacheSettings
from promptwire_server.layers.desk import Place
from promptwire_server.layers.payment import PaymentSettings
from promptwire_server.layers.prober import ProbeSettings
from promptwire_server.layers.retry import RetrySettings
from promptwire_server.layers.stream_probe import StreamProbeSettings
from promptwire_server.providers import custom, registry, script
from promptwire_server.providers.settings import HttpSettings
from promptwire_server.providers.upstream import Bounds, Timeouts, Tls
from promptwire_server.providers.vendors import vendor_of
from promptwire_server.rpc.auth import ApiKey
from promptwire_server.rpc.events import StreamSettings
from promptwire_server.rpc.server import DrainSettings, KeepaliveSettings, ServerSettings
from promptwire_server.rpc.tls import TlsSettings

_LONGEST_S = 24 * 86_400.0  # gRPC's core counts milliseconds in 32 bits; a connection that may live so long may live for ever


def server_settings(settings: Settings, *, worker: bool) -> ServerSettings:
    """How to listen. A worker shares its port, and leaves the probes to its supervisor."""
    server = settings.server
    grace_s = server.max_connection_age_grace_s
    keepalive = server.keepalive
    return ServerSettings(
        listen=str(server.listen),
        health_listen=None if worker or server.health_listen is None else str(server.health_listen),
        tls=_tls(server.tls),
        reflection=server.reflection,
        channelz=server.channelz,
        max_request_bytes=server.max_request_bytes,
        max_response_bytes=server.max_response_bytes,
        max_connection_streams=server.max_streams_per_connection,
        reuse_port=worker,
        write_stall_timeout_s=server.streaming.write_stall_timeout_s,
        keepalive=KeepaliveSettings(
            ping_interval_s=min(keepalive.interval_s, _LONGEST_S),
            ping_timeout_s=min(keepalive.timeout_s, _LONGEST_S),
            min_client_ping_interval_s=min(keepalive.min_client_interval_s, _LONGEST_S),
            max_connection_age_s=min(server.max_connection_age_s, _LONGEST_S),
            max_connection_age_grace_s=min(server.max_call_duration_s if grace_s is None else grace_s, _LONGEST_S),
        ),
        drain=DrainSettings(pre_drain_s=server.drain.pre_drain_s, grace_s=server.drain.grace_s),
    )


def stream_settings(settings: Settings) -> StreamSettings:
    """How streams are written."""
    streaming = settings.server.streaming
    return StreamSettings(
        join_window_s=streaming.join_window_s,
        join_above_streams=streaming.join_above_streams,
        write_stall_timeout_s=streaming.write_stall_timeout_s,
    )


def cache_settings(settings: Settings) -> CacheSettings:
    """What the cache does for calls that wish nothing else."""
    reads_and_writes = settings.cache.default == "read_write"
    return CacheSettings(
        mode=pb.CacheSettings.MODE_READ_WRITE if reads_and_writes else pb.CacheSettings.MODE_BYPASS,
        ttl_s=settings.cache.ttl_s,
        default_model=settings.default_model,
        stale_s=settings.cache.stale_s,
        tool_calls=settings.cache.tool_calls,
        max_answer_bytes=settings.cache.max_answer_bytes,
    )


def retry_settings(settings: Settings) -> RetrySettings:
    """How often and how soon calls are tried again."""
    retries = settings.resilience.retries
    return RetrySettings(
        max_attempts=retries.max_attempts,
        base_s=retries.base_delay_s,
        cap_s=retries.max_delay_s,
        budget_percent=retries.budget_percent,
        budget_floor=retries.budget_floor,
    )


def breaker_settings(settings: Settings) -> BreakerSettings:
    """When targets are left alone."""
    breaker = settings.resilience.breaker
    return BreakerSettings(
        consecutive_failures=breaker.consecutive_failures,
        error_rate=breaker.error_rate,
        minimum_calls=breaker.minimum_calls,
        window_s=breaker.window_s,
        probe_interval_s=breaker.probe_after_s,
        max_probe_interval_s=breaker.probe_cap_s,
    )


def probe_settings(settings: Settings) -> ProbeSettings:
    """How targets without calls are asked whether they are well."""
    probes = settings.resilience.health_probes
    return ProbeSettings(probes.interval_s, probes.ask, probes.timeout_s)


def stream_probe_settings(settings: Settings) -> StreamProbeSettings:
    """What a stream must show before it is handed on."""
    probe = settings.resilience.stream_probe
    return StreamProbeSettings(probe.characters, probe.within_s)


def standings_file(settings: Settings) -> Path:
    """Where it is kept who is out of use."""
    return settings.state_dir / "providers.json"


def places(settings: Settings) -> dict[str, Place]:
    """What the operator is shown of each provider: its dialect, and where it is without path, query or credential."""
    return {name: _place(name, section, settings.providers[name]) for name, section in provider_settings(settings).items()}


def _place(name: str, section: registry.Settings, configured: sections.Provider) -> Place:
    if not (isinstance(section, HttpSettings) and isinstance(configured, sections.Remote)):
        return Place(configured.kind)
    vendor = vendor_of(name, section)
    parts = urlsplit(section.base_url or (vendor.base_url if vendor else ""))
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname
    connections = section.max_connections * max(1, len(section.keys))  # each key has its own
    most = min(configured.max_in_flight or connections, connections)
    return Place(section.dialect, f"{parts.scheme}://{host}:{port}" if host else "", most)


def journal_file(settings: Settings) -> Path | None:
    """Where usage is written down; None when it is not."""
    return settings.state_dir / "usage.sqlite3" if settings.usage.journal else None


def payment_settings(settings: Settings) -> PaymentSettings:
    """How holds on budgets are made."""
    holds = settings.holds
    return PaymentSettings(holds.max_wait_s, holds.least_output_tokens, holds.lease_s)


def api_keys(settings: Settings) -> list[ApiKey]:
    """Who is let in."""
    return [
        ApiKey(key.name, key.tenant, key.key.reveal(), cast("pb.Priority", pb.Priority.Value(f"PRIORITY_{key.max_priority.upper()}")))
        for key in settings.auth.api_keys
        if key.key is not None
    ]


def admission_settings(settings: Settings) -> AdmissionSettings:
    """Who is let into one worker: memory is shared by all, everything else is each worker's own."""
    server = settings.server
    admission, workers = server.admission, server.workers
    memory_bytes = admission.memory_limit_bytes
    return AdmissionSettings(
        ceiling_calls=server.max_concurrent_calls,
        floor_calls=admission.min_concurrent_calls,
        adaptive=admission.adaptive,
        queue_calls=admission.queue_calls,
        max_wait_s=admission.max_wait_s,
        weights=weights(settings),
        memory_limit_bytes=memory.limit_bytes(workers) if memory_bytes is None else memory_bytes // workers,
    )


def weights(settings: Settings) -> dict[str, float]:
    """Of the tenants that configuration names."""
    return {name: tenant.weight for name, tenant in settings.tenants.items()}


def aliases(settings: Settings) -> dict[str, tuple[Target, ...]]:
    """Every model that may answer under each of the operator's names, fallbacks apart: its own, and those that rules and splits lead to."""
    return {name: tuple(dict.fromkeys(_behind(name, settings.models))) for name in settings.models}


def _behind(name: str, models: Mapping[str, routing.Alias]) -> Iterator[Target]:
    section = models.get(name)
    if section is None:
        yield target_of(name)
        return
    for rule in section.rules:
        if rule.to is not None and not _means_own(rule.to, models):
            yield from _behind(rule.to, models)
    for arm in section.split:
        yield from _behind(arm.to, models)
    yield from (target_of(target.model) for target in section.targets)


def _means_own(to: str, models: Mapping[str, routing.Alias]) -> bool:
    return to == OWN and OWN not in models


def accounts(settings: Settings) -> dict[str, Account]:
    """What is known of the models of each provider, by its name."""
    overrides: dict[str, dict[str, ModelFacts]] = {name: {} for name in settings.providers}
    for name, section in settings.model_facts.items():
        target = target_of(name)
        overrides.setdefault(target.provider, {})[target.model] = _model_facts(section)
    return {name: _account(name, section, overrides[name]) for name, section in provider_settings(settings).items()}


def _account(name: str, section: registry.Settings, overrides: Mapping[str, ModelFacts]) -> Account:
    if isinstance(section, HttpSettings):
        vendor = vendor_of(name, section)
        base_url = section.base_url or (vendor.base_url if vendor else "")
        # Prices are published for public addresses only: for one's own machines the list need not be read at all.
        return Account(base_url if base_url.startswith("https:") else "", overrides=overrides)
    return Account(free=isinstance(section, registry.EchoSettings | registry.ScriptSettings), overrides=overrides)


def _model_facts(section: model_facts.ModelFacts) -> ModelFacts:
    rates = Rates(
        input=_nano(section.input_usd_per_1m),
        output=_nano(section.output_usd_per_1m),
        cached_input=_nano(section.cached_input_usd_per_1m),
        cache_write=_nano(section.cache_write_usd_per_1m),
        cache_write_1h=_nano(section.cache_write_1h_usd_per_1m),
    )
    request = None if section.request_usd is None else int(section.request_usd * NANO_PER_USD)
    return ModelFacts(
        price=None if rates == Rates() and request is None else Price(rates, OPERATOR, request_nano_usd=request),
        context_window_tokens=section.context_window or 0,
        max_output_tokens=section.max_output_tokens or 0,
        capabilities=tuple(capability(name) for name in section.capabilities),
    )


def capability(name: str) -> "pb.Capability":
    """By the name that the configuration has for it."""
    return cast("pb.Capability", pb.Capability.Value(f"CAPABILITY_{name.upper()}"))  # the stubs call it an int


def _nano(usd_per_1m: Decimal | None) -> int | None:
    """Nano-USD for a thousand tokens; exact, since the configuration takes no finer amounts."""
    return None if usd_per_1m is None else int(usd_per_1m * (NANO_PER_USD // 1000))


def target_of(text: str) -> Target:
    """From "provider/model"."""
    provider, _, model = text.partition("/")
    return Target(provider, model)


def _tls(tls: config.Tls) -> TlsSettings | None:
    if tls.cert_file is None or tls.key_file is None:
        return None
    authority = None if tls.client_ca_file is None else str(tls.client_ca_file)
    return TlsSettings(str(tls.cert_file), str(tls.key_file), authority, tls.reload_interval_s)


def facts(settings: Settings, version: str, ports: Mapping[str, int]) -> Facts:
    """What the banner tells, with the ports as they really are."""
    server = settings.server
    return Facts(
        version=version,
        listen=_shown(server.listen, ports["port"]),
        health=_shown(server.health_listen, ports["health_port"]),
        metrics=_shown(server.metrics_listen, ports["metrics_port"]),
        state_dir=str(settings.state_dir),
        default_model=settings.default_model,
        providers=sorted(settings.providers),
        workers=server.workers,
        tls=server.tls.enabled,
        authentication=bool(settings.auth.api_keys),
        danger=server.insecure_bind and not (server.tls.enabled and settings.auth.api_keys),
        config=str(settings.path or ""),
        command="promptwire" if shutil.which("promptwire") else str(Path(sys.executable).with_name("promptwire")),
    )


def _shown(address: Address | None, port: int) -> str:
    return "" if address is None else str(replace(address, port=port or address.port))


def provider_settings(settings: Settings) -> dict[str, registry.Settings]:
    """Who is asked, by name."""
    return {name: _provider(section) for name, section in settings.providers.items()}


def _provider(section: sections.Provider) -> registry.Settings:
    match section:
        case sections.Echo():
            return registry.EchoSettings()
        case sections.Script():
            return script.Settings(section.file)
        case sections.Custom():
            return custom.Settings(section.entry_point, section.options, section.models)
        case _:
            return _http(section)


def _http(section: sections.Remote) -> HttpSettings:
    timeouts, bounds = section.timeouts, section.bounds
    return HttpSettings(
        dialect=section.kind,
        vendor=section.vendor or "",
        api_key=section.secret,
        api_keys=section.api_keys,
        base_url=section.base_url,
        options=section.options(),
        headers=section.headers,
        models=section.models,
        timeouts=Timeouts(timeouts.connect_s, timeouts.first_token_s, timeouts.idle_s, timeouts.total_s),
        bounds=Bounds(
            line_bytes=bounds.event_bytes,
            event_bytes=bounds.event_bytes,
            body_bytes=bounds.answer_bytes,
            large_bytes=bounds.large_answer_bytes,
            text_bytes=bounds.text_bytes,
            stream_bytes=bounds.stream_bytes,
        ),
        max_connections=section.max_connections,
        proxy=section.proxy,
        tls=Tls(_text(section.ca_file), _text(section.cert_file), _text(section.key_file)),
    )


def _text(path: Path | None) -> str:
    return "" if path is None else str(path)
