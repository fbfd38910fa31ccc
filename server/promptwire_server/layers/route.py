"""Route: from the model that a call names to the targets that may answer, tried in order."""

import difflib
from collections.abc import Mapping, Sequence

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Target
from promptwire_server.core.errors import NotFound, PromptwireError, Violation
from promptwire_server.core.handler import Handler
from promptwire_server.core.reply import Reply


class Routes:
    """Which names mean which targets."""

    def __init__(self, aliases: Mapping[str, Sequence[Target]], providers: Sequence[str], default: str) -> None:
        self._aliases = {name: tuple(targets) for name, targets in aliases.items()}
        self._providers = frozenset(providers)
        self.default = default

    def resolve(self, model: str, field: str = "model") -> tuple[Target, ...]:
        """The targets of an alias or of "provider/model"; of nothing, those of the default model. Raises NotFound."""
        name = model or self.default
        aliased = self._aliases.get(name)
        if aliased is not None:
            return aliased
        provider, _, rest = name.partition("/")
        if rest and provider in self._providers:
            return (Target(provider, rest),)
        raise self._unknown(name, provider if rest else "", field)

    def of_call(self, request: pb.ChatRequest) -> tuple[Target, ...]:
        """All targets of a request: its model's, then its fallbacks'; none twice."""
        if not request.fallback_models:
            return self.resolve(request.model)
        targets = list(self.resolve(request.model))
        for position, fallback in enumerate(request.fallback_models):
            targets.extend(self.resolve(fallback, f"fallback_models[{position}]"))
        return tuple(dict.fromkeys(targets))

    def _unknown(self, name: str, provider: str, field: str) -> NotFound:
        shown = name[:128]
        if provider:
            message = (
                f'no provider is called "{provider[:64]}" (in "{shown}"); this server has {", ".join(sorted(self._providers)) or "none"}'
            )
        else:
            near = difflib.get_close_matches(shown, self._aliases, n=1)
            hint = f'did you mean "{near[0]}"?' if near else 'write "provider/model", or a name that ListModels gives'
            message = f'no model is called "{shown}"; {hint}'
        return NotFound(message, violations=[Violation(field, message)])


class Router:
    """The Handler behind all layers: hands a call to its targets' handlers, the next one when another target may help."""

    def __init__(self, routes: Routes, handlers: Mapping[str, Handler]) -> None:
        self._routes = routes
        self._handlers = dict(handlers)

    async def __call__(self, call: Call) -> Reply:
        """The first answer. Raises what the last target raised."""
        first, *others = self._routes.of_call(call.request)
        target = first
        for following in others:
            try:
                return await self._ask(call, target)
            except PromptwireError as error:
                if not error.elsewhere:
                    raise
            call.notice(pb.Notice.CODE_FALLBACK_USED, f"{target} failed; {following} was asked instead")
            target = following
        return await self._ask(call, target)

    async def _ask(self, call: Call, target: Target) -> Reply:
        return await self._handlers[target.provider](call.aimed_at(target))
