"""The warehouse: tables in BigQuery, read and written through Google's own clients.

Takes Arrow tables, SQL and names; gives Arrow tables, and streams to which rows are appended
exactly once. The same code talks to bqlite and to Google; only endpoint and credentials
differ. Together with `local`, the only room that imports Google's libraries. Never decides
what a row means, but for one rule that is SQL: which label of a transaction counts.
"""
