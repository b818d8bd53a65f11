"""`python -m millimorph`: the command line."""

from millimorph.cli import main

if __name__ == "__main__":
    main()
