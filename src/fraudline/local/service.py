"""What is particular to each of the two services, in one form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fraudline.errors import LocalServiceError
from fraudline.local import bqlite, kafka
from fraudline.local.state import Record
from fraudline.settings import LOCAL, Settings

OnProgress = Callable[[str], None]


@dataclass(frozen=True)
class Service:
    """One service: how it is started, proved and addressed.

    Attributes:
        name: also the name of its directory and of its log.
        port_settings: by a port's role, the setting that chooses it; an empty name always
            takes a free port.
        stop_grace_s: seconds it may take to end before it is killed.
        command: makes it ready for a start and gives the command.
        prove: a round trip through a real client within so many seconds; raises
            LocalServiceError if it fails.
        address: where clients connect, from its ports by role.
    """

    name: str
    port_settings: Mapping[str, str]
    stop_grace_s: float
    command: Callable[[Settings, Path, Mapping[str, int], OnProgress], list[str]]
    prove: Callable[[Mapping[str, int], float], None]
    address: Callable[[Mapping[str, int]], str]

    def directory(self, home: Path) -> Path:
        """Where it keeps everything but its log."""
        return home / self.name

    def lock(self, home: Path) -> Path:
        """The file that it keeps locked while it lives."""
        return self.directory(home) / "alive.lock"

    def log(self, home: Path) -> Path:
        """What it wrote to standard output and error."""
        return home / "logs" / f"{self.name}.log"


SERVICES = tuple(
    Service(
        name=room.NAME,
        port_settings=room.PORT_SETTINGS,
        stop_grace_s=room.STOP_GRACE_S,
        command=room.command,
        prove=room.prove,
        address=room.address,
    )
    for room in (kafka, bqlite)
)


def wanted(settings: Settings) -> list[Service]:
    """The services that the settings place on this machine."""
    is_local = {
        kafka.NAME: settings.kafka.bootstrap_servers == LOCAL,
        bqlite.NAME: settings.bigquery.project == LOCAL,
    }
    return [service for service in SERVICES if is_local[service.name]]


def recorded_pid(service: Service, home: Path, record: Record | None) -> int:
    """The process number of a service that is alive.

    Raises:
        LocalServiceError: nobody wrote it down.
    """
    if record is None or record.pid is None:
        raise LocalServiceError(
            f"a {service.name} runs in {home}, but services.json does not say which process it "
            f"is: the `fraudline up` that started it was cut short. `fuser {service.lock(home)}` "
            "names it; end it, then run `fraudline up`."
        )
    return record.pid
