"""Run the command line: `python -m penstock.ui`."""

from penstock.ui.cli.app import main

if __name__ == "__main__":
    main()
