"""``--config FILE.toml``: settings from a file, beneath those of the command line."""

import difflib
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

from cyclopts import App, ArgumentCollection, UnknownOptionError
from cyclopts.config import Dict

from sensorfusion.config import Settings
from sensorfusion.errors import ConfigError


def apply_config_file(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Fill settings that the command line left open from the file that ``--config`` names.

    A key is a setting's full name (``[fusion]`` ``voxel_size_m``) or, where the command line has
    a short one, that (``voxel_size_m``); dashes and underscores mean the same.

    Raises
    ------
    ConfigError
        If the file cannot be read, is not TOML, or holds a key that is no setting.
    """
    given = [
        argument for argument in arguments if argument.name == "--config" and argument.has_tokens
    ]
    if not given:
        return
    path = Path(given[0].tokens[-1].value)
    values = _read(path)
    stages = {field.name for field in fields(Settings)}
    settings = arguments.copy()
    settings[:] = [each for each in arguments if each.keys and each.keys[0] in stages]
    # Under the command's name, because a stage may be called what another command is (depth).
    for command in reversed(commands):
        values = {command: values}
    try:
        Dict(values, source=str(path))(app, commands, settings)
    except UnknownOptionError as error:
        key = str(error.token.keyword).strip("[]").replace("][", ".") if error.token else ""
        raise ConfigError(_unknown(path, key, settings)) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror}); --config takes a TOML file"
        raise ConfigError(msg) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{path}: is not TOML: {error}"
        raise ConfigError(msg) from error


def _unknown(path: Path, key: str, settings: ArgumentCollection) -> str:
    names = [name.lstrip("-") for argument in settings for name in argument.names]
    close = difflib.get_close_matches(key.replace("_", "-"), names, n=1)
    hint = (
        f"did you mean {close[0].replace('-', '_')}?"
        if close
        else "sensorfusion reconstruct --help lists them"
    )
    return f"{path}: there is no setting {key}; {hint}"
