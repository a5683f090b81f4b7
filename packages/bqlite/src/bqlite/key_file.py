"""`bqlite key`: a throw-away key file, for programs that want one of a service account."""

import argparse
import json
import os
import sys
import uuid
from pathlib import Path


def write_key(path: Path, rest: str, project: str) -> None:
    """Writes a key file with a new private key, which only its owner may read.

    Args:
        path: The file; it must not exist yet.
        rest: The REST endpoint that gives the tokens.
        project: The project the file names.

    Raises:
        OSError: The file exists or cannot be written.
    """
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  # a start needs none
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415

    private = rsa.generate_private_key(public_exponent=65_537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    key = {
        "type": "service_account",
        "project_id": project,
        "private_key_id": uuid.uuid4().hex,
        "private_key": private.decode(),
        "client_email": "bqlite@localhost",
        "client_id": "bqlite",
        "token_uri": f"{rest.rstrip('/')}/token",
    }
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(key, file, indent=2)


def main(argv: list[str]) -> None:
    """Runs the command; exit code 1 says why there is no file."""
    options = parse(argv)
    try:
        write_key(options.file, options.rest, options.project)
    except OSError as error:
        sys.stderr.write(f"bqlite key: {options.file}: {error.strerror}; nothing was written\n")
        sys.exit(1)
    sys.stdout.write(
        f"{options.file}: a key that {options.rest} takes, and nobody else. Clients find the "
        f"server by BIGQUERY_EMULATOR_HOST={options.rest}\n"
    )


def parse(argv: list[str]) -> argparse.Namespace:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="bqlite key",
        description="Writes a throw-away key file of a service account that exists nowhere.",
    )
    parser.add_argument("file", type=Path, help="the file to write; it must not exist")
    parser.add_argument("--rest", required=True, help="the REST address that a server has printed")
    parser.add_argument("--project", default="local", help="the project the file names")
    return parser.parse_args(argv)
