"""Echo: answers with exactly the text of the last user message. Deterministic; a token is a word.

It streams by word, keeps max_output_tokens, stop_sequences and candidate_count, answers a JSON object or a sample of the schema when the
response format asks for one, and the first of the choices. What else it can be asked for is in `echo_options`.
"""

import asyncio
from collections.abc import Sequence

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.clock import Clock
from promptwire_server.core.embedding import EmbedCall
from promptwire_server.core.errors import CapabilityMissing, InvalidRequest
from promptwire_server.core.reply import Reply
from promptwire_server.providers.canned import Canned, CannedCall, Sleep, Stage, prompt_words
from promptwire_server.providers.echo_options import EchoOptions, error_called, options_of
from promptwire_server.providers.json_value import dumped, parsed_object
from promptwire_server.providers.prompt import ends_with_tool_result, last_user_text
from promptwire_server.providers.sample import sample_of
from promptwire_server.providers.vectors import vector_of

_REFUSAL = "I would rather not say that."
_CAPABILITIES = (
    pb.CAPABILITY_CHAT,
    pb.CAPABILITY_STREAMING,
    pb.CAPABILITY_TOOLS,
    pb.CAPABILITY_PARALLEL_TOOLS,
    pb.CAPABILITY_JSON_SCHEMA,
    pb.CAPABILITY_JSON_OBJECT,
    pb.CAPABILITY_REASONING,
    pb.CAPABILITY_CANDIDATES,
    pb.CAPABILITY_SEED,
    pb.CAPABILITY_EMBEDDINGS,
)
_VECTOR = 64  # numbers of a vector, unless a length is asked for


class Echo:
    """The provider that says what it is told."""

    def __init__(self, clock: Clock, *, name: str = "echo", sleep: Sleep = asyncio.sleep) -> None:
        self.name = name
        self._stage = Stage(name, clock, sleep)

    async def __call__(self, call: Call) -> Reply:
        """Answer. Raises InvalidRequest for options it does not know, and whatever error it is asked for."""
        request = call.request
        model, _, query = (call.target.model if call.target else "echo").partition("?")
        if not call.stream and not query and not request.HasField("generation"):
            return self._plain(call, model)
        if request.generation.response_format.WhichOneof("format") in ("regex", "grammar"):
            raise CapabilityMissing(f"{self.name} cannot answer by a regular expression or a grammar; use another response_format")
        options = options_of(query, request.generation)
        return await self._stage.play(call, self._canned(request, options, model), model)

    def _plain(self, call: Call, model: str) -> Reply:
        """What `Stage` would answer, without its detours: the benchmark's case."""
        request = call.request
        text = last_user_text(request)
        response = pb.ChatResponse(text=text, provider=self.name, model=model)
        candidate = response.candidates.add(finish_reason=pb.FINISH_REASON_STOP, provider_finish_reason="stop")
        message = candidate.message
        message.role = pb.ROLE_ASSISTANT
        if text:
            message.parts.add(text=text)
        words = len(text.split())
        usage = response.usage
        usage.input_tokens = words if _prompt_only(request) else prompt_words(request)
        usage.output_tokens = words
        call.trail.attempts.append(pb.Attempt(provider=self.name, model=model, chosen_because=call.because))
        return Reply.whole(response)

    def _canned(self, request: pb.ChatRequest, options: EchoOptions, model: str) -> Canned:
        error = None
        if options.error:
            retry_after_s = None if options.retry_after_ms is None else options.retry_after_ms / 1000
            error = error_called(options.error, self.name, model, field="model", retry_after_s=retry_after_s)
        calls = () if options.tool is None or ends_with_tool_result(request) else _calls(request.generation, options)
        return Canned(
            text=_text(request, options),
            reasoning=options.reasoning,
            refusal="" if options.refusal is None else options.refusal or _REFUSAL,
            tool_calls=calls,
            delay_s=options.delay_ms / 1000,
            word_delay_s=options.word_delay_ms / 1000,
            error=error,
            error_after_words=options.error_after_words,
        )

    async def embed(self, call: EmbedCall) -> pb.EmbedResponse:
        """Vectors that depend on the text alone: the same text gives the same vector, and another text another."""
        size = call.request.dimensions or _VECTOR
        usage = pb.Usage(input_tokens=sum(len(text.split()) for text in call.request.texts))
        embeddings = [pb.Embedding(values=vector_of(text, size)) for text in call.request.texts]
        call.call.trail.attempts.append(pb.Attempt(provider=self.name, model=call.model, chosen_because=call.call.because))
        return pb.EmbedResponse(provider=self.name, model=call.model, embeddings=embeddings, usage=usage)

    async def count_tokens(self, call: Call) -> pb.CountTokensResponse:
        """Words of the prompt: exact, since that is how echo counts."""
        model = (call.target.model if call.target else "echo").partition("?")[0]
        return pb.CountTokensResponse(input_tokens=prompt_words(call.request), model=model, provider=self.name, method="words")

    async def models(self) -> Sequence[pb.Model]:
        """The one model."""
        return [
            pb.Model(name=f"{self.name}/echo", provider=self.name, provider_model="echo", capabilities=_CAPABILITIES, source="provider")
        ]

    async def aclose(self) -> None:
        """Nothing is open."""


def _prompt_only(request: pb.ChatRequest) -> bool:
    return bool(request.prompt) and not request.messages and not request.system


def _text(request: pb.ChatRequest, options: EchoOptions) -> str:
    text = last_user_text(request)
    formatted = request.generation.response_format
    kind = formatted.WhichOneof("format")
    if kind == "json_object":
        return dumped({"echo": text})
    if kind == "json_schema":
        schema = parsed_object(formatted.json_schema.schema_json)
        if schema is None:
            raise InvalidRequest.at("generation.response_format.json_schema.schema_json", "must be a JSON object in text")
        return dumped(sample_of(schema))
    if kind == "choices":
        return formatted.choices.choices[0] if formatted.choices.choices else ""
    return _repeated(text, options.words) if options.words else text


def _repeated(text: str, words: int) -> str:
    said = text.split() or ["echo"]
    return " ".join((said * (words // len(said) + 1))[:words])


def _calls(generation: pb.GenerationSettings, options: EchoOptions) -> tuple[CannedCall, ...]:
    declared = {tool.function.name: tool.function for tool in generation.tools if tool.HasField("function")}
    name = options.tool or next(iter(declared), "")
    if name not in declared:
        listed = ", ".join(sorted(declared)) or "none"
        raise InvalidRequest.at("model", f'option tool: no tool "{name[:64]}" is declared in generation.tools; declared: {listed}')
    schema = parsed_object(declared[name].parameters_json or "{}") or {}
    sample = sample_of({"type": "object", **schema})
    return (CannedCall(name, options.arguments or dumped(sample)),) * options.calls
