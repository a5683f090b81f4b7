"""How soon a scorer takes what is promoted in an object store, and what looking for it costs.

`python -m tests.registry.promotion_time`. moto's server answers on loopback; each piece of bytes
may be held back either way, as a store that is far. Versions are tiny: to fetch one is round trips.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests import s3_server
from tests.faults.proxy import Network, Proxy
from tests.transactions import CREDITCARD
from tests.use_cases.versions import add_version

from fraudline.local.process import free_port
from fraudline.registry import bucket as requests
from fraudline.settings import RegistrySettings, Settings
from fraudline.stream.counts import Task
from fraudline.stream.progress import Progress
from fraudline.use_cases.follow_champion import ChampionFollower
from fraudline.use_cases.project import Project


def main() -> None:
    """Promote a new version again and again, and time each until it decides."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--promotions", type=int, default=20)
    options.add_argument("--delay-ms", type=float, default=0.0)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        server = s3_server.running_server(Path(directory))
        network = Network()
        port = free_port()
        way = Proxy(network, port, server.port)
        try:
            os.environ.update(s3_server.environment(f"http://127.0.0.1:{port}"))
            _measure(Path(directory), server.make_bucket("measured"), way, chosen)
        finally:
            way.close()
            network.close()
            s3_server.end(Path(directory))


def _measure(directory: Path, url: str, way: Proxy, chosen: argparse.Namespace) -> None:
    trainer, scorer = (
        Project(Settings(home=directory / name, registry=RegistrySettings(url=url)))
        for name in ("trainer", "scorer")
    )
    versions = [
        add_version(trainer.registry, CREDITCARD, 1.0 + number / 100)
        for number in range(chosen.promotions + 1)
    ]
    trainer.registry.promote(versions[0])
    follower = ChampionFollower(scorer, None, Progress(Task.SCORE))
    way.delay_s = chosen.delay_ms / 1000
    took_s = []
    with follower.following(lambda _: None):
        for version in versions[1:]:
            time.sleep(random.uniform(0.0, 1.0))  # at any moment between two looks
            trainer.registry.promote(version)
            begun_at = time.monotonic()
            while follower.model.version != version:
                time.sleep(0.005)
            took_s.append(time.monotonic() - begun_at)
        _say(
            f"{chosen.delay_ms:.0f} ms either way, {len(took_s)} promotions: taken after "
            f"{statistics.median(took_s):.2f} s in the median, {min(took_s):.2f} to "
            f"{max(took_s):.2f} s"
        )
        asked = 0
        get = requests.obstore.get

        def count(*arguments: Any, **named: Any) -> Any:
            nonlocal asked
            asked += 1
            return get(*arguments, **named)

        requests.obstore.get = count  # type: ignore[assignment]
        time.sleep(30)
        _say(f"{asked} requests in 30 s in which nothing changed: {asked * 2880:,} a day")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
