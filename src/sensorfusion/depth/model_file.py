"""Monocular models of users: an ONNX file, and beside it what it wants and what it says.

FILE.toml beside FILE.onnx may hold, each unless it is given otherwise::

    about = "what it is, what it learnt from, its licence"
    output = "log"                # inverse, affine_inverse, affine_depth, log or metric
    size = [224, 128]             # width and height of what it is given, pixels
    mean = [0.485, 0.456, 0.406]  # of red, green and blue in 0 to 1
    std = [0.229, 0.224, 0.225]
"""

import difflib
import threading
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from sensorfusion.camera import Camera
from sensorfusion.config_pictures import ModelOutput, ModelSettings
from sensorfusion.depth.network import Network, check_file
from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.errors import ConfigError, ModelError
from sensorfusion.image import Image
from sensorfusion.relative_depth import RelativeDepth

# Nobody can say how far a model's own metres are off. A tenth of depth is assumed, so that
# whatever is measured outweighs them.
_TRUSTED_SHARE = 0.1
_EXAMPLES: dict[str, list[int] | list[float]] = {
    "size": [224, 128],
    "mean": [0.5, 0.5, 0.5],
    "std": [0.25, 0.25, 0.25],
}
_KINDS = (
    "inverse (1/z = s v), affine_inverse (1/z = s v + t), affine_depth (z = s v + t), "
    "log (log z = v + t) or metric (z = v)"
)


@dataclass(frozen=True, slots=True, eq=False)
class MonocularModel:
    """A network that says something about the depth of a picture.

    Attributes
    ----------
    settings : ModelSettings
        Complete.
    network : Network
    """

    settings: ModelSettings
    network: Network

    def __call__(self, image: Image, camera: Camera) -> RelativeDepth:
        """Return what the model says about a picture; metres count as depth up to a scale.

        Raises
        ------
        ModelError
            If the network fails.
        """
        values = self.network(image.pixels)
        if self.settings.output != "metric":
            kind = self.settings.output or "log"
            return RelativeDepth(values, kind, camera, image.timestamp_ns)
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.where(values > 0, np.log(values), np.float32(np.nan))
        return RelativeDepth(logs.astype(np.float32), "log", camera, image.timestamp_ns)

    def in_its_own_metres(self, image: Image, camera: Camera) -> DepthMap | None:
        """Return what a trusted metric model says, marked as predicted; None of another model.

        Raises
        ------
        ModelError
            If the network fails, or none of its values can be metres.
        """
        if not (self.settings.trust and self.settings.output == "metric"):
            return None
        values = self.network(image.pixels)
        there = values > 0
        if not there.any():
            msg = f"{self.settings.file}: none of its metres is above 0; is it a metric model?"
            raise ModelError(msg)
        metres = np.where(there, values, np.float32(0))
        origin = np.where(there, Origin.PREDICTED, Origin.NO_RETURN).astype(np.uint8)
        sigma_m = np.float32(_TRUSTED_SHARE) * metres
        return DepthMap(metres, camera, image.timestamp_ns, sigma_m, origin)


def complete_settings(settings: ModelSettings) -> ModelSettings:
    """Fill in what is left open from the file beside the model's.

    Raises
    ------
    ConfigError
        If no model is named, that file is not as it should be, or nothing says what the model
        puts out.
    ModelError
        If there is no such model, or the file is none.
    """
    if settings.file is None:
        msg = "no monocular model is named; give -o model=FILE.onnx"
        raise ConfigError(msg)
    if not Path(settings.file).is_file():
        msg = f"{settings.file}: no such file; expected a monocular model in an ONNX file"
        raise ModelError(msg)
    sidecar = Path(settings.file).with_suffix(".toml")
    told = _read(sidecar) if sidecar.is_file() else {}
    open_ones = {name: value for name, value in told.items() if getattr(settings, name) is None}
    try:
        complete = replace(settings, **open_ones)
    except ConfigError as error:
        msg = f"{sidecar}: {error}"
        raise ConfigError(msg) from error
    if complete.output is None:
        # Of a file that is no network, nobody can say what it puts out.
        check_file(Path(settings.file))
        msg = (
            f"{settings.file}: nothing says what its values mean; give -o model-output=KIND, or "
            f"output = KIND in {sidecar.name} beside it: {_KINDS}"
        )
        raise ConfigError(msg)
    if complete.trust and complete.output != "metric":
        msg = (
            f"{settings.file}: its output is {complete.output}, in which no metres stand, so that "
            "there are none to trust; leave out --trust-model"
        )
        raise ConfigError(msg)
    return complete


def load_model(settings: ModelSettings) -> MonocularModel:
    """Return the model that settings name, the one that is loaded already where that is the same.

    May be called from any thread.

    Raises
    ------
    ConfigError, ModelError
        As :func:`complete_settings` and :class:`Network`.
    """
    with _lock:
        if settings not in _loaded:
            complete = complete_settings(settings)
            network = Network(
                Path(settings.file or ""),
                size=complete.size,
                mean=complete.mean or (0.0, 0.0, 0.0),
                std=complete.std or (1.0, 1.0, 1.0),
                engine=complete.engine,
            )
            _loaded.clear()
            _loaded[settings] = MonocularModel(complete, network)
        return _loaded[settings]


_lock = threading.Lock()
_loaded: dict[ModelSettings, MonocularModel] = {}


def _read(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror}); it should describe the model beside it"
        raise ConfigError(msg) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{path}: is not TOML: {error}"
        raise ConfigError(msg) from error
    known = ("about", "output", *_EXAMPLES)
    for name, value in values.items():
        if name not in known:
            raise ConfigError(_unknown(path, name, known))
        if name in _EXAMPLES:
            values[name] = _numbers(path, name, value)
    output = values.get("output")
    if output is not None and output not in get_args(ModelOutput):
        close = difflib.get_close_matches(str(output), get_args(ModelOutput), n=1)
        hint = f"did you mean {close[0]}?" if close else f"expected {_KINDS}"
        msg = f"{path}: output is {output!r}; {hint}"
        raise ConfigError(msg)
    values.pop("about", None)
    return values


def _numbers(path: Path, name: str, value: object) -> tuple[Any, ...]:
    example = _EXAMPLES[name]
    kinds = (int,) if isinstance(example[0], int) else (int, float)
    if (
        not isinstance(value, list)
        or len(value) != len(example)
        or any(type(one) not in kinds for one in value)
    ):
        msg = f"{path}: {name} is {value!r}; expected {len(example)} numbers, as in {example}"
        raise ConfigError(msg)
    return tuple(kinds[-1](one) for one in value)


def _unknown(path: Path, name: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
    return f"{path}: there is no {name}; {hint}"
