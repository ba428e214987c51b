"""``--config FILE.toml``: settings from a file, beneath those of the command line."""

import difflib
import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

from cyclopts import (
    App,
    Argument,
    ArgumentCollection,
    CoercionError,
    CycloptsError,
    RepeatArgumentError,
    Token,
    UnknownOptionError,
)
from cyclopts.config import Dict

from sensorfusion.cli.usage import UsageError
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
    settings = arguments.copy()
    settings[:] = _settings(arguments)
    # Under the command's name, because a stage may be called what another command is (depth).
    for command in reversed(commands):
        values = {command: values}
    try:
        Dict(values, source=str(path))(app, commands, settings)
    except UnknownOptionError as error:
        key = _key(error.token) if error.token else ""
        raise ConfigError(_unknown(path, key, settings)) from error
    except RepeatArgumentError as error:
        key = _key(error.token)
        msg = f"{path}: {key} is given twice, once under another name; give it once"
        raise ConfigError(msg) from error
    except CycloptsError as error:
        raise ConfigError(_told(path, error)) from error


def check_settings(_app: App, _commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Refuse settings that cannot be meant, and say where they come from.

    Runs after :func:`apply_config_file`, when all values are together.

    Raises
    ------
    ConfigError
        If a value from the file has the wrong type, is out of range or is given twice.
    UsageError
        If one from the command line has the wrong type or is out of range.
    """
    settings = _settings(arguments)
    for argument in settings:
        if argument.tokens:
            _check_kind(argument, settings)
    # A command that needs no whole stage takes the settings of stereo by themselves.
    alone = [argument for argument in arguments if argument.keys == ("stereo",)]
    for stage in (*(argument for argument in settings if len(argument.keys) == 1), *alone):
        try:
            stage.convert_and_validate()
        except CoercionError as error:
            if error.token is None or _is_typed(error.token):
                raise
            raise ConfigError(_told(error.token.source, error)) from error
        except ConfigError as error:
            raise _refusal(str(error), settings) from error


def _settings(arguments: ArgumentCollection) -> list[Argument]:
    """Return each stage and each of its settings."""
    stages = {field.name for field in fields(Settings)}
    return [each for each in arguments if each.keys and each.keys[0] in stages]


def _check_kind(argument: Argument, settings: list[Argument]) -> None:
    """Refuse a value for a whole stage, or part of one, and half a triangle."""
    token = argument.tokens[0]
    name = ".".join(argument.keys)
    names = [each.keys[-1] for each in settings if each.keys[:-1] == argument.keys]
    if names:
        expected = f"one of its settings: {', '.join(names)}"
        raise _wrong(token, f"{name} is {token.value}; expected {expected}")
    if argument.hint is int and not re.fullmatch(r"[+-]?[0-9]+", str(token.value)):
        raise _wrong(token, f"{name} is {token.value}; expected a whole number")


def _refusal(message: str, settings: list[Argument]) -> UsageError | ConfigError:
    """Return the error for a value out of range; the message begins with the setting's name."""
    for argument in settings:
        if argument.tokens and message.startswith(".".join(argument.keys) + " "):
            return _wrong(argument.tokens[0], message)
    return UsageError(message)


def _wrong(token: Token, message: str) -> UsageError | ConfigError:
    """Return the error for a value: what was typed is usage, what a file holds is data."""
    if _is_typed(token):
        return UsageError(message)
    return ConfigError(f"{token.source}: {message}")


def _told(source: Path | str, error: CycloptsError) -> str:
    """Return the message of an error about the file."""
    error.verbose = False
    return f"{source}: {str(error).replace(f' from {source}', '')}"


def _key(token: Token) -> str:
    """Return a key of the file as TOML writes it."""
    return str(token.keyword).strip("[]").replace("][", ".")


def _is_typed(token: Token) -> bool:
    return token.source in ("", "cli")


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
