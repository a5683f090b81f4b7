"""BigQuery's Storage Read and Write API over gRPC.

Takes: sessions, streams and rows as Google's clients send them. Gives: Arrow batches, and appends
whose rows and stream position are one DuckDB transaction. Never: acknowledges a row that is not
on disk.
"""
