"""Answers of /api/chat, whole or in lines."""

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.ids import Ids
from promptwire_server.core.reply import Event
from promptwire_server.providers.answer import Answer
from promptwire_server.providers.counts import note_estimate, total_of
from promptwire_server.providers.growing import Growing
from promptwire_server.providers.json_value import Json, JsonObject, dumped, list_in, object_in, text_in
from promptwire_server.providers.lane import Lane
from promptwire_server.providers.logprobs import logprobs_of
from promptwire_server.providers.ollama.errors import error_in

_KNOWN = frozenset({"model", "message", "done", "done_reason", "prompt_eval_count", "eval_count", "logprobs", "created_at"})
_KNOWN_IN_MESSAGE = frozenset({"role", "content", "thinking", "tool_calls"})
_PLAIN = frozenset({"model", "created_at", "message", "done"})  # a line that brings a piece of the message and nothing else
_REASONS = {
    "stop": pb.FINISH_REASON_STOP,
    "length": pb.FINISH_REASON_LENGTH,
    "load": pb.FINISH_REASON_STOP,
    "unload": pb.FINISH_REASON_STOP,
}


class OllamaAnswer(Answer):
    """See Answer. There is one candidate."""

    __slots__ = ("_input", "_lane", "_output")

    def __init__(self, call: Call, provider: str, ids: Ids) -> None:
        super().__init__(call, provider, ids)
        self._lane = self.lane(0)
        self._input: Json = None
        self._output: Json = None

    def from_event(self, name: str, data: str, out: list[Event]) -> None:  # noqa: ARG002 - lines have no names
        """See Answer."""
        line = self.parsed(data)
        message = object_in(line.get("message"))
        content = message.get("content")
        part = self._lane.text
        # Most lines are this: one more piece of the text and nothing else.
        if part is not None and content and isinstance(content, str) and line.keys() == _PLAIN and message.keys() == {"role", "content"}:
            self.piece(part, content, out)
            return
        self.flush(out)
        self._look_through(line, message, out)
        if line.get("done") is True:
            self.end(out)

    def from_wire(self, body: JsonObject, out: list[Event]) -> None:
        """See Answer."""
        self._look_through(body, object_in(body.get("message")), out)
        if body.get("done") is not True:
            self.cut_off("", out)

    def cut_off(self, rest: str, out: list[Event]) -> None:
        """The last line counts without its line feed when it says that it is the last."""
        if not rest.startswith("{") or not rest.endswith("}"):
            super().cut_off(rest, out)
        self.from_event("", rest, out)
        if not self.done:
            super().cut_off("", out)

    def reason_of(self, lane: Lane) -> "pb.FinishReason":
        """See Answer."""
        reason = _REASONS.get(lane.finish or "", pb.FINISH_REASON_UNSPECIFIED)
        return pb.FINISH_REASON_TOOL_CALLS if reason == pb.FINISH_REASON_STOP and "tool_call" in lane.kinds() else reason

    def usage_from_wire(self, usage: pb.Usage, notices: list[pb.Notice]) -> None:
        """See Answer. A prompt that the server still had in memory goes uncounted on some versions, and is estimated then."""
        usage.input_tokens = total_of(self._input, usage, self.asked_tokens)
        usage.output_tokens = total_of(self._output, usage, self.said_tokens)
        note_estimate(usage, notices, said_something=self._output is not None)

    def _look_through(self, line: JsonObject, message: JsonObject, out: list[Event]) -> None:
        if "error" in line:
            raise error_in(line, provider=self.provider, model=self.model)
        self.model = text_in(line.get("model")) or self.model
        lane = self._lane
        if logprobs := list_in(line.get("logprobs")):
            lane.take_logprobs(logprobs_of(logprobs))
        lane.plain("reasoning", message.get("thinking"), out)
        lane.text = lane.plain("text", message.get("content"), out) or lane.text
        for item in map(object_in, list_in(message.get("tool_calls"))):
            self._tool_call(item, out)
        lane.tail_of_logprobs(out)
        for name in message.keys() - _KNOWN_IN_MESSAGE:
            lane.note(name, message[name])
        self._rest(line)

    def _rest(self, line: JsonObject) -> None:
        self._input = line.get("prompt_eval_count", self._input)
        self._output = line.get("eval_count", self._output)
        if line.get("done") is True:
            self._lane.finish = text_in(line.get("done_reason")) or "stop"  # servers before 0.1.45 do not say why
        for name in line.keys() - _KNOWN:
            self.extras[name] = line[name]

    def _tool_call(self, item: JsonObject, out: list[Event]) -> None:
        """A call comes at once, its arguments as an object; only newer servers give it an id."""
        function = object_in(item.get("function"))
        part: Growing = self._lane.open("tool_call")
        part.name = text_in(function.get("name"))
        part.wire_id = text_in(item.get("id")).strip()
        self._lane.begin(part, out)
        arguments = function.get("arguments")
        self._lane.grow(part, "arguments_json", arguments if isinstance(arguments, str) else dumped(object_in(arguments)), out)
