"""The command line: it parses, calls a use case, and prints what that found.

Takes arguments and settings; gives tables and sentences, and an exit code: 0 when all is
well, 1 when something failed, 2 when what was asked cannot be done as asked. Never computes.
"""
