"""`fraudline`: its commands, and how errors reach a person."""

from __future__ import annotations

import errno
import logging
import os
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from fraudline.cli import (
    contract_commands,
    demo,
    file_commands,
    history_commands,
    label_commands,
    learning_commands,
    model_commands,
    offset_commands,
    proof_commands,
    reject_commands,
    serve_commands,
    service_commands,
    stream_commands,
)
from fraudline.cli.contract_option import of_one_contract
from fraudline.cli.screen import ERR, LogFormatter, printable
from fraudline.errors import FraudlineError

# What the extra `train` brings; a host that only scores does without.
_IN_TRAIN = frozenset(
    {"imblearn", "jinja2", "keras", "matplotlib", "onnx", "sklearn", "tensorflow"}
)
_IN_SERVE = frozenset({"httptools", "starlette", "uvicorn", "uvloop"})
# What a disk or its rights refuse, wherever a command meets it.
_OF_THE_DISK = frozenset(
    {errno.EACCES, errno.EDQUOT, errno.EIO, errno.EISDIR, errno.ENAMETOOLONG, errno.ENOSPC}
    | {errno.ENOTDIR, errno.EPERM, errno.EROFS}
)

app = typer.Typer(
    name="fraudline",
    help="Catches card fraud while the payment is still in flight.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    epilog="Settings come from `fraudline.toml` and `FRAUDLINE_…`; "
    "`fraudline settings` lists them all.",
)
for panel, room in (
    ("Everything at once", demo),
    ("Services", service_commands),
    ("History", history_commands),
    ("Models", model_commands),
    ("The stream", stream_commands),
    ("The API", serve_commands),
    ("Learning", learning_commands),
    ("Files of predictions", file_commands),
    ("Proof", proof_commands),
):
    for command in room.COMMANDS:
        app.command(rich_help_panel=panel)(command)
app.add_typer(contract_commands.contract, name="contract", rich_help_panel="History")
app.add_typer(model_commands.models, name="models", rich_help_panel="Models")
app.add_typer(offset_commands.offsets, name="offsets", rich_help_panel="The stream")
app.add_typer(label_commands.labels, name="labels", rich_help_panel="The stream")
app.add_typer(serve_commands.keys, name="keys", rich_help_panel="The API")
app.add_typer(learning_commands.learning, name="learning", rich_help_panel="Learning")
app.add_typer(reject_commands.rejects, name="rejects", rich_help_panel="The stream")

# What is about no contract, or by itself about one of several or all.
OF_NO_ONE_CONTRACT = (
    *(demo.demo, service_commands.up, service_commands.down, service_commands.status),
    *(service_commands.setup, history_commands.dataset, model_commands.list_versions),
    *(serve_commands.create, serve_commands.list_, serve_commands.revoke),
    *(contract_commands.init_contract, contract_commands.check_contract),
)
for group in (app, *(each.typer_instance for each in app.registered_groups)):
    assert group is not None
    for info in group.registered_commands:
        assert info.callback is not None
        if info.callback not in OF_NO_ONE_CONTRACT:
            info.callback = of_one_contract(info.callback)


def _tell_version(is_asked: bool) -> None:  # noqa: FBT001 - as the option gives it
    if is_asked:
        sys.stdout.write(f"fraudline {version('fraudline')}\n")
        raise typer.Exit


@app.callback()
def begin(
    is_verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log what goes on inside, too.")
    ] = False,
    is_version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell it, and end."),
    ] = False,
) -> None:
    """Set up logging; the commands do the rest."""
    del is_version  # told already
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LogFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.DEBUG if is_verbose else logging.WARNING, handlers=[handler])
    if not is_verbose:  # the client warns of each hitch that it then gets over by itself
        logging.getLogger("fraudline.kafka").setLevel(logging.ERROR)


def main() -> None:
    """Run the command line; an error ends it with one message and the right exit code."""
    try:
        app()
    except FraudlineError as error:
        ERR.print(printable(f"error: {error}"), style="red", markup=False)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        if error.name in _IN_SERVE:
            ERR.print(
                f"error: this command needs {error.name}, which is not installed here. Install "
                "`pip install 'fraudline[serve]'`.",
                style="red",
                markup=False,
            )
            sys.exit(1)
        if error.name not in _IN_TRAIN:
            raise
        ERR.print(
            f"error: this command needs {error.name}, which is not installed here: this is an "
            "installation that only scores. Install `pip install 'fraudline[train]'`.",
            style="red",
            markup=False,
        )
        sys.exit(1)
    except BrokenPipeError:  # the reader of our output, `head` for example, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        if error.errno not in _OF_THE_DISK:
            raise
        logging.getLogger(__name__).debug("where it was", exc_info=True)
        where = f"{os.fsdecode(error.filename)}: " if error.filename else ""
        ERR.print(
            printable(
                f"error: {where}{error.strerror or error}. The command was cut short: make room, "
                "or mend the rights, or set `home` elsewhere, and run it again."
            ),
            style="red",
            markup=False,
        )
        sys.exit(1)
