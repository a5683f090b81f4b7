"""`python -m fraudline.cli` is `fraudline`."""

from fraudline.cli.app import main

if __name__ == "__main__":
    main()
