"""BigQuery's REST surface (v2): data sets, tables, rows, queries, jobs, uploads.

Takes: HTTP requests as Google's clients send them. Gives: resources and errors in Google's shape.
Never: computes; it asks `sql`, `queries`, `loads` and `catalog`.
"""
