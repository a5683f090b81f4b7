"""Roles: what a key is for."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What the holder of a key does."""

    SCORER = "scorer"
    """A program that has transactions scored, and nothing else."""
    VIEWER = "viewer"
    """Who looks: versions, metrics."""
    ANALYST = "analyst"
    """Who says what was fraud; sees what a viewer sees."""
    ADMIN = "admin"
    """Whatever there is."""
