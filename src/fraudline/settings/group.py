"""What all groups of settings have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

LOCAL = "local"
"""In the place of an address: what `fraudline up` runs on this machine."""


class Group(BaseModel):
    """Settings under one heading, as `[kafka]` is one."""

    model_config = ConfigDict(extra="forbid", frozen=True)
