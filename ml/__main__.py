"""`python -m ml`: the command line."""

import sys

if __name__ == "__main__":
    try:
        from ml.cli.app import main

        code = main()
    except KeyboardInterrupt:  # while the first imports still run
        code = 130
    sys.exit(code)
