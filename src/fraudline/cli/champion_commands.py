"""`models promote`, `rollout`, `rollback`, `challenge`, `changes`: which version decides what."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import typer

from fraudline.cli.screen import say, show_table, utc, warn
from fraudline.cli.version_facts import show_effect
from fraudline.errors import InputError
from fraudline.use_cases.project import Project

if TYPE_CHECKING:  # numpy comes with it, and `models list` needs none
    from fraudline.use_cases.champion import Promoted

_RUNNING_ON = (
    "Scorers that run take it within two seconds, without a pause. One that cannot read this "
    "registry, or cannot open the version, says so and goes on with what it has."
)

By = Annotated[
    str | None, typer.Option(help="Who does it; your account, without one. Both are kept.")
]
Reason = Annotated[str, typer.Option(help="Why, in words; it is kept.")]
Widens = Annotated[
    bool,
    typer.Option(
        "--widen",
        help="Let `fraudline learn` widen the share by itself, as long as the version does not "
        "lose, give it all once it is proved, and none if it is found worse.",
    ),
]


def promote(
    version: Annotated[str, typer.Argument(help="A version, as `models list` names it.")],
    share: Annotated[
        float | None,
        typer.Option(
            help="Let it decide this share of the transactions alone, such as 0.05, and the "
            "champion the others."
        ),
    ] = None,
    widens: Widens = False,
    by: By = None,
    reason: Reason = "",
) -> None:
    """Make a version its contract's champion. Scorers that run take it within two seconds.

    With --share it takes over by and by: `fraudline models rollout` widens the share, `fraudline
    models promote` without --share gives it all transactions, `fraudline models rollback` none.
    """
    if share is None:
        if widens:
            raise InputError(
                "--widen without --share: nothing is wider than all transactions. Give the share "
                "that it is to begin with, such as `--share 0.05 --widen`."
            )
        promote_and_tell(Project(), version, by, reason, is_told=False)
        return
    from fraudline.use_cases.champion import roll_out

    project = Project()
    made = roll_out(project, version, share, widens=widens, by=by, reason=reason)
    show_effect(project, version)
    say(f"rollout: {made}, champion {project.registry.champion()} the others")
    _say_what_is_next(made.share, made.widened_at, widens=widens)
    say(_RUNNING_ON)


def rollout(
    share: Annotated[
        float | None, typer.Option(help="The share from now on, larger than it is.")
    ] = None,
    widens: Widens = False,
    by: By = None,
    reason: Reason = "",
) -> None:
    """Tell which version decides which share of the transactions; or widen that share.

    A share that was widened by hand stays in your hand, unless --widen says otherwise.
    """
    from fraudline.use_cases.champion import widen

    project = Project()
    if share is not None:
        made = widen(project, share, widens=widens, by=by, reason=reason)
        say(f"rollout: {made}")
        _say_what_is_next(made.share, made.widened_at, widens=widens)
        say(_RUNNING_ON)
        return
    if widens:
        raise InputError("--widen without --share: give the share to go on from, a larger one.")
    found = project.registry.rollout()
    told = f"{found}, since {utc(found.widened_at)}" if found is not None else "none stands"
    say(f"rollout: {told}; champion {project.registry.champion()}")
    if found is not None:
        _say_what_is_next(found.share, found.widened_at, widens=found.widens)


def _say_what_is_next(share: float, widened_at: dt.datetime, *, widens: bool) -> None:
    if widens:
        from fraudline.use_cases.widening_rule import what_is_next

        say(f"while `fraudline learn` runs, it has {what_is_next(share, widened_at)}")


def promote_and_tell(
    project: Project, version: str, by: str | None, reason: str, *, is_told: bool
) -> None:
    """Make a version the champion, and say what a person should know of it.

    Args:
        project: Whose registry.
        version: One of its versions.
        by: Who does it.
        reason: Why.
        is_told: Whether what its policy does was told already.
    """
    from fraudline.use_cases import champion

    def tell(now: str, _: str | None) -> None:
        if not is_told:
            show_effect(project, now)
        say(f"champion: {now}")

    _tell(champion.promote(project, version, tell, by=by, reason=reason))


def _tell_ended(version: str, champion: str) -> None:
    say(f"the rollout of {version} is over: champion {champion} decides all")


def _tell(done: Promoted) -> None:
    """Say what a person should know of the champion."""
    if done.ended is not None:
        _tell_ended(done.ended, done.version)
    if done.look is not None:
        say(f"LOOK: {done.look}")
    if done.overtaken:
        say(
            f"no challengers any more: {', '.join(done.overtaken)}; they were to beat the champion "
            "before. `fraudline models challenge` makes one a challenger again."
        )
    warn(done.warning)
    say(_RUNNING_ON)


def rollback(by: By = None, reason: Reason = "") -> None:
    """End the rollout that stands; without one, go back to the champion before the present one.

    Once more goes one further back, and never forward to what was rolled back: that takes
    `fraudline models promote`.
    """
    from fraudline.use_cases.champion import end_rollout, roll_back, same_network_words

    project = Project()
    ended = end_rollout(project, by=by, reason=reason)
    if ended is not None:
        _tell_ended(ended.version, project.registry.champion())
        say(_RUNNING_ON)
        return

    def tell(now: str, before: str | None) -> None:
        show_effect(project, now)
        say(f"champion: {now}, as before {before}")

    done = roll_back(project, tell, by=by, reason=reason)
    _tell(done)
    look = same_network_words(project, done)
    if look is not None:
        say(f"LOOK: {look}")


def challenge(
    version: Annotated[str, typer.Argument(help="A version, as `models list` names it.")],
    days: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=3650,
            help="When it expires; without it, four weeks after what is decided today is mature.",
        ),
    ] = None,
    is_live: Annotated[
        bool,
        typer.Option("--live", help="It also scores in the scorers, into each decision; two may."),
    ] = False,
    by: By = None,
    reason: Reason = "",
) -> None:
    """Make a version a challenger: from now on it is judged beside the champion.

    It decides nothing. It ends when it is promoted, when another version becomes the champion, or
    when it expires. A version that ranks as the champion does is refused: nothing would be proved.
    """
    from fraudline.use_cases import champion

    made = champion.challenge(Project(), version, days=days, is_live=is_live, by=by, reason=reason)
    live = "; scorers that run let it score beside the champion within two seconds"
    say(f"challenger: {made.version}, until {utc(made.until)}{live if made.is_live else ''}")


def changes() -> None:
    """List promotions, rollouts, rollbacks, challenges, policies, rules: when, what, who, why."""
    from fraudline.use_cases.list_versions import list_changes

    found = list_changes(Project())
    hosts = [each.signature.host if each.signature is not None else "" for each in found]
    is_shared = len(set(filter(None, hosts))) > 1
    show_table(
        ("at", "change", "version", "before", "by", "why"),
        (
            (
                *(utc(each.at), each.what, each.version, each.before or ""),
                f"{each.who} on {host}" if is_shared and host else each.who,
                each.why,
            )
            for each, host in zip(found, hosts, strict=True)
        ),
    )


COMMANDS = (promote, rollout, rollback, challenge, changes)
