"""Families: in what Anthropic's models differ when they are asked. A generation of models is a row.

From platform.claude.com as of November 2026: the models overview and each model's "what's new", and the pages on thinking, effort,
structured outputs and mid-conversation system messages. What a row does not allow is answered with 400 by the vendor.
"""

import re
from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True, slots=True)
class Family:
    """What models of one generation take. The defaults are what the newest ones have in common."""

    most_output: int = 128_000  # tokens of an answer
    thinking: Literal["adaptive", "budget", ""] = "adaptive"  # the model decides how much, or is told a number; empty: it cannot think
    budgets: bool = False  # of adaptive ones: also takes a number of tokens
    off: Literal["disabled", "between_tools", ""] = "disabled"  # the word that turns thinking off; empty: it cannot be turned off
    unasked: bool = True  # thinks unless told not to
    forced_tools: bool = True  # a call of a tool can be demanded
    sampling: Literal["all", "either", "none"] = "none"  # of temperature, top_p and top_k; either: not the first two together
    inline_system: bool = True  # takes system messages in the midst of a conversation
    json_schema: bool = True  # can be held to a schema


_ALWAYS = Family(off="", forced_tools=False)  # thinking cannot be turned off
_BY_NUMBER = Family(most_output=64_000, thinking="budget", unasked=False, sampling="either", inline_system=False)
_FIRST_TO_THINK = replace(_BY_NUMBER, sampling="all", json_schema=False)
_OLD = replace(_FIRST_TO_THINK, most_output=4_096, thinking="")

# Of names in lower case with "-" in place of "."; the first that fits counts. What follows a version may be a date, but no further digit:
# that would be a version that the table does not know.
_ROWS = tuple(
    (re.compile(f"claude.*(?:{pattern})(?!\\d|-\\d(?!\\d))"), family)
    for pattern, family in (
        ("opus-5-5|fable-5-[12]|mythos-5-[12]", _ALWAYS),
        ("fable-5|mythos-5", Family(off="")),
        ("mythos-preview", Family(off="", inline_system=False)),
        ("sonnet-5-5", Family(off="between_tools", forced_tools=False)),
        ("haiku-5-5|opus-5", Family()),
        ("sonnet-5", Family(inline_system=False)),
        ("opus-4-8", Family(unasked=False)),
        ("opus-4-7", Family(unasked=False, inline_system=False)),
        ("opus-4-6", Family(budgets=True, unasked=False, sampling="either", inline_system=False)),
        ("sonnet-4-6", Family(most_output=64_000, budgets=True, unasked=False, sampling="either", inline_system=False)),
        ("(?:opus|sonnet|haiku)-4-5", _BY_NUMBER),
        ("opus-4-1", replace(_BY_NUMBER, most_output=32_000, json_schema=False)),
        ("opus-4(?:-0)?", replace(_FIRST_TO_THINK, most_output=32_000)),
        ("sonnet-4(?:-0)?|3-7-sonnet", _FIRST_TO_THINK),
        ("3-5-(?:sonnet|haiku)", replace(_OLD, most_output=8_192)),
        ("3-(?:opus|sonnet|haiku)", _OLD),
    )
)
_NEWER = Family(off="")  # a Claude that is newer than this table
# Others who speak this dialect: they know what it had in its first years.
_OTHER = replace(_FIRST_TO_THINK, most_output=8_192, json_schema=True)


def family_of(model: str) -> Family:
    """The family of a model by its name, also as other clouds spell it."""
    name = model.lower().replace(".", "-")
    for pattern, family in _ROWS:
        if pattern.search(name):
            return family
    return _NEWER if "claude" in name else _OTHER
