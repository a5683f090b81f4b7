"""`--contract NAME`: which contract a command is about, where a project has several."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from typing import Annotated, Any

import typer

from fraudline.cli.screen import say

ContractName = Annotated[
    str | None,
    typer.Option(
        "--contract",
        metavar="NAME",
        help="Which contract, where fraudline.toml has several; FRAUDLINE_CONTRACT says it, too.",
        show_default=False,
    ),
]


def of_one_contract(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command with the option `--contract`, that says which of several it was about.

    Args:
        command: Works on the project of the working directory.
    """
    signature = inspect.signature(command, eval_str=True)
    option = inspect.Parameter(
        "contract", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=ContractName
    )

    @functools.wraps(command)
    def about_one(*args: Any, contract: str | None = None, **kwargs: Any) -> Any:
        choose(contract)
        return command(*args, **kwargs)

    parameters = [*signature.parameters.values(), option]
    about_one.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined] # as inspect reads it
    about_one.__annotations__ = {each.name: each.annotation for each in parameters}
    return about_one


def choose(contract: str | None) -> None:
    """Let all that follows be about a contract, and say which, if there are several.

    Args:
        contract: Its name; None: the one that is set.

    Raises:
        SettingsError: there are several and none was named, or there is no such contract.
    """
    from fraudline.errors import SettingsError
    from fraudline.settings import ENVIRONMENT_PREFIX, contract_names, load_settings

    names = contract_names()
    if names:
        named = load_settings(contract).named
        if contract is not None:  # for what it starts, too
            os.environ[f"{ENVIRONMENT_PREFIX}CONTRACT"] = contract
        if len(names) > 1:
            say(f"contract {named}")
    elif contract is not None:
        from fraudline.use_cases.project import Project

        project = Project()
        if contract not in (project.settings.contract, project.contract.name):
            raise SettingsError(
                f"there is no contract {contract!r} here: this project has one, "
                f"'{project.contract.name}'. Several stand in fraudline.toml as [contract.NAME]."
            )
