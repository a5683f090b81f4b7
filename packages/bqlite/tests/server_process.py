"""A bqlite of its own process, for tests that end it as they like."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import bqlite


class Process:
    """A bqlite of its own process."""

    def __init__(self, directory, *options, prefix=()):
        self.popen = subprocess.Popen(
            [*prefix, sys.executable, "-m", "bqlite", "--data", str(directory), *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        line = self.popen.stdout.readline()
        self.ready = json.loads(line) if line else None
        if self.ready:
            self.bq = bqlite.Bqlite(
                self.ready["rest"], self.ready["storage"], self.ready["project"]
            )

    def end(self, number=signal.SIGTERM):
        self.popen.send_signal(number)
        code = self.popen.wait(timeout=30)
        self.popen.stdout.close()
        self.popen.stderr.close()
        return code

    def refused(self):
        _, message = self.popen.communicate(timeout=30)
        return self.popen.returncode, message


def most_held_mb(pid):
    """The most that a process ever held in memory."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = [one for one in status if one.startswith("VmHWM")]
    return int(line.split()[1]) >> 10
