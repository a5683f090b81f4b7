"""The schema registry by which others write messages."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from fraudline.settings.group import Group


class SchemaRegistrySettings(Group):
    """The schema registry by which others' transactions are written, if there is one."""

    url: str = Field(
        "",
        description="Address of a schema registry with Confluent's API, or several of one, "
        "separated by commas; with it, transactions may be Avro, Protobuf or JSON Schema, too.",
    )
    username: str = Field("", description="User name, where the registry asks for one.")
    password: SecretStr = Field(
        SecretStr(""), description="Its password; set it in the environment, not in the file."
    )
    ssl_ca_location: Path | None = Field(
        None, description="PEM file of the authority that signed the registry's certificate."
    )

    @field_validator("url")
    @classmethod
    def _are_addresses_without_a_secret(cls, value: str) -> str:
        for one in filter(None, value.split(",")):
            found = urlsplit(one.strip())
            if found.scheme not in ("http", "https") or not found.hostname or "@" in one:
                raise ValueError(
                    "expected http(s)://host:port/path without '@'; user and password are username "
                    "and password"
                )
        return value

    @model_validator(mode="after")
    def _password_is_of_somebody(self) -> SchemaRegistrySettings:
        if self.password.get_secret_value() and not self.username:
            raise ValueError("there is a password, but username is empty")
        return self
