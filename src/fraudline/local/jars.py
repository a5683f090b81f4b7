"""The jars of Kafka's broker: fetched once per user, each checked against its known SHA-256."""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fraudline.datasets.cache import sha256_of
from fraudline.errors import LocalServiceError

if TYPE_CHECKING:
    from jgo.maven import MavenContext

KAFKA_VERSION = "4.3.1"
_LOCK_FILE = Path(__file__).parent / "kafka-jars.sha256"
_CONNECTIONS = 8
_CONNECT_TIMEOUT_S = 20


@dataclass(frozen=True)
class Jar:
    """One Maven artifact, pinned by its hash."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def path(self) -> Path:
        """Where the jar lies inside a Maven repository."""
        name = f"{self.artifact}-{self.version}.jar"
        return Path(*self.group.split("."), self.artifact, self.version, name)


def pinned_jars() -> list[Jar]:
    """Every jar that the broker needs, as `kafka-jars.sha256` lists them."""
    lines = _LOCK_FILE.read_text(encoding="utf-8").splitlines()
    jars = []
    for line in lines:
        if not line.startswith("#"):
            sha256, coordinates = line.split()
            group, artifact, version = coordinates.split(":")
            jars.append(Jar(group, artifact, version, sha256))
    return jars


def broker_jars(cache: Path, on_progress: Callable[[str], None]) -> list[Path]:
    """The paths of the broker's jars, all verified; those that are missing or altered are fetched.

    Args:
        cache: the user's cache directory; the jars lie in its `maven` directory.
        on_progress: told in words what is fetched or reused.

    Raises:
        LocalServiceError: a jar could not be fetched, or what was fetched is not the pinned one.
    """
    repository = cache / "maven"
    repository.mkdir(parents=True, exist_ok=True)
    jars = pinned_jars()
    with (repository / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one fetch at a time; the second finds all in place
        missing = [jar for jar in jars if not _is_intact(repository / jar.path, jar)]
        if missing:
            _fetch(repository, missing, on_progress)
        else:
            on_progress(f"Kafka {KAFKA_VERSION}: reusing {len(jars)} verified jars in {repository}")
    return [repository / jar.path for jar in jars]


def _fetch(repository: Path, missing: list[Jar], on_progress: Callable[[str], None]) -> None:
    from jgo.maven import MavenContext  # noqa: PLC0415 - half a second, and only when it fetches

    logging.getLogger("jgo").setLevel(logging.ERROR)
    for jar in missing:
        # jgo takes any file that is there for whole, so what an interruption left must go
        (repository / jar.path).unlink(missing_ok=True)
    context = MavenContext(repo_cache=repository, timeout=_CONNECT_TIMEOUT_S)
    on_progress(
        f"Kafka {KAFKA_VERSION}: fetching {len(missing)} jars into {repository} (45 MB, once)"
    )
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        fetches = {pool.submit(_fetch_one, context, jar): jar for jar in missing}
        for done, fetch in enumerate(as_completed(fetches), start=1):
            if fault := fetch.exception():
                pool.shutdown(cancel_futures=True)
                raise _explained(fault, fetches[fetch], repository)
            if done % 10 == 0 or done == len(missing):
                on_progress(f"Kafka {KAFKA_VERSION}: {done} of {len(missing)} jars fetched")


def _fetch_one(context: MavenContext, jar: Jar) -> None:
    path = context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
    if (found := sha256_of(path)) != jar.sha256:
        path.unlink()
        raise LocalServiceError(
            f"{jar.artifact}-{jar.version}.jar as it was fetched has SHA-256 {found}, expected "
            f"{jar.sha256}. It was deleted and nothing was started. Run `fraudline up` again; "
            "if this repeats, what lies between this machine and the Maven repository alters files."
        )


def _explained(fault: BaseException, jar: Jar, repository: Path) -> BaseException:
    if isinstance(fault, LocalServiceError):
        return fault
    if isinstance(fault, OSError) and fault.errno is not None:
        return fault  # the disk's fault, told as such by `up`; the network's have no errno
    reason = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
    return LocalServiceError(
        f"{jar.artifact}-{jar.version}.jar, a part of the Kafka broker, could not be fetched: "
        f"{reason}. The first start on a machine needs the network; what has arrived is kept in "
        f"{repository}. Run `fraudline up` again when the machine is online."
    )


def _is_intact(path: Path, jar: Jar) -> bool:
    return path.is_file() and sha256_of(path) == jar.sha256
