"""`python -m promptwire_server` is `promptwire`; the server's own workers are started so."""

import sys

from promptwire_server.cli import main

if __name__ == "__main__":
    sys.exit(main())
