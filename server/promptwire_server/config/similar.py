"""Keys of the configuration that say when the answer to another question may do."""

from pydantic import Field

from promptwire_server.config.section import Bytes, Seconds, Section


class Similar(Section):
    """Answers to questions that mean nearly the same, for calls that ask for them: ChatRequest.cache.min_similarity."""

    model: str | None = Field(
        None,
        min_length=1,
        description="What makes vectors of questions: an alias or provider/model. Each tenant pays for its own. Default: none, and only "
        "the very same question counts.",
        examples=["openai/text-embedding-3-small"],
    )
    min_similarity: float = Field(0.9, ge=0.5, le=1, description="The least cosine; calls may ask for more, not for less.", examples=[0.95])
    dimensions: int | None = Field(
        None, ge=16, le=4096, description="Numbers of a vector, for models that take a wish. Default: the model's own.", examples=[256]
    )
    timeout_s: Seconds = Field(2.0, alias="timeout", gt=0, description="A vector that takes longer is done without.", examples=["2s"])
    max_bytes: Bytes = Field(
        32 << 20, description="Memory for vectors, of each worker; a tenant may take a quarter of it.", examples=["32MiB"]
    )
