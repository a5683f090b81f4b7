"""BigQuery's SQL in, DuckDB's SQL out.

Takes: a statement, its parameters and the catalog's names. Gives: a `Plan`. Never: runs anything,
or lets through a function or construct that is not on its list of those it renders faithfully.
"""
