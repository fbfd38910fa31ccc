"""How many tokens a text has, roughly, where nobody counts: a token is about four characters of English."""

from promptwire import v1 as pb
from promptwire_server.providers.prompt import texts_of

METHOD = "characters/4"
_CHARACTERS_A_TOKEN = 4


def tokens_of(characters: int) -> int:
    """Tokens of a text of so many characters, rounded up."""
    return -(-characters // _CHARACTERS_A_TOKEN)


def prompt_tokens(request: pb.ChatRequest) -> int:
    """Tokens of the prompt, its tools and its schema included; media do not count."""
    characters = sum(map(len, texts_of(request)))
    generation = request.generation
    for tool in generation.tools:
        function = tool.function
        characters += len(function.name) + len(function.description) + len(function.parameters_json)
    return tokens_of(characters + len(generation.response_format.json_schema.schema_json))
