"""The facts of vendors whose chat completions are not quite OpenAI's, as their documentation has them."""

from dataclasses import replace

from promptwire_server.providers.openai.facts import OPENAI, Facts

_LOGPROBS = frozenset({"logprobs", "top_logprobs"})
_PENALTIES = frozenset({"presence_penalty", "frequency_penalty"})
# Most vendors answer in text alone, and take text and images alone.
_TEXT_AND_IMAGES = Facts(
    audio=False, documents="", video=False, tool_result_media=False, image_output=False, audio_output=False, embed_texts=0
)

# Azure OpenAI knows `user`; the names that followed it came to OpenAI only.
AZURE = replace(OPENAI, end_user_field="user", session_field="")
# Groq, "OpenAI Compatibility": logprobs, logit_bias, top_logprobs, messages[].name and n above 1 are a 400.
# "Reasoning": reasoning_format and include_reasoning, of which the second has the contract's meaning.
GROQ = replace(
    _TEXT_AND_IMAGES,
    max_tokens_field="max_completion_tokens",
    top_k=False,
    names=False,
    reasoning_shown="include_reasoning",
    lacks=_LOGPROBS | {"logit_bias", "candidate_count"},
)
# Mistral, "Chat Completions": random_seed, the tool choice "any", document_url, sound as bare base64; unknown fields are a 422, among
# them stream_options (usage always comes), user, logprobs and logit_bias. Ids of tool calls are nine letters or digits, others a 400.
MISTRAL = replace(
    _TEXT_AND_IMAGES,
    seed_field="random_seed",
    stream_options=False,
    top_k=False,
    names=False,
    required_choice="any",
    tool_id_length=9,
    end_user_field="",
    audio=True,
    bare_audio=True,
    documents="document_url",
    lacks=_LOGPROBS | {"logit_bias"},
    embed_texts=128,
    embed_size_field="output_dimension",
)
# DeepSeek, "Thinking Mode": a switch beside the effort, of which "max" is the most; where there are tools, reasoning_content has to come
# back with every message of the assistant's, and is not looked at elsewhere. "JSON Output": json_object only. No images.
DEEPSEEK = replace(
    _TEXT_AND_IMAGES,
    images=False,
    top_k=False,
    reasoning="switch and effort",
    max_effort="max",
    reasoning_back="reasoning_content",
    reasoning_back_always=False,
    end_user_field="",
    lacks=frozenset({"seed", "candidate_count", "logit_bias", "parallel_tool_calls", "json_schema"}),
)
# Together, "Structured outputs": an expression is {"type": "regex", "pattern": …}. Its logprobs have another shape, which is not read.
TOGETHER = replace(_TEXT_AND_IMAGES, video=True, guided="pattern", lacks=_LOGPROBS, embed_texts=128)
# Fireworks, "Structured output": {"type": "grammar", "grammar": …}, in GBNF.
FIREWORKS = replace(_TEXT_AND_IMAGES, guided="grammar format", embed_texts=256)
# xAI, "Chat completions": logit_bias is unsupported; max_tokens is deprecated.
XAI = replace(_TEXT_AND_IMAGES, max_tokens_field="max_completion_tokens", top_k=False, lacks=frozenset({"logit_bias"}))
# Perplexity, "Chat Completions": searches, and calls no tools of the caller's; formats are json_schema and regex; nothing lists its models.
PERPLEXITY = replace(
    _TEXT_AND_IMAGES,
    stream_options=False,
    end_user_field="",
    documents="file_url",
    guided="nested regex",
    lacks=_LOGPROBS
    | {"tools", "parallel_tool_calls", "logit_bias", "seed", "candidate_count", "stop_sequences", "json_object"},
    models=("sonar", "sonar-pro", "sonar-reasoning-pro", "sonar-deep-research"),
)  # fmt: skip
# Cerebras, "OpenAI Compatibility": both penalties and logit_bias are a 400, and developer messages go as system ones.
CEREBRAS = replace(
    _TEXT_AND_IMAGES,
    max_tokens_field="max_completion_tokens",
    images=False,
    top_k=False,
    lacks=_PENALTIES | {"logit_bias", "candidate_count"},
)
# OpenRouter, "Reasoning Tokens": an object with effort or max_tokens, and exclude; its reasoning_details go back as they came.
# "Embeddings": input_type, such as search_query.
OPENROUTER = Facts(reasoning="object", max_effort="xhigh", lacks=frozenset({"candidate_count"}), embed_tasks="search")
# Hugging Face's router hands on to many vendors, chat only; vectors are of its own pipelines, which take as many texts as TEI.
HUGGING_FACE = replace(_TEXT_AND_IMAGES, video=True, bare_tools=False, tool_finish=False, embed_texts=32, embed_pipeline=True)
# TEI, its OpenAPI: vectors only. It refuses more texts than --max-client-batch-size, 32 unless told otherwise.
TEI = replace(_TEXT_AND_IMAGES, chat=False, embed_texts=32, embed_base64=True)
# TGI, its OpenAPI: n and logit_bias are unused, formats are {"type": …, "value": …}, a tool has parameters. Its reason of a stream that
# ends with a tool call is not there (its test_tools_llama.py has none).
TGI = replace(
    _TEXT_AND_IMAGES,
    top_k=False,
    guided="value",
    bare_tools=False,
    tool_finish=False,
    end_user_field="",
    lacks=frozenset({"candidate_count", "logit_bias"}),
)
# llama.cpp, "server/README": `grammar` in GBNF, reasoning_content in messages; whether n is heeded depends on its version.
LLAMA_CPP = replace(
    _TEXT_AND_IMAGES,
    audio=True,
    reasoning_back="reasoning_content",
    guided="grammar",
    lacks=frozenset({"candidate_count"}),
    embed_texts=256,
    embed_base64=True,
)
# vLLM, "Structured Outputs": structured_outputs since 0.11, guided_* until 0.12. Messages may carry what the model thought.
VLLM = replace(
    _TEXT_AND_IMAGES,
    audio=True,
    video=True,
    reasoning_back="reasoning",
    guided="structured_outputs",
    embed_texts=1024,
    embed_base64=True,
)
VLLM_GUIDED = replace(VLLM, guided="guided", reasoning_back="reasoning_content")
# LM Studio, "OpenAI Compatibility Endpoints": neither n nor logprobs; of formats, json_schema only; no tool by its name.
LM_STUDIO = replace(
    _TEXT_AND_IMAGES, named_choice=False, lacks=_LOGPROBS | {"candidate_count", "json_object"}, embed_texts=256
)  # fmt: skip
# NVIDIA NIM, "Structured Generation": guided_* within nvext. "Embedding NIM": input_type is query or passage.
NVIDIA = replace(_TEXT_AND_IMAGES, top_k=False, guided="nvext", embed_texts=50, embed_tasks="passage")
# SambaNova, "OpenAI compatibility": these are not supported.
SAMBANOVA = replace(_TEXT_AND_IMAGES, lacks=_LOGPROBS | _PENALTIES | {"candidate_count", "logit_bias", "seed"})
# Moonshot, "Chat": no tool choice "required"; a model that thinks wants reasoning_content back between its tool calls.
MOONSHOT = replace(
    _TEXT_AND_IMAGES,
    video=True,
    top_k=False,
    required_choice="",
    named_choice=False,
    reasoning="switch",
    reasoning_back="reasoning_content",
    reasoning_back_always=False,
    end_user_field="",
    lacks=_LOGPROBS | {"logit_bias", "seed", "parallel_tool_calls", "json_schema"},
)
# Z.ai, "Chat Completion": the tool choice is "auto" only, the format json_object only, thinking is a switch.
ZAI = replace(
    _TEXT_AND_IMAGES,
    video=True,
    documents="file_url",
    top_k=False,
    required_choice="",
    named_choice=False,
    reasoning="switch",
    reasoning_back="reasoning_content",
    reasoning_back_always=False,
    end_user_field="user_id",
    lacks=_LOGPROBS | _PENALTIES | {"logit_bias", "seed", "candidate_count", "parallel_tool_calls", "json_schema"},
)
# Cohere, "Compatibility API": these are unsupported; 96 texts a request for vectors.
COHERE = replace(
    _TEXT_AND_IMAGES,
    top_k=False,
    end_user_field="",
    named_choice=False,
    lacks=frozenset({"candidate_count", "logit_bias", "top_logprobs", "parallel_tool_calls"}),
    embed_texts=96,
)
