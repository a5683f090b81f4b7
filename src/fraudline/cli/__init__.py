"""The command line: the only room that joins the others.

Takes arguments and settings; gives tables and sentences, and an exit code: 0 when all is
well, 1 when something failed, 2 when what was asked cannot be done as asked. Never computes.
"""
