"""The prompt step: renders its templates and asks a model."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from promptwire import v1 as pb
from promptwire_server.chains.rendering import Text
from promptwire_server.chains.site import Site
from promptwire_server.chains.turn import Outcome, Turn
from promptwire_server.core import json_text
from promptwire_server.core.checks import cache_settings, check_generation, check_messages
from promptwire_server.core.errors import InvalidRequest, OutputSchemaMismatch, Violation
from promptwire_server.core.fields import Found, model_name

_JSON_FORMATS: Final = frozenset({"json_object", "json_schema"})
_MOST_MODELS: Final = 16
_MOST_MESSAGES: Final = 256


@dataclass(frozen=True, slots=True)
class Part:
    """A text part of a message that is a template."""

    message: int
    part: int
    text: Text


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question with templates in it."""

    draft: pb.ChatRequest  # all that needs no rendering; copied for each turn
    system: Text | None
    user: Text | None
    parts: tuple[Part, ...]
    wants_json: bool
    models: tuple[str, ...]
    path: str
    asks_model: bool = True

    async def perform(self, turn: Turn) -> Outcome:
        """Ask. Raises InvalidTemplate, OutputSchemaMismatch, and what asking raises."""
        response = await turn.ask(self._request(turn))
        if self.wants_json and not _calls_tools(response):
            return _json_outcome(response)
        return Outcome(response.text, response.text)

    def _request(self, turn: Turn) -> pb.ChatRequest:
        request = pb.ChatRequest()
        request.CopyFrom(self.draft)
        if turn.models:
            request.model = turn.models[0]
            request.fallback_models.extend(turn.models[1:])
        if self.system is not None:
            request.system = self.system.render(turn.values)
        if self.user is not None:
            request.prompt = self.user.render(turn.values)
        for part in self.parts:
            request.messages[part.message].parts[part.part].text = part.text.render(turn.values)
        if not request.prompt and not request.messages:
            path = self.user.path if self.user else self.path
            raise InvalidRequest.at(path, "rendered to an empty prompt: there is nothing to ask the model")
        return request


def _calls_tools(response: pb.ChatResponse) -> bool:
    return bool(response.candidates) and response.candidates[0].finish_reason == pb.FINISH_REASON_TOOL_CALLS


def _json_outcome(response: pb.ChatResponse) -> Outcome:
    try:
        value = json_text.parse(response.text)
    except json_text.NotJson as error:
        raise OutputSchemaMismatch(f"the prompt asks for JSON, and the answer {error}{_why(response)}") from None
    return Outcome(response.text, value, response.text.strip())


def _why(response: pb.ChatResponse) -> str:
    """What the finish reason tells about an answer that is no JSON."""
    match response.candidates[0].finish_reason if response.candidates else pb.FINISH_REASON_UNSPECIFIED:
        case pb.FINISH_REASON_LENGTH:
            return "; it was cut off: raise max_output_tokens"
        case pb.FINISH_REASON_REFUSAL:
            return "; the model refused"
        case pb.FINISH_REASON_CONTENT_FILTER:
            return "; the vendor's filter cut it"
    return ""


def compile_prompt(message: pb.PromptAction, site: Site, defaults: pb.ChainDefaults) -> Prompt:
    """The action. What is wrong goes to the site; the action is then never run."""
    _check(message, site)
    generation = merged(defaults.generation, message.generation)
    if message.HasField("generation"):
        _check_merged(generation, defaults, site.at("generation"))
    draft = pb.ChatRequest(messages=message.messages)
    if defaults.HasField("generation") or message.HasField("generation"):
        draft.generation.CopyFrom(generation)
    if message.HasField("cache"):
        draft.cache.CopyFrom(message.cache)
    return Prompt(
        draft=draft,
        system=_text(message.system, site.at("system")),
        user=_text(message.user, site.at("user")),
        parts=tuple(_parts(message.messages, site.at("messages"))),
        wants_json=generation.response_format.WhichOneof("format") in _JSON_FORMATS,
        models=tuple(message.models),
        path=site.path,
    )


def _check(message: pb.PromptAction, site: Site) -> None:
    if not message.user and not message.messages:
        site.fault("asks nothing: set user, or messages")
    if message.conversation_id:
        site.findings.unavailable(site.at("conversation_id").path, "conversations are")
    check_models(message.models, site.at("models"))
    found: list[Violation] = []
    if len(message.messages) > _MOST_MESSAGES:
        site.at("messages").fault(f"has {len(message.messages)} messages; at most {_MOST_MESSAGES} are allowed")
    else:
        check_messages(message.messages, site.at("messages").path, found)
    cache_settings(message.cache, site.at("cache").path, found)
    site.findings.fields(found)


def check_models(models: Iterable[str], site: Site) -> None:
    """A list of models to try in order."""
    for index, model in enumerate(models):
        if not model:
            site.findings.field(f"{site.path}[{index}]", "is empty; name a model, or leave the list out")
        wrong: Found = []
        model_name(model, f"{site.path}[{index}]", wrong)
        site.findings.fields(wrong)
        if index == _MOST_MODELS:
            site.fault(f"has more than {_MOST_MODELS} models")
            return


def _check_merged(generation: pb.GenerationSettings, defaults: pb.ChainDefaults, site: Site) -> None:
    """Check what the step will use, without repeating what the defaults were told already."""
    told = {violation.message for violation in check_generation(defaults.generation, "")}
    site.findings.fields([violation for violation in check_generation(generation, site.path) if violation.message not in told])


def merged(defaults: pb.GenerationSettings, own: pb.GenerationSettings) -> pb.GenerationSettings:
    """The settings of a step: its own where it has any, field by field. A list or map of its own replaces the default's."""
    settings = pb.GenerationSettings()
    settings.CopyFrom(defaults)
    for field, _ in own.ListFields():
        settings.ClearField(field.name)
    settings.MergeFrom(own)
    return settings


def _text(source: str, site: Site) -> Text | None:
    template = site.template(source) if source else None
    return Text(template, site.path) if template else None


def _parts(messages: Iterable[pb.ChatMessage], site: Site) -> Iterable[Part]:
    for number, message in enumerate(messages):
        for index, part in enumerate(message.parts):
            if site.findings.full:
                return
            if part.WhichOneof("content") != "text":
                continue
            text = _text(part.text, site.item(number).at(f"parts[{index}].text"))
            if text is not None:
                yield Part(number, index, text)
