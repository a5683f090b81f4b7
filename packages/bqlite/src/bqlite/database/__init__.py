"""What is kept: one DuckDB file, and what is known of what lies in it.

Takes: a directory; transactions that change data sets, tables, streams and rows together. Gives:
cursors, and the names, columns and sizes of what is stored. Never: reads a statement of BigQuery's,
or shows a change before it is on disk.
"""
