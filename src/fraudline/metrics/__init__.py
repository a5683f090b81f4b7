"""Metrics: what a running loop exposes over HTTP, in Prometheus' format.

Takes the state that a loop reports of itself; gives `GET /metrics` and `GET /health`, from a
thread of their own, so that they answer even if the loop hangs. Of the API it takes the counts, and
gives the text that the API itself serves. Never slows or steers a loop.
"""

from fraudline.metrics.server import serving

__all__ = ["serving"]
