"""How long the body of a request may take."""

import asyncio
from collections.abc import AsyncIterator

from bqlite.errors import SlowClientError

BODY_WITHIN_S = 30.0
LEAST_BYTES_A_SECOND = 64 << 10


async def in_time(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same pieces, while they come by `LEAST_BYTES_A_SECOND` or `BODY_WITHIN_S` is not over.

    Raises:
        SlowClientError: They do not.
    """
    clock, received = asyncio.get_running_loop(), 0
    begun = clock.time()
    while True:
        left = begun + BODY_WITHIN_S + received / LEAST_BYTES_A_SECOND - clock.time()
        try:
            async with asyncio.timeout(left):
                piece = await anext(pieces)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise SlowClientError(
                f"{received} bytes of the request's body came in {clock.time() - begun:.0f} s; it "
                f"has {BODY_WITHIN_S:.0f} s, and a second for each {LEAST_BYTES_A_SECOND} bytes"
            ) from error
        received += len(piece)
        yield piece
