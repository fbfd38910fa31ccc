"""`promptwire embed`: texts to vectors."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated

from cyclopts import Parameter, validators

from promptwire import Promptwire
from promptwire import v1 as pb
from promptwire_server.cli.connection import DEFAULT_TIMEOUT_S, HERE, Connection, Seconds
from promptwire_server.cli.exits import CommandError, ExitCode
from promptwire_server.cli.render import note, one_line, print_table, spent_text, tries_text, write
from promptwire_server.cli.sources import lines_of

_COLUMNS = ("text", "numbers", "begins with")
_SHOWN = 4  # numbers of a vector
_LONGEST = 40  # characters of a text
_TASKS: Mapping[str, "pb.EmbedRequest.Task"] = {
    "query": pb.EmbedRequest.TASK_QUERY,
    "document": pb.EmbedRequest.TASK_DOCUMENT,
    "similarity": pb.EmbedRequest.TASK_SIMILARITY,
    "classification": pb.EmbedRequest.TASK_CLASSIFICATION,
    "clustering": pb.EmbedRequest.TASK_CLUSTERING,
}


def embed(
    *text: Annotated[str, Parameter(help="What to embed; `-` is standard input, a text a line.")],
    model: Annotated[str, Parameter(alias="-m", help='An alias or "provider/model".')] = "",
    dimensions: Annotated[
        int | None, Parameter(validator=validators.Number(gte=1, lt=2**31), help="Length of the vectors, where the model can shorten them.")
    ] = None,
    task: Annotated[str, Parameter(help=f"What they are for, where the model tells apart: {', '.join(_TASKS)}.")] = "",
    json: Annotated[bool, Parameter(help="The whole answer as one line of JSON, as in the contract.")] = False,
    usage: Annotated[bool, Parameter(alias="-u", help="Say on standard error what it took: model, tokens, cost.")] = False,
    timeout: Seconds = DEFAULT_TIMEOUT_S,
    connection: Connection = HERE,
) -> int:
    """Turn texts into vectors: how many numbers each has and the first of them, or with --json all."""
    texts = lines_of(text)
    if not texts:
        raise CommandError("there is nothing to embed", 'write promptwire embed "your text", or pipe texts in, one a line')
    if not model:
        raise CommandError("no model is named", "write --model provider/model; promptwire models lists those for embeddings")
    request = pb.EmbedRequest(model=model, texts=texts, dimensions=dimensions, task=_task(task))
    response = asyncio.run(_embedded(connection.open(timeout), request))
    if json:
        write(one_line(response) + "\n")
    else:
        print_table(_COLUMNS, [_row(text, vector.values) for text, vector in zip(texts, response.embeddings, strict=False)])
    for notice in response.notices:
        note(f"note: {notice.message}")
    if usage:
        note(_usage_text(response))
    return ExitCode.OK


async def _embedded(client: Promptwire, request: pb.EmbedRequest) -> pb.EmbedResponse:
    dimensions = request.dimensions if request.HasField("dimensions") else None
    async with client:
        return await client.embed(request.texts, model=request.model, dimensions=dimensions, task=request.task)


def _usage_text(response: pb.EmbedResponse) -> str:
    """What the vectors took, in a line: "openai/text-embedding-3-small, 3 in + 0 out tokens, $0.0000003, request req-…"."""
    spent, tries = spent_text(response.usage, response.cost), tries_text(response.attempts)
    return f"{response.provider}/{response.model}, {spent}{tries}, request {response.request_id}"


def _task(name: str) -> "pb.EmbedRequest.Task":
    if name and name not in _TASKS:
        raise CommandError(f"--task {name}: there is no such task", f"write one of {', '.join(_TASKS)}")
    return _TASKS.get(name, pb.EmbedRequest.TASK_UNSPECIFIED)


def _row(text: str, vector: Sequence[float]) -> tuple[str, ...]:
    shown = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    rest = ", …" if len(vector) > _SHOWN else ""
    return shown, str(len(vector)), ", ".join(f"{number:.4g}" for number in vector[:_SHOWN]) + rest
