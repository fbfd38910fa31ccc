"""The requests that a client sends, from what people give. Pure; nothing given is changed."""

import json
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import TypedDict, cast

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from promptwire import _messages as messages
from promptwire import chainfile
from promptwire import v1 as pb
from promptwire._messages import FormatLike, MessageLike, ToolLike
from promptwire._scalars import did_you_mean

Prompt = str | pb.ChatRequest | Iterable[MessageLike]
Chain = str | os.PathLike[str] | pb.ChainSpec | pb.ChainRef | pb.RunChainRequest | Sequence[str]


class ChatOptions(TypedDict, total=False):
    """Fields of ChatRequest and GenerationSettings, under their names in the contract; words and dicts stand for messages."""

    model: str
    system: str
    fallback_models: Sequence[str]
    priority: str | int
    request_id: str  # default: a new one for each call, the same for its retries
    session_id: str
    cache: str | pb.CacheSettings
    dedup: bool
    labels: Mapping[str, str]
    end_user_id: str
    max_cost_nano_usd: int
    temperature: float
    top_p: float
    top_k: int
    max_output_tokens: int
    seed: int
    presence_penalty: float
    frequency_penalty: float
    stop_sequences: Sequence[str]
    candidate_count: int
    logprobs: bool
    top_logprobs: int
    logit_bias: Mapping[str, float]
    reasoning: str | pb.ReasoningSettings
    response_format: FormatLike
    tools: Iterable[ToolLike]
    tool_choice: str | pb.ToolChoice
    parallel_tool_calls: bool
    output_modalities: Sequence[str | int]
    audio: pb.AudioSettings
    provider_options_json: Mapping[str, object]  # provider -> JSON text, or what becomes it


_CONVERTERS: Mapping[str, Callable[[object], object]] = {
    "priority": lambda value: messages.enum(pb.Priority, "PRIORITY_", value),
    "cache": messages.cache,
    "reasoning": messages.reasoning,
    "response_format": lambda value: messages.response_format(cast("FormatLike", value)),
    "tools": lambda value: [messages.tool(each) for each in cast("Iterable[ToolLike]", value)],
    "tool_choice": messages.tool_choice,
    "output_modalities": lambda value: [messages.enum(pb.Modality, "MODALITY_", each) for each in cast("Iterable[object]", value)],
    "provider_options_json": lambda value: {key: messages.json_text(each) for key, each in cast("Mapping[str, object]", value).items()},
}
_CHAT_FIELDS = pb.ChatRequest.DESCRIPTOR.fields_by_name
_GENERATION_FIELDS = pb.GenerationSettings.DESCRIPTOR.fields_by_name
_OPTIONS = sorted({*_CHAT_FIELDS, *_GENERATION_FIELDS} - {"prompt", "messages", "generation"})
RUN_OPTIONS = ("model", "request_id", "priority", "labels", "limits", "session_id")  # fields of RunChainRequest besides chain and inputs


def new_request_id() -> str:
    """An identifier that nobody else makes: 32 hex digits."""
    return uuid.uuid4().hex


def chat(prompt: Prompt, options: ChatOptions, default_model: str = "") -> pb.ChatRequest:
    """A question; options win over what a given ChatRequest says. Always has a request_id. Raises TypeError for unknown options."""
    request = _question(prompt)
    fields: dict[str, object] = {}
    generation: dict[str, object] = {}
    for name, value in _converted(options, _OPTIONS):
        (fields if name in _CHAT_FIELDS else generation)[name] = value
    _override(request, fields)
    if generation:
        _override(request.generation, generation)
    request.model = request.model or default_model
    request.request_id = request.request_id or new_request_id()
    return request


def run(chain: Chain, inputs: Mapping[str, object], named: Mapping[str, object]) -> pb.RunChainRequest:
    """A chain with its inputs, texts as they are and everything else as JSON; in `named`, RUN_OPTIONS are options and the rest inputs.

    Raises TypeError, ChainFileError, and OSError when a file cannot be read.
    """
    request = _chain(chain)
    _override(request, dict(_converted({name: value for name, value in named.items() if name in RUN_OPTIONS}, RUN_OPTIONS)))
    _add_inputs(request, {**{name: value for name, value in named.items() if name not in RUN_OPTIONS}, **inputs})
    request.request_id = request.request_id or new_request_id()
    return request


def _add_inputs(request: pb.RunChainRequest, inputs: Mapping[str, object]) -> None:
    request.inputs.update({name: value for name, value in inputs.items() if isinstance(value, str)})
    others = {name: value for name, value in inputs.items() if not isinstance(value, str)}
    if others:
        given = json.loads(request.inputs_json) if request.inputs_json else {}
        request.inputs_json = messages.json_text({**given, **others})


def duration(seconds: float | None) -> Duration | None:
    """Seconds as a message; None stays None."""
    if seconds is None:
        return None
    message = Duration()
    message.FromNanoseconds(round(seconds * 1e9))
    return message


def _converted(options: Mapping[str, object], known: Sequence[str]) -> Iterator[tuple[str, object]]:
    """Name and value of the options that are set; None is not set."""
    for name, value in options.items():
        if name not in known:
            raise TypeError(f"unknown option {name}{did_you_mean(name, known)}")
        if value is not None:
            yield name, _CONVERTERS[name](value) if name in _CONVERTERS else value


def _override(message: Message, fields: Mapping[str, object]) -> None:
    # Cleared first: merging appends to lists, and leaves what the patch has as zero.
    for name in fields:
        message.ClearField(name)
    message.MergeFrom(type(message)(**fields))


def _question(prompt: Prompt) -> pb.ChatRequest:
    request = pb.ChatRequest()
    if isinstance(prompt, pb.ChatRequest):
        request.CopyFrom(prompt)
    elif isinstance(prompt, str):
        request.prompt = prompt
    elif isinstance(prompt, Mapping) or not isinstance(prompt, Iterable):
        raise TypeError(f"a prompt is a text, a list of messages or a promptwire.v1.ChatRequest, not {type(prompt).__name__}")
    else:
        request.messages.extend(messages.message(each) for each in prompt)
    return request


def _chain(chain: Chain) -> pb.RunChainRequest:
    request = pb.RunChainRequest()
    if isinstance(chain, pb.RunChainRequest):
        request.CopyFrom(chain)
    elif isinstance(chain, pb.ChainSpec):
        request.spec.CopyFrom(chain)
    elif isinstance(chain, pb.ChainRef):
        request.chain.CopyFrom(chain)
    elif isinstance(chain, os.PathLike) or (isinstance(chain, str) and _is_file(chain)):
        request.CopyFrom(chainfile.open_file(chain).request)
    elif isinstance(chain, str):
        request.chain.name = chain
    else:
        request.prompts.extend(chain)
    return request


def _is_file(name: str) -> bool:
    # A registered chain has a name without a slash.
    return "/" in name or "\\" in name or PurePath(name).suffix in {".yaml", ".yml", ".json"}
