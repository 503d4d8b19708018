"""The command: ``throng`` and ``python -m throng``."""

import signal
import sys

from throng import _throng


def main() -> int:
    """Do what the arguments of this process say."""
    # The command handles signals itself; Python would only remember them.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _throng.main(["throng" if sys.argv[0] == __file__ else sys.argv[0], *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
