"""The bundle: the one artifact that a scorer loads.

Takes a directory with graphs, comparisons and a manifest; gives scores, the policy that
decides on them, what each feature contributed, and what the stream is compared with. A bundle
that was altered, is incomplete or was made for another contract is refused by name. Never trains,
and never unpickles: the graph is ONNX, the manifest JSON. Whole is not harmless: a graph is first
tried in a process with limits of time and memory, and one with loops, branches or files elsewhere
is refused.

This page imports nothing, so that who reads a manifest alone loads neither numpy nor Arrow.
"""
