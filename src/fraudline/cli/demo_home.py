"""The demo's home: settings of nobody but ours, and nothing of an earlier demo in it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from fraudline.cli.screen import say
from fraudline.cli.service_commands import listed
from fraudline.use_cases.project import Project

if TYPE_CHECKING:
    from fraudline.settings import Settings


def demo_settings() -> Settings:
    """Nobody's settings but ours: always local, in a home of the demo's own.

    Of a person's it takes where the home is, and what suits a small or slow machine.
    """
    from pydantic import BaseModel

    from fraudline.settings import LocalSettings, Settings, load_settings

    given = load_settings()
    groups = {name: type(value)() for name, value in given if isinstance(value, BaseModel)}
    ours = given.model_copy(
        update={
            **groups,
            "home": (given.home / "demo").absolute(),
            "contract": Settings.model_fields["contract"].default,
            "local": LocalSettings(
                kafka_heap_mb=given.local.kafka_heap_mb,
                start_timeout_s=given.local.start_timeout_s,
            ),
        }
    )
    left_out = [
        name
        for (name, mine, _), (_, theirs, _) in zip(listed(ours), listed(given), strict=True)
        if mine != theirs and name != "home"
    ]
    if left_out:
        say(f"the demo is always local: it does without your {', '.join(left_out)}")
    return ours


def clear(project: Project) -> None:
    """Begin with nothing: what an earlier demo stored would be counted again.

    Raises:
        InputError: what is there is no demo's, and stays, or it cannot be removed.
    """
    from fraudline.errors import InputError
    from fraudline.home import foreign
    from fraudline.use_cases.local_services import stop

    home = project.settings.home
    if not os.path.lexists(home):
        return
    what = next(iter(foreign(home)), None)
    if what is not None:
        raise InputError(
            f"{home} holds {what!r}, which no demo has left there, so it is not removed. "
            "Move it, or set `home` elsewhere."
        )
    say(f"what an earlier demo left in {home} is replaced")
    stop(project, say)
    try:
        shutil.rmtree(home)
    except OSError as error:
        raise InputError(
            f"what an earlier demo left in {home} cannot be removed: {error.filename}: "
            f"{error.strerror}. Remove it by hand, or set `home` elsewhere."
        ) from None


def settle(project: Project) -> None:
    """Give the home settings of its own, so that no command in it reads a person's."""
    from fraudline.home import make_private
    from fraudline.settings import SETTINGS_FILE

    local = project.settings.local
    make_private(project.settings.home)
    (project.settings.home / SETTINGS_FILE).write_text(
        f'home = "."\n\n[local]\nkafka_heap_mb = {local.kafka_heap_mb}\n'
        f"start_timeout_s = {local.start_timeout_s}\n"
    )
