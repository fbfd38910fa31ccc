"""Wishes for the prompt cache: marks in content, for the models that take them. All others cache long prompts by themselves."""

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.providers.asked import setting_dropped
from promptwire_server.providers.json_value import JsonObject
from promptwire_server.providers.openai.facts import Facts, matches

_BY_ITSELF = "this model caches long prompts by itself, and takes no marks here"


class CacheHints:
    """The wishes of one call. What cannot be met is noted once: a long conversation would say it on every turn."""

    __slots__ = ("_call", "_control", "_longest", "_marks", "_noted")

    def __init__(self, call: Call, facts: Facts, *, longest: str = "") -> None:
        self._call = call
        self._control = facts.cache_control
        self._marks = matches(call.target.model if call.target else call.request.model, facts.cache_breakpoints)
        self._longest = longest  # the API's word for the lifetime that covers an hour; empty: has none
        self._noted = False

    def mark(self, item: JsonObject, part: pb.ContentPart, path: str) -> JsonObject:
        """The content part of the wire, with the mark that it wishes for."""
        if not part.HasField("cache_hint"):
            return item
        hour = part.cache_hint.ttl == pb.CacheHint.TTL_1_HOUR
        if self._control:
            item["cache_control"] = {"type": "ephemeral", "ttl": "1h"} if hour else {"type": "ephemeral"}
        elif self._marks:
            item["prompt_cache_breakpoint"] = {"mode": "explicit", "ttl": self._longest} if hour and self._longest else {"mode": "explicit"}
            if hour and not self._longest:
                self._note(path, "the lifetime is the vendor's default, 30 minutes")
        else:
            self._note(path, _BY_ITSELF)
        return item

    def unmet(self, part: pb.ContentPart, path: str) -> None:
        """Note that this part cannot be marked, if it wishes to be."""
        if part.HasField("cache_hint"):
            self._note(path, _BY_ITSELF)

    def _note(self, path: str, why: str) -> None:
        if not self._noted:
            self._noted = True
            setting_dropped(self._call, f"{path}.cache_hint", why)
