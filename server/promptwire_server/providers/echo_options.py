r"""What echo can be asked for beyond the request itself, in the model name or in provider_options_json["echo"].

echo/echo?delay_ms=50&words=100                       in the model name, as a URL query
{"echo": "{\"delay_ms\": 50, \"words\": 100}"}          in generation.provider_options_json; wins over the name, key by key
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from promptwire import v1 as pb
from promptwire_server.core.errors import CallerError, CapacityError, InvalidRequest, PromptwireError, UpstreamError
from promptwire_server.providers.classify import Said, error_of
from promptwire_server.providers.json_value import Json, parsed_object

_MAX_WORDS = 1_000_000
_MAX_DELAY_MS = 3_600_000.0
_OPTIONS_FIELD = 'generation.provider_options_json["echo"]'
_FAMILIES = (PromptwireError, CallerError, CapacityError, UpstreamError)


@dataclass(frozen=True, slots=True)
class EchoOptions:
    """How the echo differs from a plain one."""

    delay_ms: float = 0.0  # before the first word
    word_delay_ms: float = 0.0  # between words
    words: int = 0  # repeat or cut the text to so many words; 0: as it is
    tool: str | None = None  # call this tool; empty: the first that is declared
    arguments: str = ""  # its arguments as JSON text; empty: a sample of its schema
    calls: int = 1  # how many calls of the tool
    error: str = ""  # an ErrorReason without its prefix, or an HTTP status that a vendor might answer
    error_after_words: int = 0  # of a stream; 0: instead of an answer
    retry_after_ms: float | None = None  # comes with the error
    reasoning: str = ""  # thought before the answer
    refusal: str | None = None  # decline, in these words if there are any


def _number(low: float, high: float) -> Callable[[Json], float]:
    def parse(value: Json) -> float:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else -1.0
        if not low <= number <= high:
            raise ValueError(f"must be a number from {low:g} to {high:g}")
        return number

    return parse


def _count(value: Json) -> int:
    return int(_number(0, _MAX_WORDS)(value))


def _text(value: Json) -> str:
    if not isinstance(value, str | int):
        raise ValueError("must be a text")  # noqa: TRY004 - all faults of a value are one kind
    return str(value)


_delay = _number(0, _MAX_DELAY_MS)
_KEYS: Mapping[str, Callable[[Json], object]] = {
    "delay_ms": _delay,
    "word_delay_ms": _delay,
    "words": _count,
    "tool": _text,
    "arguments": _text,
    "calls": _count,
    "error": _text,
    "error_after_words": _count,
    "retry_after_ms": _delay,
    "reasoning": _text,
    "refusal": _text,
}


def options_of(query: str, generation: pb.GenerationSettings) -> EchoOptions:
    """What is asked for. Raises InvalidRequest naming the key, and all keys when it is unknown."""
    values: dict[str, object] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        values[key] = _checked("model", key, value)
    text = generation.provider_options_json.get("echo", "")
    if text:
        given = parsed_object(text)
        if given is None:
            raise InvalidRequest.at(_OPTIONS_FIELD, "must be a JSON object in text")
        values.update({key: _checked(_OPTIONS_FIELD, key, value) for key, value in given.items()})
    return EchoOptions(**values)  # type: ignore[arg-type]  # each value went through the parser of its key


def _checked(field: str, key: str, value: Json) -> object:
    if key not in _KEYS:
        raise InvalidRequest.at(field, f'echo has no option "{key[:64]}"; it has {", ".join(_KEYS)}')
    try:
        return _KEYS[key](value)
    except ValueError as error:
        raise InvalidRequest.at(field, f"{key}: {error}") from None


def error_called(name: str, provider: str, model: str, *, field: str, retry_after_s: float | None = None) -> PromptwireError:
    """The error of a reason ("OVERLOADED") or of an HTTP status ("503"). Raises InvalidRequest when there is none of this name."""
    if len(name) == 3 and name.isdigit():  # noqa: PLR2004 - digits of a status
        return error_of(Said(status=int(name), retry_after_s=retry_after_s), provider, model)
    kinds: dict[str, type[PromptwireError]] = {}
    for kind in _all_kinds(PromptwireError):
        if kind not in _FAMILIES:
            kinds.setdefault(pb.ErrorReason.Name(kind.reason).removeprefix("ERROR_REASON_"), kind)
    if name not in kinds:
        raise InvalidRequest.at(field, f'no error is called "{name[:64]}"; there are HTTP statuses and {", ".join(sorted(kinds))}')
    return kinds[name](f"{provider}/{model} was asked to fail with {name}", retry_after_s=retry_after_s)


def _all_kinds(kind: type[PromptwireError]) -> list[type[PromptwireError]]:
    """The class and all below it, parents first."""
    return [kind, *(below for child in kind.__subclasses__() for below in _all_kinds(child))]
