"""Which topics of a recording are used: found by their types and first messages, or named."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile

from sensorfusion.errors import SourceError, UnsupportedRecordingError
from sensorfusion_drivers.ros.fields import CLOUDS
from sensorfusion_drivers.ros.messages import (
    CAMERA_INFO,
    COMPRESSED,
    IMAGE,
    CameraInfo,
    read_camera_info,
    read_compressed_image,
    read_header,
    read_image,
)
from sensorfusion_drivers.ros.pixels import Kind, kind_of
from sensorfusion_drivers.ros.recording import Recording

_PICTURES = (IMAGE, COMPRESSED)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Topics that the user named; None to look for one."""

    cloud: str | None = None
    image: str | None = None
    depth: str | None = None
    camera_info: str | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """A topic of pictures.

    Attributes
    ----------
    topic, frame : str
        Its name, and the coordinate system of its messages.
    kind : Kind
    info : CameraInfo or None
        The first message of the topic that calibrates it.
    """

    topic: str
    frame: str
    kind: Kind
    info: CameraInfo | None

    @property
    def is_rectified(self) -> bool:
        """Tell by the name whether lens distortion has been taken out."""
        return re.search(r"(?<!un)rect", self.topic.lower()) is not None


@dataclass(frozen=True, slots=True)
class Choice:
    """What is read of a recording: a LiDAR's ``cloud`` or a camera's ``depth``, and pictures.

    Attributes
    ----------
    cloud : str or None
    depth : Picture or None
    pictures : tuple of Picture
        The best of each coordinate system; of a depth camera at most one.
    notes : list of str
        What is there and not read.
    """

    cloud: str | None
    depth: Picture | None
    pictures: tuple[Picture, ...]
    notes: list[str]


def choose(recording: Recording, wanted: Wanted) -> Choice:
    """Choose the topics.

    Raises
    ------
    SourceError
        If a named topic is not there or of another type, or nothing measures depth.
    """
    _check_named(recording, wanted)
    clouds = _with_messages(recording, CLOUDS)
    notes: list[str] = []
    pictures = _pictures(recording, wanted, notes)
    depths = [picture for picture in pictures if picture.kind.is_depth]
    colors = [picture for picture in pictures if not picture.kind.is_depth]
    if wanted.image is not None:
        colors = [picture for picture in pictures if picture.topic == wanted.image]
    if wanted.cloud is None and wanted.depth is not None:
        notes += [f"{cloud} is not read; -o cloud={cloud}" for cloud in clouds]
        clouds = []
    elif wanted.cloud is None and _derived(recording, clouds, pictures):
        notes += [f"{cloud} was made from depth pictures and is not read" for cloud in clouds]
        clouds = []
    if wanted.cloud is not None or clouds:
        cloud = wanted.cloud or _fullest(recording, clouds)
        notes += [f"{other} is not read; -o cloud={other}" for other in clouds if other != cloud]
        notes += [f"{depth.topic} is not read; -o depth={depth.topic}" for depth in depths]
        return Choice(cloud, None, _best_of_each(colors, notes), notes)
    if wanted.depth is not None:
        depths = [picture for picture in pictures if picture.topic == wanted.depth]
    if not depths:
        raise UnsupportedRecordingError(_nothing(recording))
    depth = min(depths, key=_rank)
    notes += [f"{p.topic} is not read; -o depth={p.topic}" for p in depths if p is not depth]
    colors.sort(key=lambda picture: _rank_beside(picture, depth))
    notes += [f"{picture.topic} is not read; -o image={picture.topic}" for picture in colors[1:]]
    return Choice(None, depth, tuple(colors[:1]), notes)


def _check_named(recording: Recording, wanted: Wanted) -> None:
    for option, topic, kinds in (
        ("cloud", wanted.cloud, CLOUDS),
        ("image", wanted.image, _PICTURES),
        ("depth", wanted.depth, _PICTURES),
        ("camera-info", wanted.camera_info, (CAMERA_INFO,)),
    ):
        there = _with_messages(recording, kinds)
        if topic is not None and topic not in there:
            kind = recording.types.get(topic)
            found = f"is a {kind} of {recording.count(topic)} messages" if kind else "is not there"
            msg = (
                f"{recording.path}: {option}={topic}: this topic {found}; topics of the right "
                f"type are {', '.join(there) or 'none'}"
            )
            raise SourceError(msg)


def _with_messages(recording: Recording, kinds: Iterable[str]) -> list[str]:
    return sorted(
        topic
        for topic, kind in recording.types.items()
        if kind in tuple(kinds) and recording.count(topic)
    )


def _pictures(recording: Recording, wanted: Wanted, notes: list[str]) -> list[Picture]:
    found = []
    for topic in _with_messages(recording, _PICTURES):
        try:
            found.append(_picture(recording, topic, wanted))
        except SourceError as error:
            if topic in (wanted.image, wanted.depth):
                raise
            notes.append(f"{topic} is not read: {error}")
    return found


def _picture(recording: Recording, topic: str, wanted: Wanted) -> Picture:
    cursor = recording.message(topic, 0)
    is_raw = recording.types[topic] == IMAGE
    image = (read_image if is_raw else read_compressed_image)(cursor)
    kind = kind_of(image, topic, cursor)
    frame = image.header.frame
    # Named, it is that of the one thing that was named, or of the depth camera.
    named = wanted.camera_info is not None and (
        topic in (wanted.image, wanted.depth)
        or (wanted.image is None and wanted.depth is None and (kind.is_depth or wanted.cloud))
    )
    info_topic = wanted.camera_info if named else _info_beside(recording, topic, frame)
    info = None
    if info_topic is not None:
        info = read_camera_info(recording.message(info_topic, 0))
    return Picture(topic, frame, kind, info)


def _info_beside(recording: Recording, topic: str, frame: str) -> str | None:
    """Return the calibration in the same namespace, or the only one with the same axes."""
    infos = _with_messages(recording, (CAMERA_INFO,))
    space = topic
    while space:
        space = space.rpartition("/")[0]
        if f"{space}/camera_info" in infos:
            return f"{space}/camera_info"
    same = [info for info in infos if read_header(recording.message(info, 0)).frame == frame]
    return same[0] if len(same) == 1 else None


def _derived(recording: Recording, clouds: list[str], pictures: list[Picture]) -> bool:
    """Tell whether all clouds stand in the axes of cameras, one of which measures depth."""
    frames = {read_header(recording.message(cloud, 0)).frame for cloud in clouds}
    axes = {picture.frame for picture in pictures}
    return bool(frames) and frames <= axes and any(picture.kind.is_depth for picture in pictures)


def _fullest(recording: Recording, clouds: list[str]) -> str:
    """Return the topic as the sensor sent it: the most scans, and of those the largest.

    What is filtered has fewer points, what is put together has fewer messages.
    """
    most = max(recording.count(cloud) for cloud in clouds)
    often = [cloud for cloud in clouds if recording.count(cloud) >= 0.8 * most]
    return max(
        often,
        key=lambda cloud: (
            recording.message(cloud, recording.count(cloud) // 2).left,
            -len(cloud),
        ),
    )


def _rank(picture: Picture) -> tuple[object, ...]:
    """Order topics of one camera: calibrated, not compressed, in colour, rectified."""
    topic = picture.topic.lower()
    return (
        picture.info is None,
        "compressed" in topic,
        -picture.kind.colors,
        not picture.is_rectified,
        topic,
    )


def _rank_beside(picture: Picture, depth: Picture) -> tuple[object, ...]:
    """Order pictures that could belong to a depth camera: of the same device, in colour."""
    parts = zip(picture.topic.split("/"), depth.topic.split("/"), strict=False)
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], parts))
    return (picture.info is None, -picture.kind.colors, -shared, *_rank(picture))


def _best_of_each(colors: list[Picture], notes: list[str]) -> tuple[Picture, ...]:
    best: dict[str, Picture] = {}
    for picture in sorted(colors, key=_rank):
        if best.setdefault(picture.frame, picture) is not picture:
            chosen = best[picture.frame].topic
            notes.append(f"{picture.topic} is not read: {chosen} is of the same camera")
    return tuple(sorted(best.values(), key=lambda picture: picture.topic))


def _nothing(recording: Recording) -> str:
    topics = [
        f"{topic} ({kind}, {recording.count(topic)})"
        for topic, kind in sorted(recording.types.items())
    ]
    shown = ", ".join(topics[:20]) + (f" and {len(topics) - 20} more" if len(topics) > 20 else "")
    return (
        f"{recording.path}: no topic of point clouds ({', '.join(CLOUDS[:3])}) or of depth "
        f"pictures (16UC1 or 32FC1) with a message in it; found {shown or 'no topic'}; record the "
        "LiDAR's or the depth camera's topic, or name it with -o cloud=/topic or -o depth=/topic"
        + "".join(f"; {note}" for note in recording.notes)
    )
