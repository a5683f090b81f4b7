"""The demo's home: settings of nobody but ours, and nothing of an earlier demo in it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from fraudline.cli.demo_learn import MATURITY_S, PERIOD_S
from fraudline.cli.screen import say
from fraudline.cli.service_commands import listed
from fraudline.use_cases.project import Project

if TYPE_CHECKING:
    from fraudline.settings import Settings

CONTRACT_FILE = "contract.toml"


def demo_settings(*, is_learning: bool = False) -> Settings:
    """Nobody's settings but ours: always local, in a home of the demo's own.

    Of a person's it takes where the home is, and what suits a small or slow machine.

    Args:
        is_learning: Whether a day passes in minutes: periods are short, and so is the time after
            which the contract takes labels for mature.
    """
    from pydantic import BaseModel

    from fraudline.settings import LocalSettings, Settings, load_shared_settings

    given = load_shared_settings()
    groups = {name: type(value)() for name, value in given if isinstance(value, BaseModel)}
    home = (given.home / "demo").absolute()
    plain = given.model_copy(
        update={**groups, "contract": Settings.model_fields["contract"].default}
    )
    local = LocalSettings(
        kafka_heap_mb=given.local.kafka_heap_mb, start_timeout_s=given.local.start_timeout_s
    )
    own: dict[str, object] = {"home": home, "local": local}
    if is_learning:
        own |= {"contract": str(home / CONTRACT_FILE), **_of_a_short_day()}
    ours = plain.model_copy(update=own)
    left_out = [
        name
        for (name, mine, _), (_, theirs, _), (_, default, _) in zip(
            listed(ours), listed(given), listed(plain), strict=True
        )
        if theirs not in (mine, default) and name != "home"
    ]
    if left_out:
        say(f"the demo is always local: it does without your {', '.join(left_out)}")
    return ours


def _of_a_short_day() -> dict[str, object]:
    from fraudline.settings import LearningSettings, PolicySettings

    return {
        # It has hours to learn what others have weeks for, and periods with too few frauds to
        # calibrate on.
        "learning": LearningSettings(period_s=PERIOD_S, update_rate=1e-3, recalibrates=False),
        # By name: nobody else gives costs for a contract that we do not bring.
        "policy": PolicySettings(**PolicySettings().model_dump()),
    }


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
    from fraudline.settings import SETTINGS_FILE, Settings

    settings, local = project.settings, project.settings.local
    make_private(settings.home)
    lines = ['home = "."']
    is_learning = settings.contract != Settings.model_fields["contract"].default
    if is_learning:
        lines += [f'contract = "{CONTRACT_FILE}"', "", "[policy]"]
        lines += [f"{name} = {_toml(value)}" for name, value in settings.policy]
        lines += ["", "[learning]", f"period_s = {settings.learning.period_s}"]
        lines += [f"update_rate = {settings.learning.update_rate}", "recalibrates = false"]
        (settings.home / CONTRACT_FILE).write_text(_contract_of_a_short_day())
    lines += ["", "[local]", f"kafka_heap_mb = {local.kafka_heap_mb}"]
    lines += [f"start_timeout_s = {local.start_timeout_s}"]
    (settings.home / SETTINGS_FILE).write_text("\n".join(lines) + "\n")


def _contract_of_a_short_day() -> str:
    from fraudline.contract.contract_file import brought_text
    from fraudline.settings import Settings

    ours = brought_text(Settings.model_fields["contract"].default)
    return f"{ours}\n[labels]\nmaturity_days = {MATURITY_S / 86400}\n"


def _toml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
