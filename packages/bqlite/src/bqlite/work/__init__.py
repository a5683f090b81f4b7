"""What a client asks for, carried out: queries, DML and DDL, each as a job.

Takes: a `Plan`, and where its rows go. Gives: an `Outcome`. Never: speaks HTTP or gRPC, or lets a
statement change a part of what it was to change.
"""
