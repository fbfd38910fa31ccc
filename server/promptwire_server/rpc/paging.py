"""Paging: the sizes and tokens of lists. A token is the last item that was seen, so it holds while items come and go."""

import base64
import binascii

from promptwire_server.core.errors import InvalidRequest

DEFAULT_PAGE = 100
MAX_PAGE = 1000


def page_size(asked: int) -> int:
    """How many items a page has. Raises InvalidRequest."""
    if asked < 0:
        raise InvalidRequest.at("page_size", f"must be 1 to {MAX_PAGE}, got {asked}")
    return min(asked or DEFAULT_PAGE, MAX_PAGE)


def token_of(text: str) -> str:
    """The token of a page that begins after this."""
    return base64.urlsafe_b64encode(text.encode()).decode()


def text_of(token: str) -> str:
    """What a page begins after; empty for the first page. Raises InvalidRequest."""
    try:
        text = base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, ValueError):
        text = ""
    if token and not text:
        raise bad_token()
    return text


def bad_token() -> InvalidRequest:
    """That a token is none of ours."""
    return InvalidRequest.at("page_token", "is not a token of this server; send next_page_token as it came, or nothing")
