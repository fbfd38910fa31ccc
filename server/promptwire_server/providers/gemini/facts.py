"""Facts: in what the families of models differ. A family is a row; of a name that no row knows, what all of the newest take."""

import re
from dataclasses import dataclass

_USUAL_LEVELS = ("LOW", "MEDIUM", "HIGH")


@dataclass(frozen=True, slots=True)
class Facts:
    """What one family takes. The defaults are those of Gemini 3 and later."""

    levels: tuple[str, ...] = _USUAL_LEVELS  # of thinking, least first; empty: takes a budget, or does not think
    budgets: tuple[int, int] | None = None  # the least and the most tokens of thinking
    may_stop: bool = False  # can be told not to think at all
    signed_calls: bool = True  # refuses calls of the turn under way that have no thought signature
    result_media: bool = True  # takes media within the result of a tool; else they stand beside it
    detail: bool = True  # takes a resolution for each medium
    penalties: bool = True  # takes penalties; else refuses them

    @property
    def thinks(self) -> bool:
        """Whether there is anything to set."""
        return bool(self.levels) or self.budgets is not None


def _older(least: int = 0, most: int = 0, *, may_stop: bool = False) -> Facts:
    budgets = (least, most) if most else None
    return Facts(levels=(), budgets=budgets, may_stop=may_stop, signed_calls=False, result_media=False, detail=False)


# Levels and budgets as in the vendor's guide to thinking (ai.google.dev/gemini-api/docs/thinking) and in those to its newer models; what
# refuses unsigned calls as in its guide to thought signatures. The first pattern that a name begins with decides.
_ROWS: tuple[tuple[str, Facts], ...] = (
    (r"gemini-(1|2\.0|pro-vision)|gemma-[123]|learnlm|gemini-2\.5-.*(tts|image)", _older()),
    (r"gemini-2\.5-pro", _older(128, 32_768)),
    (r"gemini-2\.5-flash-lite", _older(512, 24_576, may_stop=True)),
    (r"gemini-2\.5|gemini-robotics-er-1", _older(1, 24_576, may_stop=True)),
    (r"gemini-3-pro-image", Facts(levels=("LOW", "HIGH"), signed_calls=False)),
    (r"gemini-3-pro", Facts(levels=("LOW", "HIGH"))),
    (r"gemini-3\.5-flash-lite|gemini-flash-lite-latest", Facts(levels=("MINIMAL", *_USUAL_LEVELS), penalties=False)),
    (r"gemini-3(\.[0-5])?-flash", Facts(levels=("MINIMAL", *_USUAL_LEVELS))),
    (r"gemini-(3\.[6-9]|flash-latest)", Facts(penalties=False)),
    (r"gemma", Facts(signed_calls=False, result_media=False)),
)
_PATTERNS = tuple((re.compile(pattern), facts) for pattern, facts in _ROWS)
_UNKNOWN = Facts()


def facts_of(model: str) -> Facts:
    """The facts of the family that a model belongs to by its name."""
    name = model.rpartition("/")[2]
    return next((facts for pattern, facts in _PATTERNS if pattern.match(name)), _UNKNOWN)
