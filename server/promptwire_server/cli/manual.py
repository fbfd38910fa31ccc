"""The manual: what `--help` says of each command besides its options."""

from typing import NamedTuple

from promptwire_server.cli.exits import EXIT_CODES

INTRODUCTION = """\
Promptwire: one gRPC service through which programs ask language models and run prompt chains.

  promptwire serve                    starts the server
  promptwire chat "Hello there"       asks it, in another terminal
"""


class Page(NamedTuple):
    """One command. Where its code is, is a name: nothing is imported before it is called."""

    name: str
    code: str  # empty: it has `parts` only
    summary: str  # the first line stands in the list of commands
    examples: str = ""
    parts: "tuple[Page, ...]" = ()
    usual: str = ""  # the part that is meant where none is named

    @property
    def end(self) -> str:
        """What stands below the options."""
        return f"Examples:\n{self.examples}\n{EXIT_CODES}" if self.examples else EXIT_CODES


PAGES = (
    Page("serve", "promptwire_server.cli.serve:main", "Start the server."),  # the lean commands have manuals of their own
    Page(
        "chat",
        "promptwire_server.cli.chat:chat",
        """\
Ask a model; without a prompt, on a terminal: a conversation.

The answer streams to standard output, everything else goes to standard error. What is piped in stands below the prompt.""",
        """\
  promptwire chat "Why is the sky blue?"
  promptwire chat "Summarise this:" < report.txt
  git diff | promptwire chat -m openai/gpt-4o-mini "Write a commit message for" --usage
  promptwire chat "What is in this picture?" --image cat.png
  promptwire chat "Three colours" --json | jq -r .usage.output_tokens
""",
    ),
    Page(
        "embed",
        "promptwire_server.cli.embed:embed",
        """\
Turn texts into vectors: how many numbers each has, and the first of them.

Texts are arguments, or lines of standard input. With --json all numbers are there.""",
        """\
  promptwire embed "a cat" "a dog" -m openai/text-embedding-3-small
  promptwire embed -m ollama/nomic-embed-text --task document < lines.txt
  promptwire embed "a cat" -m echo/echo --json | jq -c '.embeddings[].values'
""",
    ),
    Page(
        "run",
        "promptwire_server.cli.chain:run",
        """\
Run a chain from a YAML file.

The text of its last step goes to standard output; how it is doing to standard error, live on a terminal.""",
        """\
  promptwire run chain.yaml --input topic=tea
  promptwire run review.yaml -i code=@main.py -m openai/gpt-4o > review.md
  promptwire run rank.yaml --inputs-json '{"words": ["tea", "rum"], "best_of": 2}' --json | jq .result.outputs
""",
    ),
    Page(
        "validate",
        "promptwire_server.cli.chain:validate",
        """\
Check a chain without running it: its plan, or every fault with file and line.

The file is checked here, then by the server, which knows the models. Inputs are checked when some are given.""",
        """\
  promptwire validate chain.yaml
  promptwire validate chain.yaml --input topic=tea
""",
    ),
    Page(
        "models",
        "promptwire_server.cli.models:models",
        "List the models and aliases that may be asked: what each can do, how much it holds, what it costs.",
        """\
  promptwire models
  promptwire models --provider openai --json | jq -r '.models[].name'
""",
    ),
    Page(
        "providers",
        "promptwire_server.cli.providers:providers",
        "List whom the server can ask: what each offers, the variable that holds its key, whether it is configured.",
        """\
  promptwire providers
  promptwire providers promptwire.yaml | cut -f1,3
""",
    ),
    Page(
        "config",
        "",
        "Check, show or describe the server's configuration; no server is needed.",
        """\
  promptwire config check promptwire.yaml
  promptwire config show promptwire.yaml | grep -v default
  promptwire config schema > promptwire.schema.json
""",
        parts=(
            Page(
                "check",
                "promptwire_server.cli.config:check",
                "Find every fault of a configuration at once, each with its key and where it stands.",
                """\
  promptwire config check promptwire.yaml
  promptwire config check --set server.listen=0.0.0.0:50051
""",
            ),
            Page(
                "show",
                "promptwire_server.cli.config:show",
                "Print the configuration in effect as YAML: every value and where it came from. Secrets are masked.",
                """\
  promptwire config show
  promptwire config show promptwire.yaml | grep -v default
""",
            ),
            Page(
                "schema",
                "promptwire_server.cli.config:schema",
                "Print the JSON Schema of the file, for editors: every key with its meaning and an example.",
                """\
  promptwire config schema > promptwire.schema.json
""",
            ),
        ),
    ),
    Page(
        "admin",
        "",
        "See how a server's providers do, and steer them. Needs an operator's key.",
        """\
  promptwire admin providers
  promptwire admin disable openai --drain 30 --reason "billing is down"
""",
        parts=(
            Page(
                "providers",
                "promptwire_server.cli.admin:providers",
                "List the models of each provider: in use or not, breaker, calls, failures, times.",
                """\
  promptwire admin providers
  promptwire admin providers --json | jq -r '.providers[].last_errors[0]'
""",
            ),
            Page(
                "reset",
                "promptwire_server.cli.admin:reset",
                "Close the breaker of a provider's model, or all of the provider's.",
                """\
  promptwire admin reset openai
  promptwire admin reset openai gpt-4o --reason "they fixed it"
""",
            ),
            Page(
                "enable",
                "promptwire_server.cli.admin:enable",
                "Use a provider again.",
                """\
  promptwire admin enable openai
""",
            ),
            Page(
                "disable",
                "promptwire_server.cli.admin:disable",
                "Send a provider no more calls, on every worker within about a second. Those under way go on, unless a drain is given.",
                """\
  promptwire admin disable openai --reason "billing is down"
  promptwire admin disable openai --drain 30
""",
            ),
        ),
    ),
    Page(
        "usage",
        "",
        """\
Add up tokens and money, or write out the ledger they stand in.

Without a word, show is meant: `promptwire usage show --help` has its options. A tenant's key sees that tenant.""",
        """\
  promptwire usage
  promptwire usage --by model,tenant --bucket day --since 7d
  promptwire usage export --csv ledger.csv --since 2026-11-01
""",
        parts=(
            Page(
                "show",
                "promptwire_server.cli.usage:show",
                "Add up tokens and money: by model, tenant, key, chain, label, by day or month.",
                """\
  promptwire usage show --by model --order cost
  promptwire usage show --label team --bucket month --time-zone Europe/Berlin
  promptwire usage show --where tenant=shop --where label.team=search --csv
""",
            ),
            Page(
                "export",
                "promptwire_server.cli.usage:export",
                "Write out the ledger, a line each entry; go on later behind the last one.",
                """\
  promptwire usage export --csv ledger.csv
  promptwire usage export --json --since 1d | jq -r .cost.total_nano_usd
  promptwire usage export --after 0000000000001234 >> ledger.csv
""",
            ),
        ),
        usual="show",
    ),
    Page(
        "cache",
        "",
        """\
See what the cache of answers holds and was good for, and drop answers.

Without a word, stats is meant. A tenant's key reaches that tenant's answers.""",
        """\
  promptwire cache
  promptwire cache purge --model openai/gpt-4o-mini --dry-run
""",
        parts=(
            Page(
                "stats",
                "promptwire_server.cli.cache:stats",
                "Show answers, bytes, hits, misses and what was saved, model by model.",
                """\
  promptwire cache stats --tenant shop
  promptwire cache stats --json | jq .stats.hit_count
""",
            ),
            Page(
                "purge",
                "promptwire_server.cli.cache:purge",
                "Drop answers: those for which all that is said holds.",
                """\
  promptwire cache purge --all
  promptwire cache purge --model 'openai/*' --older-than 1d --reason "new model behind the name"
""",
            ),
        ),
        usual="stats",
    ),
    Page(
        "budget",
        "",
        """\
Make and change limits of what may be spent.

A hard budget refuses calls that do not fit, before they are made; a soft one only tells.""",
        """\
  promptwire budget create team-a --limit 500 --label team=a --alert 80
  promptwire budget list
""",
        parts=(
            Page(
                "create",
                "promptwire_server.cli.budget:create",
                "Make a budget. Without a scope it counts all calls.",
                """\
  promptwire budget create all --limit 1000 --alert 50 --alert 80 --alert 100
  promptwire budget create shop --limit 20 --window day --tenant shop
  promptwire budget create gpt --limit 5 --window 12h --model "openai/*" --soft
""",
            ),
            Page(
                "list",
                "promptwire_server.cli.budget:show_all",
                "List the budgets: limits, what is spent, held and left.",
                """\
  promptwire budget list
  promptwire budget list --json | jq '.statuses[].remaining_nano_usd'
""",
            ),
            Page(
                "show",
                "promptwire_server.cli.budget:show",
                "Show one budget and what is left of it.",
                """\
  promptwire budget show shop
""",
            ),
            Page(
                "set",
                "promptwire_server.cli.budget:change",
                "Change a budget: its limit, its alerts, hard or soft, paused or not.",
                """\
  promptwire budget set shop --limit 30
  promptwire budget set shop --paused yes
""",
            ),
            Page(
                "adjust",
                "promptwire_server.cli.budget:adjust",
                "Give a budget more, or less, in the window under way.",
                """\
  promptwire budget adjust shop 5 --reason "sale this week"
  promptwire budget adjust shop -2.50 --reason "refund" --request-id refund-17
""",
            ),
            Page(
                "delete",
                "promptwire_server.cli.budget:delete",
                "Delete a budget; the ledger keeps its entries.",
                """\
  promptwire budget delete shop
""",
            ),
        ),
    ),
    Page("health", "promptwire_server.cli.health:main", "Say by the exit code whether a server takes calls, for probes."),
    Page(
        "version",
        "promptwire_server.cli.version:version",
        "Say which versions are here, and at the server if there is one.",
        """\
  promptwire version
  promptwire version --target gateway.example.com:50051
""",
    ),
)
