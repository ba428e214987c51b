"""``-o model=FILE.onnx``: a monocular model beside any source."""

import difflib
import re
from dataclasses import dataclass, replace
from typing import Annotated, Any, get_args

from cyclopts import Parameter

from sensorfusion.cli.location import SourceOptions
from sensorfusion.cli.usage import UsageError
from sensorfusion.config_pictures import ModelOutput, ModelSettings
from sensorfusion.errors import ConfigError

_KEYS = {
    "model": "file",
    "model-size": "size",
    "model-mean": "mean",
    "model-std": "std",
    "model-output": "output",
    "model-engine": "engine",
}
_ENGINES = ("auto", "opencv", "onnxruntime")


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSourceOptions(SourceOptions):
    """How a source is opened, and the monocular model that is shown its pictures.

    Attributes
    ----------
    option : tuple of str
        An option of the driver as KEY=VALUE; may be repeated. `sensorfusion drivers` lists them.
        With any driver, model=FILE.onnx names a monocular model, and model-size=WxH,
        model-mean=R,G,B, model-std=R,G,B, model-output=KIND and model-engine=NAME say about it what
        FILE.toml beside it does not.
    trust_model : bool
        Take the metres of a model with metric output as they are where nothing was measured.
    """

    option: Annotated[tuple[str, ...], Parameter(name=("-o", "--option"), negative=())] = ()
    trust_model: Annotated[bool, Parameter(negative=())] = False

    @property
    def values(self) -> dict[str, str]:
        """Return the driver's options by name; see :attr:`SourceOptions.values`."""
        return {key: text for key, text in self._all().items() if not _is_ours(key)}

    @property
    def beside(self) -> tuple[str, ...]:
        """Return what is said of a model beside the driver's options."""
        return tuple(_KEYS)

    @property
    def names_model(self) -> bool:
        """Return whether the options name a model's file."""
        return "model" in self._all()

    def model(self, others: ModelSettings | None = None) -> ModelSettings:
        """Return the settings of the model, complete and loaded; as they were where none is named.

        Parameters
        ----------
        others : ModelSettings, optional
            What else says something about it; options count before.

        Raises
        ------
        UsageError
            If an option is unknown or its value cannot be meant, or it says something about a model
            that is not named.
        ConfigError, ModelError
            If the model's files cannot be used.
        """
        # Here, because numba and the depth stage take a second to load.
        from sensorfusion.depth.model_file import load_model  # noqa: PLC0415

        given = {key: text for key, text in self._all().items() if _is_ours(key)}
        values: dict[str, Any] = {_named(key): _converted(key, text) for key, text in given.items()}
        if self.trust_model:
            values["trust"] = True
        try:
            settings = replace(others or ModelSettings(), **values)
        except ConfigError as error:
            raise UsageError(str(error)) from error
        if settings.file is None:
            if values:
                first = "--trust-model" if self.trust_model else f"-o {next(iter(given))}"
                msg = f"{first} says something about a model; name it: -o model=FILE.onnx"
                raise UsageError(msg)
            return settings
        return load_model(settings).settings

    def _all(self) -> dict[str, str]:
        # Not super(): a class with slots is made anew, and super() would know the first one.
        return SourceOptions(option=self.option).values


def _is_ours(key: str) -> bool:
    return key.startswith("model")


def _named(key: str) -> str:
    dashed = key.replace("_", "-")
    if dashed not in _KEYS:
        close = difflib.get_close_matches(dashed, _KEYS, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(_KEYS)}"
        msg = f"-o {key}: no such option of a model; {hint}"
        raise UsageError(msg)
    return _KEYS[dashed]


def _converted(key: str, text: str) -> object:
    name = _named(key)
    if name == "size":
        match = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", text)
        if match is None:
            msg = f"-o {key}={text}: expected WIDTHxHEIGHT in pixels, such as 224x128"
            raise UsageError(msg)
        return int(match[1]), int(match[2])
    if name in ("mean", "std"):
        return _triple(key, text)
    choices = {"output": get_args(ModelOutput), "engine": _ENGINES}.get(name)
    if choices is not None and text not in choices:
        close = difflib.get_close_matches(text, choices, n=1)
        hint = f"did you mean {close[0]}?" if close else f"expected one of {', '.join(choices)}"
        msg = f"-o {key}={text}: {hint}"
        raise UsageError(msg)
    return text


def _triple(key: str, text: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != 3:
        msg = f"-o {key}={text}: expected three numbers for red, green and blue, such as .5,.5,.5"
        raise UsageError(msg)
    return numbers
