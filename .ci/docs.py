"""Write what the README generates from the code: the table of providers."""

import re
from pathlib import Path

from promptwire_server.cli.providers import table

README = Path(__file__).parents[1] / "README.md"
BETWEEN = re.compile(r"(?<=<!-- providers: make docs -->\n).*?(?=<!-- end -->)", re.DOTALL)


def main() -> None:
    """Put the table between its marks."""
    README.write_text(BETWEEN.sub(lambda _: table(), README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
