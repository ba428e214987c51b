"""Fields: values of a parsed file (TOML, YAML, JSON), each asked for by name and type."""

import difflib
import math
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from sensorfusion.errors import CalibrationError

_MOST_VALUES = 100_000


class Fields:
    """A table of a parsed file that says in one sentence what is wrong with a value, and where.

    Parameters
    ----------
    content : object
        What the parser returned.
    path : Path
        The file, named in errors.
    text : str
        The text of the file: errors name the line at which a key stands.
    where : tuple of str
        Keys from the top of the file to this table.

    Raises
    ------
    CalibrationError
        If the content is not a table with names.
    """

    __slots__ = ("_content", "_where", "path", "text_of_file")

    def __init__(self, content: object, path: Path, text: str, where: tuple[str, ...] = ()) -> None:
        self.path = path
        self.text_of_file = text
        self._where = where
        if not isinstance(content, dict):
            self._content: dict[str, object] = {}
            raise self.fault(None, _shown(content), "a table of names and values")
        self._content = {str(name): value for name, value in content.items()}

    def __contains__(self, name: str) -> bool:
        return name in self._content

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def only(self, known: Collection[str]) -> None:
        """Refuse a name that is not known, with the one that was probably meant."""
        for name in self._content:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
                raise self.fault(name, "a name that means nothing here", hint)

    def first_of(self, *names: str) -> str:
        """Return the first of several names that stands here."""
        for name in names:
            if name in self._content:
                return name
        raise self.fault(None, f"the names {', '.join(self._content)}", " or ".join(names))

    def is_table(self, name: str) -> bool:
        """Say whether there is a table under a name."""
        return isinstance(self._content.get(name), dict)

    def table(self, name: str) -> "Fields":
        """Return the table under a name."""
        return Fields(self._value(name), self.path, self.text_of_file, (*self._where, name))

    def tables(self, name: str) -> "tuple[Fields, ...]":
        """Return the list of tables under a name."""
        values = self._value(name)
        if not isinstance(values, list):
            raise self.fault(name, _shown(values), "a list of tables")
        where = (*self._where, name)
        return tuple(Fields(value, self.path, self.text_of_file, where) for value in values)

    def text(self, name: str) -> str:
        """Return a text."""
        value = self._value(name)
        if not isinstance(value, str):
            raise self.fault(name, _shown(value), "a text")
        return value

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        """Return a text that is one of several."""
        value = self.text(name)
        if value not in choices:
            raise self.fault(name, repr(value)[:60], " or ".join(choices))
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts."""
        values = self._value(name)
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise self.fault(name, _shown(values), "a list of texts")
        return tuple(values)

    def whole(self, name: str) -> int:
        """Return a whole number from 0 to 2^31 - 1."""
        value = self._value(name)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 31:
            raise self.fault(name, _shown(value), "a whole number, 0 or more")
        return value

    def wholes(self, name: str, count: int) -> tuple[int, ...]:
        """Return a list of whole numbers from 0 to 2^31 - 1."""
        numbers = self.numbers(name, count)
        if not all(0 <= number < 1 << 31 and number == int(number) for number in numbers):
            raise self.fault(name, str(list(numbers)), "whole numbers, 0 or more")
        return tuple(map(int, numbers))

    def number(self, name: str) -> float:
        """Return a number, possibly infinite, never NaN."""
        value = _number(self._value(name))
        if value is None:
            raise self.fault(name, _shown(self._value(name)), "a number")
        return value

    def numbers(self, name: str, *counts: int) -> tuple[float, ...]:
        """Return numbers, lists within the list laid end to end.

        Parameters
        ----------
        name : str
        counts : int
            How many there may be; any number of them if left out.
        """
        listed = _flat(self._value(name))
        values = [value for value in map(_number, listed) if value is not None]
        if len(values) != len(listed) or (counts and len(values) not in counts):
            wanted = " or ".join(map(str, counts)) + " numbers" if counts else "numbers"
            raise self.fault(name, _shown(self._value(name)), wanted)
        return tuple(values)

    def fault(self, name: str | None, found: str, expected: str) -> CalibrationError:
        """Return the error that says what is wrong under a name, or with the table itself."""
        keys = self._where if name is None else (*self._where, name)
        return CalibrationError(f"{self._place(keys)}: found {found}; expected {expected}")

    @property
    def place(self) -> str:
        """Return file, line and keys of this table, as errors name them."""
        return self._place(self._where)

    def _place(self, keys: tuple[str, ...]) -> str:
        line = f"{_line(self.text_of_file, keys)}: {'.'.join(keys)}"
        return f"{self.path}: {line}" if keys else str(self.path)

    def _value(self, name: str) -> object:
        if name not in self._content:
            close = difflib.get_close_matches(name, self._content, n=1)
            instead = f"; there is {close[0]!r}" if close else ""
            raise self.fault(None, f"no {name!r}{instead}", f"a value under {name!r}")
        return self._content[name]


def _line(text: str, keys: tuple[str, ...]) -> str:
    """Return "line N" of a key, looked for behind those of the tables that it stands in."""
    position = 0
    for key in keys:
        match = re.compile(rf"(?<![\w-]){re.escape(key)}(?![\w-])").search(text, position)
        position = match.start() if match else position
    return f"line {text.count(chr(10), 0, position) + 1}"


def _flat(value: object) -> list[object]:
    """Return the values of lists within lists, ending in None where there are far too many.

    An alias of YAML can make a list that holds itself.
    """
    values: list[object] = []
    waiting = [value]
    for _ in range(_MOST_VALUES):
        if not waiting:
            return values
        here = waiting.pop()
        if isinstance(here, list):
            waiting.extend(reversed(here[:_MOST_VALUES]))
        else:
            values.append(here)
    return [None]


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return None if math.isnan(number) else number


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return f"a list of {len(_flat(value))} values"
    return repr(value)[:60]
