"""The threads in which requests are answered: as many as there may be connections.

A client that waits for a query keeps one for minutes, and the others must not wait for it.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

MAX_ANSWERED = 256  # no fewer than the connections there may be
_P = ParamSpec("_P")
_T = TypeVar("_T")
_POOL = ThreadPoolExecutor(MAX_ANSWERED, thread_name_prefix="rest")


async def in_thread(call: Callable[_P, _T], *arguments: _P.args, **named: _P.kwargs) -> _T:
    """What the call gives or raises, while others are served."""
    return await asyncio.get_running_loop().run_in_executor(
        _POOL, lambda: call(*arguments, **named)
    )
