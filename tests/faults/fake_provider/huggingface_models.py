"""Models as Hugging Face's servers list them: the router with the vendors of each, TGI the one that it runs."""

from tests.faults.fake_provider.reply import JsonObject


def _vendor(
    name: str, context: int | None, prices: tuple[float, float] | None, *, tools: bool, schema: bool, status: str = "live"
) -> JsonObject:
    vendor: JsonObject = {"provider": name, "status": status, "supports_tools": tools, "supports_structured_output": schema}
    if context is not None:
        vendor["context_length"] = context
    if prices is not None:
        vendor["pricing"] = {"input": prices[0], "output": prices[1]}
    return vendor | {"is_model_author": False}


def _model(name: str, takes: list[str], *vendors: JsonObject) -> JsonObject:
    architecture = {"input_modalities": takes, "output_modalities": ["text"]}
    owner = name.partition("/")[0]
    return {
        "id": name,
        "object": "model",
        "created": 1_733_443_200,
        "owned_by": owner,
        "architecture": architecture,
        "providers": list(vendors),
    }


LISTED = [
    _model(
        "fake/instruct",
        ["text"],
        _vendor("together", 131_072, (0.88, 0.88), tools=True, schema=True),
        _vendor("groq", 32_768, (0.59, 0.79), tools=True, schema=False),
        _vendor("sambanova", 1_048_576, (0.6, 1.2), tools=True, schema=True, status="error"),
    ),
    _model("fake/vision", ["text", "image"], _vendor("novita", 65_536, (0.1, 0.25), tools=False, schema=True)),
    _model("fake/mini", ["text"], _vendor("featherless-ai", None, None, tools=False, schema=False)),
]
SERVED = [{"id": "fake/instruct", "object": "model", "created": 0, "owned_by": "fake/instruct"}]
