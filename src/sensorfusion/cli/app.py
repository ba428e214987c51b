"""The commands, and the one place where errors become a line and an exit code."""

import sys
from collections.abc import Sequence
from importlib.metadata import version

from cyclopts import App, CycloptsError

from sensorfusion.cli.config_file import apply_config_file, check_settings
from sensorfusion.cli.interrupt import INTERRUPTED
from sensorfusion.cli.output import stdout_error, stdout_fails
from sensorfusion.cli.usage import UsageError
from sensorfusion.errors import SensorFusionError

DONE = 0
FAILED = 1
WRONG_USAGE = 2

app = App(
    name="sensorfusion",
    help="Any recording of a depth sensor to absolute depth in metres and a coloured mesh.",
    version=lambda: version("sensorfusion"),
    config=(apply_config_file, check_settings),
    help_format="plaintext",
    suppress_keyboard_interrupt=False,
)

_INTERRUPTION = """

The first Ctrl-C ends early, with whole files of what was seen until then; the second ends at once.
"""

# Named by import path: `sensorfusion --help` loads none of them, nor Open3D, OpenCV and numba.
_COMMANDS = {
    "reconstruct": ("reconstruct:reconstruct", "Turn a recording into a mesh." + _INTERRUPTION),
    "depth": ("depth:depth", "Write a recording's depth maps in metres." + _INTERRUPTION),
    "record": ("record:record", "Record a camera, or a recording anew." + _INTERRUPTION),
    "info": ("info:info", "Say what a recording holds."),
    "evaluate": (
        "evaluate:app",
        "Measure depth, a trajectory or a mesh against the truth, or depth over time.",
    ),
    "convert": ("convert:convert", "Write a recording in another format, every sample of it."),
    "recover": ("convert:recover", "Save what can be read of a damaged recording."),
    "export": ("export:app", "Write what was measured in the files of other programs."),
    "calibrate": (
        "calibrate:app",
        "Find or check lenses, where sensors sit, and that metres are right; write rig files.",
    ),
    "devices": ("devices:devices", "List the cameras that are plugged in."),
    "drivers": ("drivers:drivers", "List what can be read, and the options of each driver."),
    "doctor": ("doctor:doctor", "Check this installation, or a camera (--live)."),
}
for _name, (_path, _help) in _COMMANDS.items():
    # Markdown joins the lines of docstrings, but takes long to load: the list of commands does
    # without. Apps of several commands say so themselves.
    _format = {} if _path.endswith(":app") else {"help_format": "markdown"}
    app.command(f"sensorfusion.cli.{_path}", name=_name, help=_help, **_format)


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str
        As typed, without the program's name.

    Returns
    -------
    int
        0 done; 1 failed for a reason that one line on stderr states; 2 wrong usage;
        130 interrupted.
    """
    try:
        app(
            list(arguments),
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
        sys.stdout.flush()
    except (CycloptsError, UsageError) as error:
        message, code = f"{error} ({_advice(arguments)})", WRONG_USAGE
    except KeyboardInterrupt:
        message, code = "interrupted", INTERRUPTED
    except ImportError as error:
        message = f"{error.__cause__ or error}; sensorfusion doctor says what to do"
        code = FAILED
    except BrokenPipeError:
        # Whoever read our output (head, less) has seen enough.
        stdout_fails()
        return DONE
    except (SensorFusionError, OSError) as error:
        message, code = str(error), FAILED
        if isinstance(error, OSError) and stdout_fails():
            message = str(stdout_error(error))
    else:
        return DONE
    sys.stderr.write(f"sensorfusion: {' '.join(message.split())}\n")
    return code


def _advice(arguments: Sequence[str]) -> str:
    """Return how to see what may be typed, for the command that was meant."""
    try:
        commands, _, _ = app.parse_commands(list(arguments))
    except CycloptsError:
        commands = ()
    return " ".join(("sensorfusion", *commands, "--help"))
