"""`serve` and `keys`: the HTTP API, and who may ask it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from fraudline.cli.screen import say, show_table, utc
from fraudline.cli.stop_signal import stop_on_signal
from fraudline.use_cases.project import Project, shared_project

if TYPE_CHECKING:
    from fraudline.access import ApiKey

keys = typer.Typer(help="API keys: who may ask `serve` for what.", no_args_is_help=True)
_ROLES = ("scorer", "viewer", "analyst", "admin")


def serve() -> None:
    """Serve the HTTP API: decide transactions that other programs send, until stopped.

    It decides with the champion, as `score` does, and takes the next one within two seconds. Each
    request shows an API key; `fraudline keys create` makes one. What comes this way goes through no
    topic and into no table.
    """
    from fraudline.api import ApiServer

    with stop_on_signal() as stop:
        server = ApiServer(Project())
        if server.look is not None:
            say(f"LOOK: {server.look}")
        if not server.key_count:
            say("LOOK: there is no API key yet: `fraudline keys create NAME --role scorer`")
        with server:
            say(f"{server.url} decides with {server.decided_by}; stop with Ctrl-C")
            said = server.until(stop, say)
        say(said)


@keys.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Who or what is to use it.")],
    role: Annotated[str, typer.Option(help=f"What for: {', '.join(_ROLES)}.", show_default=False)],
) -> None:
    """Make an API key, and print it; nobody can print it again."""
    from fraudline.access import Role
    from fraudline.use_cases.manage_keys import create_key

    if role not in list(Role):
        raise typer.BadParameter(f"{role!r} is not one of {', '.join(Role)}.")
    made = create_key(shared_project(), name, Role(role))
    say(f"key {made.about.id} of {name}, role {role}. Keep it: it is shown this once.")
    sys.stdout.write(f"{made.key}\n")


@keys.command("list")
def list_() -> None:
    """List the API keys that were ever made."""
    from fraudline.use_cases.manage_keys import list_keys

    found = list_keys(shared_project())
    if not found:
        say("There is no API key. `fraudline keys create NAME --role scorer` makes one.")
        return
    show_table(
        ("id", "name", "role", "created", "last used", "state"),
        [[*_row(key)] for key in found],
    )


@keys.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(help="As `fraudline keys list` shows it.")],
) -> None:
    """Let an API key open nothing any more; an API that runs takes it within a second."""
    from fraudline.use_cases.manage_keys import revoke_key

    key = revoke_key(shared_project(), key_id)
    say(f"key {key.id} of {key.name} is revoked.")


def _row(key: ApiKey) -> tuple[str, ...]:
    state = "in force" if key.revoked_at is None else f"revoked {utc(key.revoked_at)}"
    used = "never" if key.used_at is None else utc(key.used_at)
    return key.id, key.name, key.role, utc(key.created_at), used, state


COMMANDS = (serve,)
