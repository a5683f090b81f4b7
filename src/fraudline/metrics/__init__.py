"""Metrics: what a running loop lets others see, in Prometheus' words and by HTTP.

Takes the account that a loop keeps of itself; gives `GET /metrics` and `GET /health`, from a
thread of its own, so that they answer while the loop hangs. Never slows or steers a loop.
"""

from fraudline.metrics.server import serving

__all__ = ["serving"]
