"""The ``switchboard`` command: it imports a command's module only when somebody asks for that command."""

from importlib import import_module

import click

from worker.build import LEDGER_FORMAT, code_version

COMMANDS = {
    "up": ("deploy.cli.up:up", "Run everything here, with stand-ins for the vendors."),
    "check": ("deploy.cli.check:check", "Check the configuration: every fault at once."),
    "schema": ("deploy.cli.schema:schema", "Print the JSON Schema of switchboard.toml."),
    "doctor": ("deploy.cli.doctor:doctor", "Look whether everything that should run does."),
    "preview": ("deploy.cli.preview:preview", "Show the requests that a call would make."),
    "send": ("deploy.cli.send:send", "Send webhooks to a receiver: a file of them, or generated calls."),
    "import": ("deploy.cli.import_events:import_file", "Take in calls that never came by webhook."),
    "calls": ("deploy.cli.calls:calls", "Look at calls, and route them again."),
    "deliveries": ("deploy.cli.deliveries:deliveries", "Look at deliveries; retry, cancel or redeliver them."),
    "dead": ("deploy.cli.dead:dead", "Look at dead letters, replay or drop them."),
    "quarantine": ("deploy.cli.quarantine:quarantine", "Look at pushed bodies that could not be read, and retry them."),
    "spool": ("deploy.cli.spool:spool", "Look at the receiver's local journal, and drain it."),
    "destinations": ("deploy.cli.destinations:destinations", "Look at destinations, pause, resume or test them."),
    "suppress": ("deploy.cli.suppress:suppress", "Keep the list of numbers that no lead is made for."),
    "delacon": ("deploy.cli.delacon:delacon", "Compare the calls here with Delacon's own list."),
    "alerts": ("deploy.cli.alerts:alerts", "Look at what is wrong and told, and send a test."),
    "ledger": (
        "deploy.cli.ledger:ledger",
        "Look at the ledger as a whole: check it, migrate it, back it up and restore it.",
    ),
    "report": ("deploy.cli.report:report_command", "Report what became of calls, by destination, service or day."),
    "export": ("deploy.cli.export:export", "Write calls or deliveries into a file: CSV, JSON lines or Parquet."),
    "audit": ("deploy.cli.audit:audit", "Look at what was changed, by whom, when and from where."),
    "console": ("deploy.cli.console:console", "Make a password for the web console."),
    "numbers": ("deploy.cli.numbers:numbers", "Search, provision, update and list Callcap's phone numbers."),
    "erase": ("deploy.cli.erase:erase", "Remove what is kept of a person or of a call."),
    "kapture": ("deploy.cli.kapture:kapture", "Look into a Kapture account, and find what it lacks."),
}
"""Name to place and short help, in the order of the help; one line a command or a group of them."""


class Commands(click.Group):
    """The commands of ``COMMANDS``: the help imports none of them, for a person waits for it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command's module and return the command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, short) for name, (_, short) in COMMANDS.items()])


def _print_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001  click's signature
    if value and not ctx.resilient_parsing:
        click.echo(f"switchboard {code_version()} (ledger format {LEDGER_FORMAT})")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version,
    help="Print the version, and the format of the ledger that it writes.",
)  # fmt: skip
def main() -> None:
    """Delivers Delacon's calls to Captorra, Comunik8 and Kapture: nothing lost, nothing twice.

    Exit status: 0 done, 1 could not, 2 wrong use or configuration.
    Every listing and result takes --json: one JSON value on standard output, logs on standard error.
    """


if __name__ == "__main__":
    main()
