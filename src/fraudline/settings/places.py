"""Where versions, their record, metrics and the local services are."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from fraudline.settings.group import LOCAL, Group


class RegistrySettings(Group):
    """Where the versions are, and who is the champion."""

    url: str = Field(
        LOCAL,
        description="`local` keeps them in the home directory; s3://bucket/prefix or "
        "gs://bucket/prefix in an object store, for every machine. Credentials, region and "
        "endpoint go into the variables AWS_… or GOOGLE_….",
    )

    @field_validator("url")
    @classmethod
    def _is_a_bucket_without_a_secret(cls, value: str) -> str:
        name = r"[A-Za-z0-9_][A-Za-z0-9_.=-]*"
        if value != LOCAL and not re.fullmatch(rf"(s3|gs)://{name}(/{name})*/?", value):
            raise ValueError(
                f"expected '{LOCAL}', s3://bucket/prefix or gs://bucket/prefix, of letters, "
                "digits, '.', '_', '-' and '='; credentials and endpoint go into the variables "
                "AWS_… or GOOGLE_…"
            )
        return value.rstrip("/")


class MlflowSettings(Group):
    """Where trained versions are recorded for people to compare; scorers never read it."""

    tracking_uri: str = Field(
        LOCAL,
        description="Address of an MLflow server; `local` keeps the record in the home directory, "
        "in SQLite. User, password or token go into MLflow's own variables (MLFLOW_TRACKING_…).",
    )

    @field_validator("tracking_uri")
    @classmethod
    def _is_an_address_without_a_secret(cls, value: str) -> str:
        if value != LOCAL and not re.fullmatch(r"https?://[^@?#\s]+", value):
            raise ValueError(
                f"expected '{LOCAL}' or http(s)://host:port/path without user, password, '?' or "
                "'#'; secrets go into MLflow's own variables, MLFLOW_TRACKING_TOKEN for example"
            )
        return value


class MetricsSettings(Group):
    """What `score`, `sink` and `learn` let others see of them, by HTTP."""

    host: str = Field(
        "127.0.0.1", min_length=1, description="Address at which metrics and health are served."
    )
    port: int = Field(
        0,
        ge=0,
        le=65535,
        description="Port of GET /metrics and GET /health; 0 serves nothing. "
        "Each process needs one of its own.",
    )
    stalled_after_s: float = Field(
        5.0,
        gt=0,
        description="How long a process may go without proving that it moves before it counts "
        "as unhealthy, and a stage before `reconcile --follow` turns red, seconds.",
    )


class ApiSettings(Group):
    """What `serve` answers, and its limits."""

    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="Address at which the API is served. Beyond this machine put something before "
        "it that speaks TLS.",
    )
    port: int = Field(8480, ge=0, le=65535, description="Its port; 0 takes a free one.")
    max_rows: int = Field(
        10_000, ge=1, le=100_000, description="Transactions that one request may have."
    )
    max_body_mb: float = Field(
        16, gt=0, le=512, description="Size that the body of a request may have, megabytes."
    )
    max_waiting_rows: int = Field(
        20_000,
        ge=1,
        description="Transactions that may wait to be decided; a request that would make them more "
        "is answered with 503.",
    )
    rate: float = Field(
        0,
        ge=0,
        description="Transactions a second that one API key may have decided, in the long run; 0: "
        "any number.",
    )


class LocalSettings(Group):
    """The services that `fraudline up` runs on this machine, always on 127.0.0.1."""

    kafka_port: int = Field(
        0, ge=0, le=65535, description="Port of the broker; 0 takes a free one."
    )
    bigquery_port: int = Field(
        0, ge=0, le=65535, description="Port of bqlite's REST API; 0 takes a free one."
    )
    bigquery_storage_port: int = Field(
        0, ge=0, le=65535, description="Port of bqlite's Storage API (gRPC); 0 takes a free one."
    )
    kafka_heap_mb: int = Field(512, ge=256, description="Memory of the broker's Java heap, MiB.")
    start_timeout_s: float = Field(
        60.0, gt=0, description="How long a service may take to prove that it works, seconds."
    )
