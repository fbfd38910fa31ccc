"""Keys of the configuration that say how often callers may ask, and how much at once."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from promptwire_server.config.routing import Names
from promptwire_server.config.section import Name, Section

Dimension = Literal["tenant", "key", "user", "session", "model"]


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _distinct(values: list[Dimension]) -> list[Dimension]:
    return list(dict.fromkeys(values))


class LimitMatch(Section):
    """Whose calls a limit counts: a name, or several; "*" in one stands for any text."""

    tenant: Names = Field(default_factory=list, description="Tenants. Default: all.", examples=["search", ["search", "shop-*"]])
    key: Names = Field(default_factory=list, description="API keys, by name. Default: all.", examples=["search-backend"])
    user: Names = Field(default_factory=list, description="End users, as end_user_id says. Default: all.", examples=["guest-*"])
    session: Names = Field(default_factory=list, description="Sessions, as session_id says. Default: all.", examples=["trial-*"])
    model: Names = Field(
        default_factory=list,
        description="Models, as calls ask for them: an alias, or provider/model. Default: all.",
        examples=["best", ["openai/gpt-4o*", "best"]],
    )


class Limit(Section):
    """A limit of callers. A call that several limits count must fit into all of them; else it counts in none."""

    name: Name = Field(description="What refused callers, logs and metrics are told. Unique.", examples=["search-team"])
    per: Annotated[
        list[Dimension], BeforeValidator(_listed, json_schema_input_type=Dimension | list[Dimension]), AfterValidator(_distinct)
    ] = Field(
        default_factory=list,
        description="Each has a count of its own: tenant, key (API key), user (end_user_id, within its tenant), session (session_id, "
        "within its tenant), model (as asked for), or a list of them: each combination. Calls without such a name are not counted. "
        "Default: one count for all calls that match.",
        examples=["tenant", ["key", "model"]],
    )
    match: LimitMatch = Field(
        LimitMatch.model_validate({}), description="Whose calls are counted. Default: all.", examples=[{"tenant": "search"}]
    )
    requests_per_minute: int | None = Field(
        None, ge=1, le=1_000_000_000, description="Calls a minute. Default: any number.", examples=[600]
    )
    burst: int | None = Field(
        None,
        ge=1,
        le=1_000_000_000,
        description="Calls at once, after a pause: the size of the token bucket that requests_per_minute fills evenly. "
        "Default: requests_per_minute.",
        examples=[50],
    )
    tokens_per_minute: int | None = Field(
        None,
        ge=1,
        le=1_000_000_000_000,
        description="Tokens a minute, of prompts and answers together; estimated first, corrected when the answer has ended. "
        "Default: any number.",
        examples=[200000],
    )
    concurrency: int | None = Field(
        None, ge=1, le=1_000_000, description="Calls at the same time, each until its answer has ended. Default: any number.", examples=[32]
    )


_AMOUNTS = ("requests_per_minute", "tokens_per_minute", "concurrency")


def limit_faults(limits: list[Limit]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Limits have unique names, and each limits something."""
    names: dict[str, int] = {}
    for position, limit in enumerate(limits):
        at = ("limits", str(position))
        if all(getattr(limit, key) is None for key in _AMOUNTS):
            yield at, f"limits nothing; it needs one of {', '.join(_AMOUNTS)}"
        if limit.burst is not None and limit.requests_per_minute is None:
            yield (*at, "burst"), "has no effect without requests_per_minute; add that, or remove it"
        if limit.name in names:
            yield (*at, "name"), f'"{limit.name}" is also the name of limits[{names[limit.name]}]; names are unique'
        names.setdefault(limit.name, position)


def idle_limits(limits: list[Limit], keys: dict[str, str]) -> Iterator[str]:
    """What the operator should know at start: limits whose names nobody has. `keys` are all that may call, with their tenants."""
    for position, limit in enumerate(limits):
        for key, named, known in (("key", limit.match.key, set(keys)), ("tenant", limit.match.tenant, set(keys.values()))):
            missing = [name for name in named if "*" not in name and name not in known]
            if missing:
                yield f"limits[{position}].match.{key}: no API key is {'called' if key == 'key' else 'of'} {', '.join(missing)}"
