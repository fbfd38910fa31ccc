"""Errors as an Ollama server sends them: one sentence, and for no path at all a plain text."""

from tests.faults.fake_provider.reply import Event, Reply
from tests.faults.fake_provider.script import Head

JSON = "application/json; charset=utf-8"
PLAIN = "text/plain; charset=utf-8"
FIRST_ERROR_STATUS = 400
MESSAGES = {
    400: "invalid request",
    401: "unauthorized",
    403: "this model requires a subscription, upgrade for access: https://ollama.com/upgrade",
    404: "model 'fake' not found",
    429: "you have reached your hourly usage limit, please try again later",
    500: "model runner has unexpectedly stopped, this may be due to resource limitations or an internal error, check ollama "
    "server logs for details",
    502: "upstream error",
    503: "server busy, please try again.  maximum pending requests exceeded",
}
LATE = "an error was encountered while running the model"


def scripted_error(head: Head) -> str:
    """Return the usual sentence of a status, or the script's own; within an answer that of a failing run."""
    if head.message is not None:
        return head.message
    if head.status < FIRST_ERROR_STATUS:
        return LATE
    return MESSAGES.get(head.status) or MESSAGES[500 if head.status >= 500 else 400]


def error_reply(status: int, message: str, written: bytes) -> Reply:
    """Return an answer that is an error; `written` is its body."""
    return Reply(status, (), JSON, (Event(written),), said={"error": message})


def no_route(status: int) -> Reply:
    """Return what the router answers to a path or a method that it does not know."""
    text = "404 page not found" if status == 404 else "405 method not allowed"
    return Reply(status, (), PLAIN, (Event(text.encode()),))
