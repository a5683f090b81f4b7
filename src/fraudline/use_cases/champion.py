"""Which version scores and which ones challenge it: promoting, going back, challenging."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec

from fraudline.errors import InputError, RegistryError
from fraudline.registry import Challenger, Rollout, Signature
from fraudline.use_cases.judge_policy import judge_policy
from fraudline.use_cases.open_version import open_version
from fraudline.use_cases.own_costs import require_own_costs, tell_foreign_costs
from fraudline.use_cases.project import Project
from fraudline.use_cases.record_version import record_if_possible

_CHALLENGE_DAYS = 28.0

OnPromoted = Callable[[str, str | None], None]


@dataclass(frozen=True)
class Promoted:
    """The champion from now on.

    Attributes:
        version: The champion; scorers that run take it within two seconds.
        before: The champion until now, if there was one.
        warning: What of it could not be recorded or told; None if all was.
        look: What a person should know of how it decides, if there is anything.
        overtaken: Challengers of the champion until now, which are none any more.
        ended: The version that decided a share until now, and does not any more.
    """

    version: str
    before: str | None
    warning: str | None
    look: str | None = None
    overtaken: tuple[str, ...] = ()
    ended: str | None = None


def promote(
    project: Project,
    version: str,
    on_promoted: OnPromoted = lambda _version, _before: None,
    *,
    by: str | None = None,
    reason: str = "",
    over: str | None = None,
    of: Rollout | None = None,
) -> Promoted:
    """Make a version the champion.

    To promote the champion again changes nothing, so whatever it decides by, it stays.

    Args:
        project: Whose registry.
        version: One of its versions.
        on_promoted: Called with the champion and the one before it, as soon as it is so:
            MLflow, which is told afterwards, may be slow.
        by: Who does it; the account that runs this, without one. Both are kept.
        reason: Why, in words.
        over: The champion that it was found better than; any, without one.
        of: The rollout in which it was; without one none may stand where there is `over`.

    Raises:
        InputError: there is no such version, it decides by costs that nobody gave, or what it was
            found over was changed meanwhile.
        BundleError: it is broken, or for another contract; the champion stays who it was.
    """
    registry = project.registry
    before = registry.champion() if registry.has_champion() else None
    costs, median_amount = _judged(project, version)
    look = None
    if version == before:
        look = tell_foreign_costs(project, version, costs)
    else:
        require_own_costs(project, version, costs, median_amount)
    challengers, rollout = _challengers(project), registry.rollout()
    registry.promote(version, Signature.of_this_process(by, reason), over=over, of=of)
    on_promoted(version, before)
    done = _promoted(project, version, before, look, challengers)
    return done if version == before else _ending(done, rollout)


def roll_out(
    project: Project,
    version: str,
    share: float,
    *,
    widens: bool = False,
    by: str | None = None,
    reason: str = "",
) -> Rollout:
    """Let a version decide a share of the transactions, and the champion the others.

    A larger share has all transactions of a smaller one: `widen`, and in the end `promote`. Which
    ones these are follows from a hash of the contract's id, or of the message's position.

    Args:
        project: Whose registry.
        version: One of its versions.
        share: Of the transactions, above 0 and below 1.
        widens: Whether `fraudline learn` is to widen it by itself, by the rule of
            `widening_rule.py`.
        by: As for `promote`.
        reason: Likewise.

    Raises:
        InputError: there is no such version, no champion, or it is the champion; a rollout stands;
            that is no share; or it decides by costs that nobody gave.
        BundleError: it is broken, or for another contract.
    """
    require_own_costs(project, version, *_judged(project, version))
    signature = Signature.of_this_process(by, reason)
    return project.registry.rollouts.begin(version, share, signature, widens=widens)


def widen(
    project: Project,
    share: float,
    *,
    version: str | None = None,
    widens: bool = False,
    of: Rollout | None = None,
    by: str | None = None,
    reason: str = "",
) -> Rollout:
    """Let the version that decides a share of the transactions decide a larger one.

    Args:
        project: Whose registry.
        share: Above the present one, below 1.
        version: Which one is meant, so that no other is widened; the one that stands without it.
        widens: As for `roll_out`, from now on: whoever widens it has it in hand.
        of: The rollout that this was decided of, so that no later word is overruled.
        by: As for `promote`.
        reason: Likewise.

    Raises:
        InputError: no rollout stands, another one does, or that is no larger share.
    """
    if version is None:
        found = project.registry.rollout()
        if found is None:
            raise InputError(
                "no version decides a share of the transactions, so there is nothing to widen. "
                "`fraudline models promote VERSION --share 0.05` begins a rollout."
            )
        version = found.version
    signature = Signature.of_this_process(by, reason)
    return project.registry.rollouts.widen(version, share, signature, widens=widens, of=of)


def roll_back(
    project: Project,
    on_promoted: OnPromoted = lambda _version, _before: None,
    *,
    by: str | None = None,
    reason: str = "",
    over: str | None = None,
) -> Promoted:
    """Make the champion before the present one the champion again.

    Once more goes one further back, and never forward to what was rolled back. What decided
    before may decide again, also by costs that nobody gave: `look` then says so. A rollout that
    stands ends with it; `end_rollout` ends that alone.

    Args:
        project: Whose registry.
        on_promoted: As for `promote`.
        by: Likewise.
        reason: Likewise.
        over: The champion that it was found better than, while no version decided a share.

    Raises:
        InputError: there was none before, the champion was changed meanwhile, or what it was found
            over was.
        BundleError: there is no champion, or the one before is broken.
    """
    registry = project.registry
    before, version = registry.champion(), registry.earlier_champion()
    costs, _ = _judged(project, version)
    look = tell_foreign_costs(project, version, costs)
    challengers, rollout = _challengers(project), registry.rollout()
    registry.roll_back(version, Signature.of_this_process(by, reason), over=over)
    on_promoted(version, before)
    return _ending(_promoted(project, version, before, look, challengers), rollout)


def same_network_words(project: Project, done: Promoted) -> str | None:
    """What a person should know who went back to a version with the network of the one before.

    Args:
        project: Whose registry.
        done: What `roll_back` gave.

    Returns:
        A sentence for people; None where the networks are two.
    """
    if not project.registry.networks.are_alike(done.before, done.version):
        return None
    try:
        further = f"once more goes back to {project.registry.earlier_champion()}"
    except InputError:
        further = "has none before it to go back to"
    return (
        f"{done.version} has the same network as {done.before}, calibrated otherwise, and ranks "
        f"payments alike; `fraudline models rollback` {further}."
    )


def end_rollout(
    project: Project, *, of: Rollout | None = None, by: str | None = None, reason: str = ""
) -> Rollout | None:
    """Let the champion decide all transactions again; it stays who it is.

    Args:
        project: Whose registry.
        of: As for `widen`.
        by: As for `promote`.
        reason: Likewise.

    Returns:
        The rollout that stood and is over; None where there was none, and nothing was changed.

    Raises:
        InputError: it ended meanwhile in another way.
    """
    found = project.registry.rollout()
    if found is not None:
        signature = Signature.of_this_process(by, reason)
        project.registry.rollouts.end(found.version, signature, of=of)
    return found


def challenge(
    project: Project,
    version: str,
    *,
    days: float | None = None,
    is_live: bool = False,
    by: str | None = None,
    reason: str = "",
) -> Challenger:
    """Make a version a challenger of the champion, to be judged beside it from now on.

    Args:
        project: Whose registry.
        version: One of its versions.
        days: After which it expires; without a number, four weeks after what is decided today is
            mature.
        is_live: Whether it scores in the scorers, too: decisions then carry its scores.
        by: As for `promote`.
        reason: Likewise.

    Raises:
        InputError: there is no such version, no champion, or it is the champion; or as many are
            live as may be.
        BundleError: it is broken, or for another contract.
    """
    open_version(project, version)
    if days is None:  # nothing is judged before it is mature
        days = _CHALLENGE_DAYS + project.contract.maturity_days
    until = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(days=days)
    signature = Signature.of_this_process(by, reason)
    project.registry.challenge(version, until, signature, is_live=is_live)
    return next(each for each in project.registry.challengers() if each.version == version)


def _ending(done: Promoted, rollout: Rollout | None) -> Promoted:
    """The same, with the version that decided a share before another one became the champion."""
    if rollout is None or rollout.version == done.version:
        return done
    return replace(done, ended=rollout.version)


def _promoted(
    project: Project, version: str, before: str | None, look: str | None, challengers: set[str]
) -> Promoted:
    """What became of a promotion that is done, whatever else fails now."""
    warning = record_if_possible(project, version)
    try:
        overtaken = challengers - _challengers(project) - {version}
    except RegistryError as error:  # the store went away just then
        overtaken, warning = set(), f"it is not known which challenges this ended: {error}"
    return Promoted(version, before, warning, look, tuple(sorted(overtaken)))


def _challengers(project: Project) -> set[str]:
    return {each.version for each in project.registry.challengers() if each.ended is None}


def _judged(project: Project, version: str) -> tuple[dict[str, object], float | None]:
    """The policy of a version, and the median amount it is judged by; refuses what cannot score."""
    bundle = open_version(project, version)
    effect = judge_policy(project, version)
    median_amount = effect.median_amount if effect is not None else None
    return msgspec.structs.asdict(bundle.manifest.policy), median_amount
