"""`./fairweather …`: puts the checkout, not this folder, on the import path and hands over."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from gitops.cli import main  # noqa: E402  (after the path is right)

if __name__ == "__main__":  # worker processes import this file, too
    sys.exit(main())
