"""A BigQuery for one machine: Google's REST and gRPC surface over DuckDB and sqlglot.

Takes: a directory. Gives: the addresses of a REST and a Storage endpoint that Google's unmodified
Python clients talk to. Never: talks to another machine, reads a file a query names, or accepts a
feature it would answer differently from BigQuery without saying so.

One way through it: a front (`rest`, `storage`) takes a request apart, `sql` turns BigQuery's SQL
into DuckDB's, `engine` and `catalog` hold the rows and what is known about them, and `jobs` and
`loads` run the work.
"""

from bqlite.embedded import Bqlite, serve

__all__ = ["Bqlite", "serve"]
