"""Turns: the conversation as the wire has it, each role's neighbours joined, and every system message where one may stand."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.providers.anthropic.families import Family

_THOUGHTS = ("thinking", "redacted_thinking")
Block = dict[str, object] | orjson.Fragment  # a fragment is a block of the vendor's own, verbatim


@dataclass(frozen=True, slots=True)
class Turn:
    """What one role says, from one message or several that follow each other."""

    role: str  # user, assistant or system
    blocks: list[Block]
    path: str  # of its first message


def joined(turns: Iterable[Turn]) -> list[Turn]:
    """The turns with neighbours of one role as one. Results of tools come first: the vendor looks for them only there."""
    found: list[Turn] = []
    for turn in turns:
        if not turn.blocks:
            continue
        if found and found[-1].role == turn.role:
            found[-1].blocks.extend(turn.blocks)
        else:
            found.append(Turn(turn.role, list(turn.blocks), turn.path))
    for turn in found:
        turn.blocks.sort(key=_after_results)
    return found


def placed(turns: Sequence[Turn], family: Family, call: Call) -> list[Turn]:
    """The turns with system messages only where the vendor takes them: behind the user's turn, and before the assistant's or the end.

    Elsewhere, and for models that take none, they stand in the user's turn at the same place, marked as what they are.
    """
    allowed = [family.inline_system and _may_stand(turns, at) for at in range(len(turns))]
    return joined(turn if turn.role != "system" or fits else _marked(turn, call) for turn, fits in zip(turns, allowed, strict=True))


def content(blocks: list[Block]) -> object:
    """A string where there is one plain text; else the list."""
    if len(blocks) == 1 and isinstance(only := blocks[0], dict) and only.keys() == {"type", "text"}:
        return only["text"]
    return blocks


def unthought(messages: object) -> bool:
    """Whether the wire's messages answer tool calls of a turn that does not begin with a thought: the vendor refuses to think then."""
    last: object = None
    answers = False
    for message in messages if isinstance(messages, list) else ():
        blocks = message["content"] if isinstance(message["content"], list) else []
        if message["role"] == "assistant":
            last, answers = blocks[0] if blocks else None, False
        else:
            answers = answers or any(_type(block) == "tool_result" for block in blocks)
    return answers and _type(last) not in _THOUGHTS


def _type(block: object) -> object:
    return block.get("type") if isinstance(block, dict) else None


def _may_stand(turns: Sequence[Turn], at: int) -> bool:
    behind = at > 0 and turns[at - 1].role == "user"
    return behind and (at + 1 == len(turns) or turns[at + 1].role == "assistant")


def _marked(turn: Turn, call: Call) -> Turn:
    call.notice(
        pb.Notice.CODE_CONTENT_DROPPED,
        "sent as text of the user's, marked as <system>: the model takes no system message here",
        turn.path,
    )
    return Turn("user", [_wrapped(block) for block in turn.blocks], turn.path)


def _wrapped(block: Block) -> Block:
    return {**block, "text": f"<system>\n{block['text']}\n</system>"} if isinstance(block, dict) else block


def _after_results(block: Block) -> bool:
    return not (isinstance(block, dict) and block.get("type") == "tool_result")
