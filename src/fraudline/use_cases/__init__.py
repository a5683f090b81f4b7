"""Use cases: what a command, a page or a program of yours can have done.

Takes a project and what is asked; gives a dataclass of what was found: counts, refusals, a
version, warnings. What takes long tells a callback how far it is. Never prints, and never
parses options.
"""
