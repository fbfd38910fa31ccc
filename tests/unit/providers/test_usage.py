"""Usage as the contract counts it, from what vendors say."""

import pytest
from google.protobuf.json_format import MessageToDict

from promptwire import v1 as pb
from promptwire_server.providers.json_value import Json
from promptwire_server.providers.openai.usage import fill_usage, unknown_usage

PROMPT, SAID = 11, 22  # the estimates


def filled(wire: Json) -> tuple[dict[str, object], list[str]]:
    usage, notices = pb.Usage(), list[pb.Notice]()
    fill_usage(usage, wire, notices, prompt=lambda: PROMPT, said=lambda: SAID)
    counts = MessageToDict(usage, preserving_proto_field_name=True)
    numbers: dict[str, object] = {name: int(count) if isinstance(count, str) else count for name, count in counts.items()}
    return numbers, [pb.Notice.Code.Name(notice.code).removeprefix("CODE_USAGE_") for notice in notices]


def both(prompt: Json, completion: Json, **more: Json) -> Json:
    return {"prompt_tokens": prompt, "completion_tokens": completion, **more}


@pytest.mark.parametrize(
    ("wire", "usage", "notices"),
    [
        (both(3, 4), {"input_tokens": 3, "output_tokens": 4}, []),
        (both("3", "4"), {"input_tokens": 3, "output_tokens": 4}, []),
        (both(3.0, 4.0), {"input_tokens": 3, "output_tokens": 4}, []),
        (None, {"input_tokens": 11, "output_tokens": 22, "estimated": True}, ["ESTIMATED"]),
        ({}, {"input_tokens": 11, "output_tokens": 22, "estimated": True}, ["ESTIMATED"]),
        (both(-5, -7), {"input_tokens": 11, "output_tokens": 22, "estimated": True}, ["CORRECTED"]),
        (both(10**18, 10**18), {"input_tokens": 11, "output_tokens": 22, "estimated": True}, ["CORRECTED"]),
        (both(0, 0), {"input_tokens": 11, "output_tokens": 22, "estimated": True}, ["CORRECTED"]),
        (both([3], "four"), {"input_tokens": 11, "output_tokens": 22, "estimated": True}, ["CORRECTED"]),
        (both(3, None), {"input_tokens": 3, "output_tokens": 22, "estimated": True}, ["CORRECTED"]),
        (
            both(9, 4, prompt_tokens_details={"cached_tokens": 5, "audio_tokens": 2, "image_tokens": 1, "cache_write_tokens": 3}),
            {
                "input_tokens": 9,
                "output_tokens": 4,
                "cached_input_tokens": 5,
                "input_audio_tokens": 2,
                "input_image_tokens": 1,
                "cache_write_5m_tokens": 3,
            },
            [],
        ),
        (
            both(3, 9, completion_tokens_details={"reasoning_tokens": 5, "audio_tokens": 2}),
            {"input_tokens": 3, "output_tokens": 9, "reasoning_tokens": 5, "output_audio_tokens": 2},
            [],
        ),
        # Reasoning beside the completion, as some count it.
        (
            both(3, 4, total_tokens=12, completion_tokens_details={"reasoning_tokens": 5}),
            {"input_tokens": 3, "output_tokens": 9, "reasoning_tokens": 5},
            [],
        ),
        (both(3, 4, completion_tokens_details={"reasoning_tokens": 5}), {"input_tokens": 3, "output_tokens": 9, "reasoning_tokens": 5}, []),
        (both(3, 4, prompt_cache_hit_tokens=2), {"input_tokens": 3, "output_tokens": 4, "cached_input_tokens": 2}, []),
        # A part cannot be larger than the whole.
        (
            both(3, 4, prompt_tokens_details={"cached_tokens": 50}),
            {"input_tokens": 3, "output_tokens": 4, "cached_input_tokens": 3},
            ["CORRECTED"],
        ),
        (both(3, 4, prompt_tokens_details="many", completion_tokens_details=None), {"input_tokens": 3, "output_tokens": 4}, []),
    ],
)
def test_what_is_said_becomes_usage(wire: Json, usage: dict[str, object], notices: list[str]) -> None:
    assert filled(wire) == (usage, notices)


def test_what_was_read_from_and_written_to_the_cache_is_not_more_than_the_prompt() -> None:
    counts, _ = filled(both(9, 4, prompt_tokens_details={"cache_write_tokens": 8, "cached_tokens": 5}))
    assert (counts["cached_input_tokens"], counts["cache_write_5m_tokens"]) == (5, 4)


def test_nothing_for_nothing_is_no_estimate() -> None:
    usage = pb.Usage()
    fill_usage(usage, both(3, 0), [], prompt=lambda: PROMPT, said=lambda: 0)
    assert usage == pb.Usage(input_tokens=3)


def test_counts_that_the_contract_does_not_know_are_kept() -> None:
    assert unknown_usage(both(3, 4, cost=0.25, prompt_cache_hit_tokens=1)) == {"cost": 0.25}
    assert unknown_usage(None) == {}
