"""`python -m bqlite` is the `bqlite` command."""

from bqlite.server import main

main()
