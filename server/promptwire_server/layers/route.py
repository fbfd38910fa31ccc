"""Route: from a name to the targets that it means."""

import difflib
from collections.abc import Mapping, Sequence

from promptwire_server.core.call import Target
from promptwire_server.core.errors import NotFound, Violation


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
