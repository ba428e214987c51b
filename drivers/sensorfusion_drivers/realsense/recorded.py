"""What the writers of both containers are told about the device that they pretend to be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.errors import OutputError
from sensorfusion.rig import Rig
from sensorfusion_drivers.realsense.streams import COLOR, DEPTH

Picture = tuple[int, NDArray[np.uint16] | None, NDArray[np.uint8] | None]
"""Time stamp in ns, depth (H, W), colour (H, W, 3) RGB; None where the recorder missed one."""

CLOCK: Final = "Hardware Clock"
# Sensor, base of the topics and title of each stream: the same in both containers.
PLACES: Final = {
    DEPTH: ("/device_0/sensor_0", "/device_0/sensor_0/Depth_0", "Depth"),
    COLOR: ("/device_0/sensor_1", "/device_0/sensor_1/Color_0", "Color"),
}
_MODELS: Final = {
    "none": "Brown Conrady",
    "brown_conrady": "Brown Conrady",
    "inverse_brown_conrady": "Inverse Brown Conrady",
}


@dataclass(frozen=True, slots=True)
class RecordedDevice:
    """The device of a recording.

    Attributes
    ----------
    rig : Rig
        A camera ``"depth"`` and, if there is colour, a camera ``"color"``.
    unit_m : float
        Metres per unit of depth.
    rate_hz : int
        Nominal rate of both streams.
    facts : mapping of str to str
        What it says about itself, under librealsense's names.

    Raises
    ------
    OutputError
        If there is no depth camera, or a lens that the format cannot describe.
    """

    rig: Rig
    unit_m: float
    rate_hz: int = 30
    facts: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({"Name": "Synthetic RGB-D camera"})
    )

    def __post_init__(self) -> None:
        if DEPTH not in self.rig.cameras or not {DEPTH, COLOR}.issuperset(self.rig.cameras):
            msg = f"cameras {sorted(self.rig.cameras)}; expected 'depth' and at most 'color'"
            raise OutputError(msg)
        for camera in self.rig.cameras.values():
            if len(camera.distortion.coefficients) > 5:
                msg = (
                    f"camera {camera.name!r}: {len(camera.distortion.coefficients)} coefficients "
                    "of distortion; the format holds 5"
                )
                raise OutputError(msg)

    def lens(self, camera: Camera) -> tuple[str, tuple[float, ...]]:
        """Return librealsense's name of the distortion model and its five coefficients."""
        coefficients = (*camera.distortion.coefficients, 0.0, 0.0, 0.0, 0.0, 0.0)[:5]
        return _MODELS[camera.distortion.model], coefficients

    def T_camera_depth(self, name: str) -> NDArray[np.float64]:
        """Return ``T_camera_depth``, float64 (4, 4): depth is the common reference."""
        return self.rig.transform(name, DEPTH).matrix

    def checked(self, picture: Picture) -> list[tuple[str, NDArray[np.uint16] | NDArray[np.uint8]]]:
        """Return the images of a picture by stream, depth first.

        Raises
        ------
        ValueError
            If dtype or shape are not those of the cameras.
        """
        images: list[tuple[str, NDArray[np.uint16] | NDArray[np.uint8]]] = []
        _, depth, color = picture
        if depth is not None:
            self._check(DEPTH, depth.dtype == np.uint16, depth.shape, ())
            images.append((DEPTH, np.ascontiguousarray(depth)))
        if color is not None:
            self._check(COLOR, color.dtype == np.uint8, color.shape, (3,))
            images.append((COLOR, np.ascontiguousarray(color)))
        return images

    def _check(
        self, name: str, right_dtype: bool, shape: tuple[int, ...], channels: tuple[int, ...]
    ) -> None:
        camera = self.rig.cameras.get(name)
        expected = (camera.height, camera.width, *channels) if camera else None
        if not right_dtype or shape != expected:
            msg = (
                f"{name} image of shape {shape}; expected {expected}, uint16 for depth and uint8 "
                "for colour"
            )
            raise ValueError(msg)


def unstorable_unit(unit_m: float, stored: str, advice: str) -> OutputError:
    """Return the error for a depth unit that a container would change."""
    return OutputError(f"a depth unit of {unit_m} m would be stored as {stored}; {advice}")
