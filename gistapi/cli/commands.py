"""How commands are found, run and ended: each with the exit code that the manual documents."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from gistapi.cli import process
from gistapi.cli.process import CLOSED, FAULT, SIGNALLED
from gistapi.cli.terminal import (
    OutputClosedError,
    OutputError,
    safe,
    say,
    tolerate_encoding,
)
from gistapi.errors import GistapiError

INTERRUPTED = SIGNALLED + 2
PROGRAM = "gistapi"


class Fault(click.ClickException):
    """A failure that is reported on standard error; exit code 2."""

    exit_code = FAULT


class LazyGroup(click.Group):
    """The subcommands in `places`, as name to `module:attribute` and one line of help."""

    def __init__(self, *, places: Mapping[str, tuple[str, str]], **attributes: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(**attributes)
        self._places = places

    def list_commands(self, _context: click.Context) -> list[str]:
        """The names, in the order of `places`."""
        return list(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one subcommand."""
        del ctx
        if cmd_name not in self._places:
            return None
        module, _, attribute = self._places[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of subcommands, importing none."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, help_) in self._places.items()])

    def exit_code(self, arguments: Sequence[str], **extra: Any) -> int:  # noqa: ANN401 - click's
        """Run in this process and report what fails. Returns the exit code."""
        run = super().main
        extra |= {"standalone_mode": False, "prog_name": PROGRAM}
        return exit_code(lambda: run(arguments, **extra), arguments)

    def main(self, *args: Any, **extra: Any) -> NoReturn:  # noqa: ANN401 - click's
        """Run in this process, then raise SystemExit with the exit code."""
        given = args[0] if args else extra.pop("args", None)
        extra.pop("prog_name", None)
        sys.exit(self.exit_code(sys.argv[1:] if given is None else list(given), **extra))

    def __call__(self, *args: Any, **extra: Any) -> NoReturn:  # noqa: ANN401 - click's
        """Be the process: run, then leave it with the exit code."""
        arguments = args[0] if args else sys.argv[1:]
        process.run(lambda words: self.exit_code(words, **extra), arguments)


def exit_code(run: Callable[[], object], arguments: Sequence[str]) -> int:
    """Run a command; report what it raises. Returns the exit code."""
    tolerate_encoding()
    try:
        code = run()
    except click.ClickException as error:
        show(error)
        return FAULT
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except SystemExit as error:
        # click's answer to a closed pipe is 1; `_GISTAPI_COMPLETE` ends with 0.
        return CLOSED if error.code else 0
    except (OutputClosedError, BrokenPipeError):
        return CLOSED
    except OSError as error:
        say(process.reason(error))
    except (OutputError, GistapiError) as error:
        say(str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, 1 would mean "nothing matches"
        _report(error, arguments)
    else:
        return code if isinstance(code, int) else 0
    return FAULT


def show(error: click.ClickException) -> None:
    """Write the error as click does, with strangers' text and a broken stream made harmless."""
    usage = ""
    if isinstance(error, click.UsageError) and error.ctx is not None:
        context = error.ctx
        usage = f"{context.get_usage()}\nTry '{context.command_path} --help' for help.\n\n"
    lines = error.format_message().split("\n")
    process.complain(usage + "Error: " + "\n".join(safe(line) for line in lines))


def _report(error: Exception, arguments: Sequence[str]) -> None:
    if "--verbose" in arguments:
        process.complain("".join(traceback.format_exception(error)).rstrip())
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"
    say(
        f"internal error: {type(error).__name__} at {place}."
        " Please report it, with what `gistapi search --verbose` prints."
    )
