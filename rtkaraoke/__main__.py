"""``python -m rtkaraoke``."""

import sys

from rtkaraoke.cli import main

if __name__ == "__main__":
    sys.exit(main())
