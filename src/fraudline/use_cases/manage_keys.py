"""The API keys of a project: made, listed, revoked."""

from __future__ import annotations

from fraudline.access import ApiKey, ApiKeys, IssuedKey, Role
from fraudline.use_cases.project import Project


def create_key(project: Project, name: str, role: Role) -> IssuedKey:
    """Make a key; what it is can be told this once.

    Args:
        project: Whose API.
        name: Who or what is to use it.
        role: What for.

    Raises:
        InputError: the name is no name, or the file of the keys cannot be used.
    """
    return ApiKeys(project.settings.home).issue(name, role)


def list_keys(project: Project) -> list[ApiKey]:
    """Every key that was ever made, oldest first.

    Raises:
        InputError: the file of the keys cannot be used.
    """
    return ApiKeys(project.settings.home).all()


def revoke_key(project: Project, key_id: str) -> ApiKey:
    """Let a key open nothing any more; an API that runs takes it within a second.

    Raises:
        InputError: there is no such key, it was revoked before, or the file cannot be used.
    """
    return ApiKeys(project.settings.home).revoke(key_id)
