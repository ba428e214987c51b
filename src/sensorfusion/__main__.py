"""``python -m sensorfusion``, and the console script."""

import os
import signal
import sys

from sensorfusion.cli.interrupt import end_now


def main() -> None:
    """Run the command line and leave with its exit code."""
    # Not where Ctrl-C is ignored: the shell does that for what runs in the background.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, end_now)
    _open_closed_streams()
    # Takes long enough for a Ctrl-C to come meanwhile.
    from sensorfusion.cli.app import run  # noqa: PLC0415

    code = run(sys.argv[1:])
    # Nothing is left to interrupt, and Python on its way out would say so in its own words.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(code)


def _open_closed_streams() -> None:
    """Let what is written to a closed stdout or stderr go nowhere.

    Without this the next file that is opened would take the number, and be written into.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number, which is this one.
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


if __name__ == "__main__":
    main()
