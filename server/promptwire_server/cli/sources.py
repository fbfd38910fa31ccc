"""Where the text that people give comes from: an argument, a file, standard input."""

import mimetypes
import sys
from pathlib import Path
from typing import BinaryIO

from promptwire import v1 as pb
from promptwire_server.cli.exits import CommandError

STDIN = "/dev/stdin"  # what `-` is turned into, since the library takes a bare hyphen for an option
_MAX_BYTES = 64 << 20  # of one file or of standard input; a server takes less, but may be told to take more


def prompt_of(words: tuple[str, ...]) -> str:
    """What is asked: the words, and below them what stands on standard input when it is no terminal or asked for with `-`.

    Empty when there is neither, which on a terminal means a conversation.
    """
    said = " ".join(word for word in words if word != STDIN)
    piped = read_stdin().strip("\n") if STDIN in words or not sys.stdin.isatty() else ""
    return "\n\n".join(text for text in (said, piped) if text)


def lines_of(words: tuple[str, ...]) -> list[str]:
    """The words, each a text, and behind them the lines of standard input when it is no terminal or asked for with `-`; no blank ones."""
    piped = read_stdin().splitlines() if STDIN in words or not sys.stdin.isatty() else []
    return [text for text in (*(word for word in words if word != STDIN), *piped) if text.strip()]


def inputs_of(pairs: tuple[str, ...]) -> dict[str, str]:
    """`name=text`, or `name=@file` for what stands in a file (`@-`: on standard input). `name=@@text` is a text that begins with @."""
    inputs: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise CommandError(f"--input {pair!r} is no input", "write --input name=text, or --input name=@file")
        if name in inputs:
            raise CommandError(f"--input {name} is given twice", "keep one")
        inputs[name] = _value(value)
    return inputs


def text_or_file(value: str) -> str:
    """The text itself, or of `@file` what stands in it."""
    return _value(value)


def image_part(path: Path) -> pb.ContentPart:
    """An image file as part of a message."""
    mime_type = mimetypes.guess_type(path.name)[0] or ""
    if not mime_type.startswith("image/"):
        raise CommandError(f"{path}: not known as an image", "give a file whose name ends in .png, .jpg, .webp or .gif")
    with path.open("rb") as file:
        return pb.ContentPart(media=pb.MediaPart(mime_type=mime_type, data=_bounded(file, str(path))))


def read_text(path: Path) -> str:
    """A file as text; `-` is standard input."""
    if str(path) in ("-", STDIN):
        return read_stdin()
    with path.open("rb") as file:
        return _decoded(_bounded(file, str(path)), str(path))


def read_stdin() -> str:
    """All of standard input."""
    return _decoded(_bounded(sys.stdin.buffer, "standard input"), "standard input")


def _value(value: str) -> str:
    if value.startswith("@@"):
        return value[1:]
    return read_text(Path(value[1:])) if value.startswith("@") else value


def _bounded(file: BinaryIO, name: str) -> bytes:
    data = file.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise CommandError(f"{name}: larger than {_MAX_BYTES >> 20} MiB", "send less")
    return data


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CommandError(f"{name}: not UTF-8 text (byte {error.start + 1})", "convert it, for example with iconv -t utf-8") from None
