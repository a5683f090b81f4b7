"""The HTTP API: transactions of other programs, decided by the engine of the stream.

Takes requests; gives decisions, versions, metrics, or a problem in words (RFC 9457). What decides
is what decides in a scorer, and changes at the same promotion. Never decides or computes itself,
never gives a decision without an API key whose role may ask for it.
"""

from fraudline.api.api_server import ApiServer

__all__ = ["ApiServer"]
