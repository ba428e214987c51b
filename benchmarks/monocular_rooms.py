"""Pictures of simulated rooms with their true depth, to train a monocular network and to judge it.

A room is its seed: ``sensorfusion.simulate.room`` moves and repaints the furniture by it. All rooms
have the same walls, window and door, and their furniture stands in about the same places: a
network that knows many of them knows much about the others. Those with seeds from ``FIRST_TRAINED``
on are for training; tests and benchmarks use lower ones.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import cv2  # noqa: TID253
import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.rig import Rig
from sensorfusion.simulate.motion import hand_motion
from sensorfusion.simulate.room import room
from sensorfusion.simulate.sensor import RgbdSensor, d435_rig
from sensorfusion.transform import RigidTransform, rotation_from_vector

WIDTH, HEIGHT = 224, 128
"""Of the network's pictures, pixels: about as wide as the 848x480 of the colour camera."""

MEAN: Final = 0.45
"""Taken off red, green and blue, which go from 0 to 1, before the network sees them."""

FIRST_TRAINED: Final = 1000
"""Rooms with lower seeds are never trained on."""

JUDGED: Final = tuple(range(100, 124))
"""Rooms that training is judged in."""

_LONGEST_S = 120.0
_REACH_M = 0.95


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Pictures and their true depth.

    Attributes
    ----------
    colors : ndarray of uint8, shape (N, H, W, 3)
    metres : ndarray of float16, shape (N, H, W)
        z of the colour camera at the centre of each pixel, to 0.05 %; nowhere 0.
    """

    colors: NDArray[np.uint8]
    metres: NDArray[np.float16]


def photograph(seeds: Sequence[int], per_room: int, *, wild: bool) -> Pictures:
    """Return pictures of rooms, the same ones for the same arguments.

    Parameters
    ----------
    seeds : sequence of int
        The rooms.
    per_room : int
    wild : bool
        Half of the cameras are turned anywhere and moved up or down, for variety; else all are
        carried as those of ``synthetic:room`` are.
    """
    count = len(seeds) * per_room
    colors = np.empty((count, HEIGHT, WIDTH, 3), np.uint8)
    metres = np.empty((count, HEIGHT, WIDTH), np.float16)
    for number, (color, depth) in enumerate(_all_rooms(seeds, per_room, wild)):
        colors[number], metres[number] = color, depth
        if number % (20 * per_room) == 0:
            print(f"rendered {number} of {count} pictures", file=sys.stderr)
    return Pictures(colors, metres)


def _all_rooms(
    seeds: Sequence[int], per_room: int, wild: bool
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    for seed in seeds:
        rng = np.random.default_rng([seed, 77])
        scene = room(seed)
        # Textures of pictures that were larger look otherwise than those of small ones.
        eye = RgbdSensor(scene, d435_rig(float(rng.choice([0.5, 1.0]))))
        small = RgbdSensor(scene, _small_rig())
        for matrix in hand_motion(seed)(rng.uniform(0, _LONGEST_S, per_room)):
            pose = _elsewhere(rng) if wild and rng.random() < 0.5 else matrix
            T_world_depth = RigidTransform("world", "depth", pose)
            picture = cv2.resize(
                eye.color(T_world_depth), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA
            )
            yield picture.astype(np.uint8), small.view("color", T_world_depth).z_m


def _small_rig() -> Rig:
    """Return the rig whose colour camera has the network's resolution."""
    rig = d435_rig()
    color = rig.cameras["color"]
    sx, sy = WIDTH / color.width, HEIGHT / color.height
    center = (color.cx + 0.5) * sx - 0.5, (color.cy + 0.5) * sy - 0.5
    small = Camera("color", WIDTH, HEIGHT, color.fx * sx, color.fy * sy, *center, color.distortion)
    return Rig(rig.cameras | {"color": small}, (rig.transform("depth", "color"),))


def _elsewhere(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a pose that looks anywhere, from 0.7 to 1.95 m above the floor."""
    while True:
        place_m = rng.uniform((-_REACH_M, -_REACH_M, 0.7), (_REACH_M, _REACH_M, 1.95))
        if np.hypot(*place_m[:2]) < _REACH_M:
            break
    yaw, pitch, roll = rng.uniform(0, 2 * np.pi), rng.normal(-0.3, 0.3), rng.normal(0, 0.1)
    forward = np.array((np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch)))
    right = np.array((np.sin(yaw), -np.cos(yaw), 0.0))
    level = np.column_stack((right, np.cross(forward, right), forward))
    pose = np.eye(4)
    pose[:3, :3] = level @ rotation_from_vector(np.array((0.0, 0.0, roll)))
    pose[:3, 3] = place_m
    return pose
