"""Facts: in what the many speakers of chat completions differ. A vendor is a row of these facts; the rows are in `known`."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

# How a vendor is told how much to think: `reasoning_effort`, OpenRouter's object, a switch, a switch and the effort, or not at all.
Reasoning = Literal["effort", "object", "switch", "switch and effort", ""]
# In which words a vendor takes answers that match an expression, a grammar or a list; empty: it takes none.
Guided = Literal["structured_outputs", "guided", "nvext", "grammar", "value", "pattern", "nested regex", "grammar format", ""]


@dataclass(frozen=True, slots=True)
class Facts:
    """What one vendor takes. The defaults are what most servers of OpenAI's shape take (vLLM, llama.cpp, OpenRouter, …)."""

    max_tokens_field: str = "max_tokens"
    seed_field: str = "seed"
    developer_role: bool = False  # else sent as system
    names: bool = True  # takes the name of who says a message
    stream_options: bool = True  # takes stream_options.include_usage
    top_k: bool = True  # takes top_k, outside of OpenAI's own contract
    # What it does not take, by the contract's names in GenerationSettings; of formats "json_object" and "json_schema".
    lacks: frozenset[str] = frozenset()
    allowed_tools: bool = False  # takes the tool choice "allowed_tools"; else only the allowed tools are declared
    required_choice: str = "required"  # the vendor's word for MODE_REQUIRED; empty: it has none
    named_choice: bool = True  # takes the name of the tool to call
    bare_tools: bool = True  # takes tools without parameters
    tool_finish: bool = True  # says why it ended also where a stream ends with a tool call
    tool_id_length: int = 0  # its tool calls have ids of so many letters and digits, and it takes no others; 0: it takes any
    reasoning: Reasoning = "effort"
    max_effort: str = "high"  # the vendor's word for as much reasoning as the model can
    reasoning_shown: str = ""  # takes under this name whether reasoning is shown; empty: does not
    reasoning_back: str = ""  # wants the reasoning of earlier turns back under this name; empty: only with its own state
    reasoning_back_always: bool = True  # else only where there are tools
    end_user_field: str = "user"  # empty: takes none
    session_field: str = ""  # takes a session for its prompt cache under this name; empty: does not
    images: bool = True  # takes the part "image_url"
    audio: bool = True  # takes the part "input_audio"
    bare_audio: bool = False  # takes there the base64 text alone
    documents: Literal["file", "document_url", "file_url", ""] = "file"  # the part for documents; empty: takes none
    document_links: bool = True  # takes a link where a document stands
    video: bool = True  # takes the part "video_url"
    tool_result_media: bool = True  # takes images in the result of a tool
    image_output: bool = True  # takes the modality "image"
    audio_output: bool = True  # takes the modality "audio"
    guided: Guided = ""
    chat: bool = True  # else there are vectors only
    embed_texts: int = 256  # texts in one request for vectors; 0: has no vectors
    embed_base64: bool = False  # sends vectors as base64 when asked to
    embed_size_field: str = "dimensions"
    embed_tasks: Literal["search", "passage", ""] = ""  # in whose words `input_type` says what vectors are for; empty: it does not
    embed_pipeline: bool = False  # has vectors in Hugging Face's way, beside the base URL
    models: tuple[str, ...] = ()  # what there is, of a vendor that does not list its models
    cache_control: bool = False  # takes Anthropic's `cache_control` in content (OpenRouter)
    # Patterns of model names, see `matches`:
    cache_breakpoints: tuple[str, ...] = ()  # take `prompt_cache_breakpoint` in content; other models refuse it
    responses_only: tuple[str, ...] = ()  # answer in the Responses API alone
    thinkers: tuple[str, ...] = ()  # think, and give a sealed copy of it in the Responses API; other models refuse to be asked for one
    responses: bool = False  # has the Responses API, so that what only that can say goes there


OPENAI = Facts(
    max_tokens_field="max_completion_tokens",
    developer_role=True,
    top_k=False,
    allowed_tools=True,
    max_effort="max",
    end_user_field="safety_identifier",
    session_field="prompt_cache_key",
    document_links=False,
    video=False,
    tool_result_media=False,
    image_output=False,
    embed_texts=2048,
    embed_base64=True,
    cache_breakpoints=("gpt-5.[6-9]*", "gpt-[6-9]*", "gpt-daybreak-*", "gpt-rosalind-*"),
    responses_only=(
        "o1-pro*",
        "o3-pro*",
        "o*-deep-research*",
        "gpt-*-pro*",
        "gpt-*-codex*",
        "gpt-*-cyber*",
        "gpt-*rosalind*",
        "gpt-daybreak-*",
        "codex-*",
        "computer-use-preview*",
    ),
    thinkers=("!*-chat-*", "o[1-9]*", "gpt-[5-9]*", "gpt-daybreak-*", "gpt-rosalind-*", "codex-*", "computer-use-preview*"),
    responses=True,
)
ANY = Facts()


def matches(model: str, patterns: tuple[str, ...]) -> bool:
    """Whether a name fits one of the patterns, as fnmatch has them. Those that begin with "!" exclude, and stand first."""
    for pattern in patterns:
        if pattern.startswith("!"):
            if fnmatchcase(model, pattern[1:]):
                return False
        elif fnmatchcase(model, pattern):
            return True
    return False
