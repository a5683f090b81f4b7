"""Draws that anybody can repeat: from what a payment is and from what nobody outside knows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from fraudline.bundle.bundle import Bundle
from fraudline.bundle.bundle_files import GRAPH_FILE

_DRAWS = 2**64


def drawn(identities: Iterable[bytes], share: float, bundle: Bundle) -> list[bool]:
    """Which are among a share of all that there might be; a larger share has all of a smaller one.

    Args:
        identities: What tells one from the other.
        share: Above 0, at most 1.
        bundle: By whose graph they are drawn: each draws others, and the same again.
    """
    key = bytes.fromhex(bundle.manifest.files[GRAPH_FILE])
    limit = int(share * _DRAWS)
    if limit == _DRAWS:
        return [True for _ in identities]
    least = limit.to_bytes(8)
    blake2b = hashlib.blake2b
    return [blake2b(each, digest_size=8, key=key).digest() < least for each in identities]
