"""Options of drivers: the keyword-only parameters of ``open``, filled from text."""

import difflib
import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sensorfusion.errors import DriverError
from sensorfusion.sources.driver import Driver

_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True}
_BOOLEANS |= {"false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True, slots=True)
class DriverOption:
    """One option of a driver, as ``sensorfusion drivers`` lists it.

    Attributes
    ----------
    name : str
        As typed after ``-o``, with dashes.
    type : str
        What the value may be.
    default : str
        The value when the option is not given; ``required`` when there is none.
    """

    name: str
    type: str
    default: str


def describe_options(driver: Driver) -> tuple[DriverOption, ...]:
    """Return the options of a driver in the order of its parameters.

    Raises
    ------
    DriverError
        If the annotations of ``open`` cannot be resolved: the plug-in is broken.
    """
    described = []
    for name, (hint, default) in _parameters(driver).items():
        shown = "required" if default is inspect.Parameter.empty else _shown(default)
        described.append(DriverOption(name.replace("_", "-"), _type_text(hint), shown))
    return tuple(described)


def convert_options(
    driver: Driver, name: str, options: Mapping[str, str], beside: Sequence[str] = ()
) -> dict[str, object]:
    """Turn option texts into arguments for ``open``.

    Parameters
    ----------
    driver : Driver
    name : str
        The driver's name, for messages.
    options : mapping of str to str
        Values by option; dashes and underscores mean the same.
    beside : sequence of str
        What else may be given in the same place: a misspelt option may mean one of these.

    Returns
    -------
    dict of str to object
        Values by parameter name, of the annotated types.

    Raises
    ------
    DriverError
        If an option is unknown, given twice, missing though required, or of the wrong type.
    """
    parameters = _parameters(driver)
    values: dict[str, object] = {}
    for key, text in options.items():
        parameter = key.strip().replace("-", "_")
        if parameter not in parameters:
            raise DriverError(_unknown_option(name, key, list(parameters), beside))
        if parameter in values:
            msg = f"driver {name!r}: option {_dashed(parameter)} is given twice; give it once"
            raise DriverError(msg)
        hint = parameters[parameter][0]
        try:
            values[parameter] = _convert(text, hint)
        except ValueError as error:
            msg = (
                f"driver {name!r}: option {_dashed(parameter)} is {text!r}; "
                f"expected {_type_text(hint)}"
            )
            raise DriverError(msg) from error
    for parameter, (hint, default) in parameters.items():
        if default is inspect.Parameter.empty and parameter not in values:
            msg = f"driver {name!r} needs -o {_dashed(parameter)}={_type_text(hint)}"
            raise DriverError(msg)
    return values


def _parameters(driver: Driver) -> dict[str, tuple[object, object]]:
    """Return (type, default) of each keyword-only parameter of ``open``."""
    try:
        hints = typing.get_type_hints(driver.open)
    except (NameError, TypeError, AttributeError) as error:
        msg = f"driver {type(driver).__name__}: its options cannot be read: {error}; mend or remove"
        raise DriverError(msg) from error
    return {
        parameter.name: (hints.get(parameter.name, str), parameter.default)
        for parameter in inspect.signature(driver.open).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def _convert(text: str, hint: object) -> object:
    """Return ``text`` as a value of ``hint``, or raise ValueError."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _convert_union(text, arguments)
    if origin is Literal:
        return {str(choice): choice for choice in arguments}[_one_of(text, map(str, arguments))]
    if hint in _PLAIN:
        return _PLAIN[hint](text)
    msg = f"an option of type {_type_text(hint)} cannot be given as text; mend the driver"
    raise DriverError(msg)


def _convert_union(text: str, members: tuple[object, ...]) -> object:
    if types.NoneType in members and text.lower() == "none":
        return None
    for member in members:
        if member is not types.NoneType:
            try:
                return _convert(text, member)
            except ValueError:
                continue
    raise ValueError(text)


def _one_of(text: str, choices: Iterable[str]) -> str:
    if text not in tuple(choices):
        raise ValueError(text)
    return text


def _boolean(text: str) -> bool:
    return _BOOLEANS[_one_of(text.lower(), _BOOLEANS)]


def _path(text: str) -> Path:
    if not text:
        raise ValueError(text)
    return Path(text).expanduser()


_PLAIN: dict[object, Callable[[str], object]] = {
    bool: _boolean,
    int: int,
    float: float,
    str: str,
    Path: _path,
}


def _shown(default: object) -> str:
    return str(default).lower() if default is None or isinstance(default, bool) else str(default)


def _type_text(hint: object) -> str:
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is Literal:
        return " or ".join(map(str, arguments))
    if arguments:
        return " or ".join(_type_text(argument) for argument in arguments)
    named: dict[object, str] = {
        types.NoneType: "none",
        bool: "true or false",
        Path: "path",
        str: "text",
    }
    return named.get(hint, getattr(hint, "__name__", str(hint)))


def _unknown_option(name: str, key: str, known: list[str], beside: Sequence[str]) -> str:
    dashed = [_dashed(parameter) for parameter in known]
    close = difflib.get_close_matches(_dashed(key), [*dashed, *beside], n=1)
    hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(dashed) or 'none'}"
    return f"driver {name!r} has no option {key!r}; {hint}"


def _dashed(parameter: str) -> str:
    return parameter.replace("_", "-")
