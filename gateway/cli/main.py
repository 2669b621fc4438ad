"""The command `busbar`: a table of verbs, each imported only when it is used, and one place where errors end."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass

import click

from gateway.cli.errors import DONE, UNREACHABLE, USAGE, CliError


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: where its click command stands, and its line in the help."""

    module: str
    command: str
    help: str


VERBS: dict[str, Verb] = {
    "demo": Verb("gateway.cli.demo_command", "demo", "Play BUS-142's night over real sockets and leave the evidence."),
    "init": Verb("gateway.cli.setup", "init", "Write a commented configuration for a first site."),
    "check": Verb("gateway.cli.setup", "check", "Say whether a configuration holds together."),
    "serve": Verb("gateway.cli.setup", "serve", "Run the hub."),
    "doctor": Verb("gateway.cli.doctor", "doctor", "Say what is wrong with this installation, and what to do."),
    "pki": Verb("gateway.cli.pki", "pki", "Certificate authorities and server certificates."),
    "connect": Verb("gateway.cli.connect", "connect", "What to type into a charger; who knocks; let one in."),
    "import": Verb("gateway.cli.acts", "import_", "Import work, assignments or departures."),
    "departure": Verb("gateway.cli.acts", "departure", "State a departure by hand, or take it back."),
    "assign": Verb("gateway.cli.acts", "assign", "Say which vehicle stands at a connector."),
    "soc": Verb("gateway.cli.acts", "soc", "Say how full a vehicle is, read from its dashboard."),
    "limit": Verb("gateway.cli.acts", "limit", "Hold a station below a power for a while."),
    "reload": Verb("gateway.cli.acts", "reload", "Read the configuration again, without dropping a socket."),
    "plan": Verb("gateway.cli.plan", "plan", "A what-if: problem in, allocation with reasons out; no hub needed."),
    "status": Verb("gateway.cli.reads", "status", "The sites at a glance."),
    "vehicles": Verb("gateway.cli.reads", "vehicles", "Vehicles, where they stand and how full they are."),
    "stations": Verb("gateway.cli.reads", "stations", "Stations, their connection and their limits."),
    "sessions": Verb("gateway.cli.reads", "sessions", "Charging sessions."),
    "envelope": Verb("gateway.cli.reads", "envelope", "What the site may draw when, and what binds."),
    "incidents": Verb("gateway.cli.reads", "incidents", "What is or was wrong."),
    "records": Verb("gateway.cli.reads", "records", "Commercial records."),
    "why": Verb("gateway.cli.why", "why", "Why that is so: the lineage down to the evidence."),
    "trace": Verb("gateway.cli.why", "trace", "Frames of a station, redacted."),
    "replay": Verb("gateway.cli.again", "replay", "Fold the journal again and compare."),
    "rebuild": Verb("gateway.cli.again", "rebuild", "Drop the read models and make them again."),
    "simulate": Verb("gateway.cli.simulate", "simulate", "Simulated chargers, grid operator or scheduler."),
}
"""Every verb, in the order of the help."""


STEPS: dict[type[OSError], str] = {
    FileExistsError: "name another place, or take away what is there",
    NotADirectoryError: "name a folder",
    IsADirectoryError: "name a file",
    PermissionError: "let this user use it, or name another",
}
"""What to do about an error of the system that no verb foresaw."""


class LazyGroup(click.Group):
    """Imports a verb's module only when that verb runs, so that `--help` stays fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs in the order of the table."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's command, imported now."""
        verb = VERBS.get(cmd_name)
        if verb is None:
            return None
        found: click.Command = getattr(importlib.import_module(verb.module), verb.command)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb that was typed; for one that does not exist the nearest that does."""
        if args[0] not in VERBS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], VERBS, 1)
            ctx.fail(f"no verb `{args[0]}`{f', did you mean `{near[0]}`?' if near else ''}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs with their lines, from the table alone."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, verb.help) for name, verb in VERBS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="busbar-hub", prog_name="busbar")
def busbar() -> None:
    """Busbar: gateway and hub for electric-bus depots.

    Exit codes: 0 done, 1 the answer is no, 2 wrong usage or configuration, 3 a peer or file could not be reached.

    \b
    See it work:         busbar demo, then busbar why BUS-142
    Your own depot:      busbar init depot
                         busbar check --config depot/busbar.toml
                         busbar serve --config depot/busbar.toml
    What a verb does:    busbar VERB --help
    """


def main(arguments: list[str] | None = None) -> None:
    """Run `busbar`; every error ends as one line on stderr (what, where, next) and its exit code."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run `busbar` and return its exit code."""
    try:
        code = busbar.main(args=arguments, prog_name="busbar", standalone_mode=False)
    except CliError as error:
        click.echo(str(error), err=True)
        return error.code
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as bare:
        click.echo(bare.format_message(), err=True)
        return USAGE
    except click.ClickException as error:
        click.echo(_usage(error), err=True)
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("busbar: stopped by you", err=True)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return DONE
    except OSError as error:
        place = error.filename or "this machine"
        step = next(
            (step for kind, step in STEPS.items() if isinstance(error, kind)), "see that it exists and may be used"
        )
        click.echo(f"busbar: {error.strerror or error} ({place}); next: {step}", err=True)
        return UNREACHABLE
    return code if isinstance(code, int) else DONE


def _usage(error: click.ClickException) -> str:
    """Wrong usage in the house's form; the next step is that verb's own help."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "busbar"
    message = error.format_message().rstrip(".").replace("\n", " ")
    return f"busbar: {message} ({path}); next: {path} --help"


if __name__ == "__main__":
    main()
