"""Recording real RGB-D, beside librealsense's recorder and the plain MCAP writer with zstd.

``./run bench recording``: the frames of each sequence are recorded again and again, each recorder
in a process of its own, by turns, to memory; CPU seconds of all threads from the first frame to
the closed file. ``rs.recorder`` gets them through a software device, with its own compression and
without; the plain MCAP writer gets the same ROS messages as ours in its usual chunks (zstd, 1 MiB)
and does not copy, queue or verify.

What it said (two busy cores, 3 turns, medians): 7-Scenes 5.1 ms a frame, 0.64 of plain MCAP's and
0.58 of ``rs.recorder``'s; D435 5.0 ms, 0.73 and 0.68. The file is 0.994 and 0.964 of plain MCAP's,
1.36 and 1.03 of ``rs.recorder``'s, which stores PNG; depth is 6.6 and 5.0 times smaller than raw.

``./run bench recording codecs``: what each code for depth and colour costs and saves, one thread.
What it said of real depth (ratio to raw, ms for each picture; a busy machine, minima):

| depth | 7-Scenes, Kinect | D435, 640x480 | D435, 1280x720, 76 % empty |
| --- | --- | --- | --- |
| lz4 | 3.50, 0.7 | 2.58, 1.0 | 7.9, 1.0 |
| zstd 1 | 6.36, 1.2 | 3.83, 1.3 | 11.2, 1.5 |
| zstd 3 | 6.55, 1.2 | 4.14, 1.6 | 12.0, 1.8 |
| zstd 5 | 7.18, 3.2 | 4.55, 3.2 | 13.0, 4.2 |
| PNG 1, runs | 5.72, 5.6 | 4.67, 6.5 | 12.5, 11.6 |
| PNG 6 | 6.64, 19 | 5.47, 29 | 12.9, 33 |
| RVL | 3.45, 1.0 | 3.14, 1.0 | 12.8, 1.0 |
| RVL, then zstd 1 | 6.24, 1.4 | 4.69, 1.4 | 16.6, 1.2 |
| RVL, then zstd 3 | 6.38, 1.9 | 5.02, 2.0 | 16.8, 1.7 |
| RVL, then zstd, short matches | 6.30, 1.6 | 5.03, 1.7 | |

Stereo depth is smaller by a fifth to a third behind RVL, the Kinect's coarse steps are not: so the
recorder tries both on the first picture of a stream and keeps the smaller. A Kinect's depth that is
not behind RVL is a plain 16UC1 picture, which every reader knows.

Of colour, zstd 3 leaves 79 % (3.5 ms) and 39 % (2.7 ms), zstd with short matches nearby 78 % (2.3)
and 40 % (2.2), PNG by runs 51 % and 29 % (12 ms): PNG is for who has the time. Chunks of what is
PNG or JPEG already are not packed again.
"""

import gc
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("SENSORFUSION_DATA", ROOT.parent / "shared" / "data"))
SEQUENCES = {
    "7-Scenes (Kinect)": DATA / "rgbd-7scenes",
    "D435 640x480": DATA / "realsense-d435-bag" / "single_depth_color_640x480.bag",
}
SINGLES = tuple(DATA / "realsense-d435-singles" / f"0925_{n:03d}.bag" for n in (12, 13))
FRAMES, TURNS = 60, 3
PERIOD_NS = 33_333_333
RECORDERS = ("ours", "mcap zstd", "rs.recorder", "rs.recorder raw")
Pictures = list[tuple[np.ndarray, np.ndarray]]


def load(location: Path) -> Pictures:
    """Return depth and colour of up to 30 frames, as many of each as of the rarer is repeated."""
    from sensorfusion.sources.registry import open_source

    depths, colors = [], []
    with open_source(str(location)) as source:
        for sample in source.samples():
            if hasattr(sample.data, "values"):
                depths.append(sample.data.values)
            elif hasattr(sample.data, "pixels") and sample.stream == "color":
                colors.append(sample.data.pixels)
    count = min(30, max(len(depths), len(colors)))
    return [(depths[n % len(depths)], colors[n % len(colors)]) for n in range(count)]


def ours(pictures: Pictures, path: Path) -> dict[str, float]:
    """Record with sensorfusion."""
    from sensorfusion.recording.writer import RecordingWriter

    rig = rig_of(pictures)
    # What is imported and compiled once is no cost of a frame.
    with RecordingWriter(path.with_name("warm.mcap"), rig) as writer:
        for sample in samples(pictures, rig, 2):
            writer.write(sample)
    begin_s = time.process_time()
    with RecordingWriter(path, rig) as writer:
        for sample in samples(pictures, rig, FRAMES):
            writer.write(sample)
    return {"cpu_s": time.process_time() - begin_s, "depth_ratio": depth_ratio(path, pictures)}


def mcap_zstd(pictures: Pictures, path: Path) -> dict[str, float]:
    """Record with the plain writer of the format's own library."""
    from mcap.writer import CompressionType, Writer

    from sensorfusion.formats.ros2_schemas import definition
    from sensorfusion.recording.encoder import SampleEncoder
    from sensorfusion.recording.options import RecordingOptions

    rig = rig_of(pictures)
    encoder = SampleEncoder(rig, RecordingOptions(depth="raw"))
    begin_s = time.process_time()
    with path.open("wb") as file:
        writer = Writer(file, compression=CompressionType.ZSTD)
        writer.start("ros2")
        channels: dict[str, int] = {}
        for sample in samples(pictures, rig, FRAMES):
            for message in encoder.encode(sample):
                if message.topic not in channels:
                    text = definition(message.kind).encode()
                    schema = writer.register_schema(message.kind, "ros2msg", text)
                    channels[message.topic] = writer.register_channel(message.topic, "cdr", schema)
                data = b"".join(message.parts)
                writer.add_message(channels[message.topic], message.time_ns, data, message.time_ns)
        writer.finish()
    return {"cpu_s": time.process_time() - begin_s}


def rs_recorder(pictures: Pictures, path: Path, *, compress: bool) -> dict[str, float]:
    """Record with librealsense."""
    import pyrealsense2 as rs

    device = rs.software_device()
    device.register_info(rs.camera_info.name, "Software device")
    parts = []
    for number, (name, kind, form, pixel_bytes) in enumerate(
        (
            ("Depth", rs.stream.depth, rs.format.z16, 2),
            ("Color", rs.stream.color, rs.format.rgb8, 3),
        )
    ):
        height, width = pictures[0][number].shape[:2]
        lens = rs.intrinsics()
        lens.width, lens.height, lens.fx, lens.fy = width, height, 600.0, 600.0
        lens.ppx, lens.ppy, lens.model, lens.coeffs = (
            width / 2,
            height / 2,
            rs.distortion.none,
            [0] * 5,
        )
        stream = rs.video_stream()
        stream.type, stream.index, stream.uid, stream.fps, stream.fmt = (
            kind,
            0,
            number + 1,
            30,
            form,
        )
        stream.width, stream.height, stream.bpp, stream.intrinsics = (
            width,
            height,
            pixel_bytes,
            lens,
        )
        sensor = device.add_sensor(name)
        parts.append((sensor, sensor.add_video_stream(stream), pixel_bytes))
    parts[0][0].add_read_only_option(rs.option.depth_units, 0.001)
    device.create_matcher(rs.matchers.dlr_c)
    recorder = rs.recorder(str(path), device, compress)
    sensors = recorder.query_sensors()
    for sensor in sensors:
        sensor.open(sensor.get_stream_profiles())
        sensor.start(lambda _: None)
    begin_s = time.process_time()
    kept = []
    for index in range(FRAMES):
        for picture, (sensor, profile, pixel_bytes) in zip(
            pictures[index % len(pictures)], parts, strict=True
        ):
            frame = rs.software_video_frame()
            kept.append(np.ascontiguousarray(picture))
            frame.pixels = kept[-1].view(np.uint8).reshape(picture.shape[0], -1)
            frame.stride, frame.bpp = picture.shape[1] * pixel_bytes, pixel_bytes
            frame.timestamp, frame.frame_number = 1e6 + index * 33.3, index
            frame.domain, frame.profile = (
                rs.timestamp_domain.system_time,
                profile.as_video_stream_profile(),
            )
            if pixel_bytes == 2:
                frame.depth_units = 0.001
            sensor.on_video_frame(frame)
        # As fast as a camera at least; what arrives faster than it is taken is lost.
        time.sleep(1 / 60)
    for sensor in sensors:
        sensor.stop()
        sensor.close()
    return {"begin_s": begin_s}


def check_count(path: Path) -> None:
    """See that librealsense kept every picture."""
    with sqlite3.connect(path) as database:
        query = (
            "SELECT count(*) FROM messages JOIN topics ON topics.id = topic_id "
            "WHERE name LIKE '%/image/data%'"
        )
        (count,) = database.execute(query).fetchone()
    if count != 2 * FRAMES:
        msg = f"{path}: holds {count} pictures of {2 * FRAMES}"
        raise SystemExit(msg)


def rig_of(pictures: Pictures) -> Any:  # noqa: ANN401 (imported where it is used)
    """Return a rig for the pictures."""
    from sensorfusion.camera import Camera
    from sensorfusion.rig import Rig
    from sensorfusion.transform import RigidTransform

    cameras = {}
    for name, picture in zip(("depth", "color"), pictures[0], strict=True):
        height, width = picture.shape[:2]
        cameras[name] = Camera(name, width, height, 600.0, 600.0, width / 2, height / 2)
    return Rig(cameras, (RigidTransform.identity("color", "depth"),))


def samples(pictures: Pictures, rig: Any, count: int) -> Iterator[Any]:  # noqa: ANN401
    """Yield the pictures as samples, from the beginning again where they end."""
    from sensorfusion.depth_map import RawDepth
    from sensorfusion.frame import Sample
    from sensorfusion.image import Image

    for index in range(count):
        depth, color = pictures[index % len(pictures)]
        stamp_ns = 1_000_000_000 + index * PERIOD_NS
        raw = RawDepth(depth, 0.001, rig.cameras["depth"], stamp_ns)
        yield Sample("depth", stamp_ns, raw)
        yield Sample("color", stamp_ns, Image(color, "color", stamp_ns))


def depth_ratio(path: Path, pictures: Pictures) -> float:
    """Return how much smaller the chunks of depth are than its pixels."""
    from mcap.reader import make_reader

    with path.open("rb") as file:
        summary = make_reader(file).get_summary()
        if summary is None:
            return 0.0
        depth = {n for n, each in summary.channels.items() if each.topic.startswith("/depth/depth")}
        stored = sum(
            chunk.chunk_length + chunk.message_index_length
            for chunk in summary.chunk_indexes
            if depth & chunk.message_index_offsets.keys()
        )
    return FRAMES * pictures[0][0].nbytes / stored


def one(recorder: str, location: Path) -> dict[str, float]:
    """Run one recorder in this process."""
    pictures = load(location)
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        path = Path(folder) / ("a.db3" if recorder.startswith("rs") else "a.mcap")
        if recorder == "ours":
            figures = ours(pictures, path)
        elif recorder == "mcap zstd":
            figures = mcap_zstd(pictures, path)
        else:
            figures = rs_recorder(pictures, path, compress=recorder == "rs.recorder")
            # Its file is finished when the last reference to it is gone.
            gc.collect()
            figures = {"cpu_s": time.process_time() - figures["begin_s"]}
            check_count(path)
        return figures | {"bytes": float(path.stat().st_size)}


def compare() -> None:
    for name, location in SEQUENCES.items():
        if not location.exists():
            print(f"{name}: skipped: {location} is not here")
            continue
        found: dict[str, list[dict[str, float]]] = {recorder: [] for recorder in RECORDERS}
        for _ in range(TURNS):
            for recorder in RECORDERS:
                command = [sys.executable, __file__, "one", recorder, str(location)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                found[recorder].append(json.loads(done.stdout.splitlines()[-1]))
        print(f"{name}, {FRAMES} frames, {TURNS} turns; CPU median (least)")
        mine_s = statistics.median(each["cpu_s"] for each in found["ours"])
        for recorder, turns in found.items():
            seconds = [each["cpu_s"] for each in turns]
            middle_s = statistics.median(seconds)
            print(
                f"  {recorder:16} {1e3 * middle_s / FRAMES:6.2f} ms/frame "
                f"({1e3 * min(seconds) / FRAMES:.2f}), ours is {mine_s / middle_s:.2f} of it; "
                f"{turns[0]['bytes'] / FRAMES / 1e3:.1f} kB/frame, ours is "
                f"{found['ours'][0]['bytes'] / turns[0]['bytes']:.4f} of it"
            )
        print(f"  depth is {found['ours'][0]['depth_ratio']:.2f} times smaller than raw")


def codecs() -> None:
    for location in (*SEQUENCES.values(), *SINGLES):
        if not location.exists():
            print(f"skipped: {location} is not here")
            continue
        pictures = load(location)[:8]
        print(f"{location.name}: ratio, ms")
        for which, codes in ((0, depth_codes()), (1, color_codes())):
            arrays = [np.ascontiguousarray(pair[which]) for pair in pictures]
            for name, code in codes.items():
                code(arrays[0])
                best_s = np.inf
                for _ in range(3):
                    begin_s = time.process_time()
                    size = sum(len(code(array)) for array in arrays)
                    best_s = min(best_s, time.process_time() - begin_s)
                ratio = sum(array.nbytes for array in arrays) / size
                kind, ms = ("depth", "color")[which], 1e3 * best_s / len(arrays)
                print(f"  {kind} {name:18} {ratio:8.2f} {ms:7.2f}")


def depth_codes() -> dict[str, Callable[[np.ndarray], Any]]:
    """Return the codes for depth by name."""
    import lz4.frame
    import zstandard

    from sensorfusion.formats.rvl_write import encode_rvl
    from sensorfusion.recording.pictures import ZSTD_RVL

    zstd = {level: zstandard.ZstdCompressor(level=level).compress for level in (1, 3, 5)}
    codes: dict[str, Callable[[np.ndarray], Any]] = {"lz4": lz4.frame.compress, "rvl": encode_rvl}
    for level, pack in zstd.items():
        codes[f"zstd {level}"] = pack
        codes[f"rvl, zstd {level}"] = lambda picture, pack=pack: pack(encode_rvl(picture))
    short = zstandard.ZstdCompressionParameters(**ZSTD_RVL)
    pack_short = zstandard.ZstdCompressor(compression_params=short).compress
    codes["rvl, zstd short"] = lambda picture: pack_short(encode_rvl(picture))
    return codes | {f"png {level}": png(level) for level in (1, 6)}


def color_codes() -> dict[str, Callable[[np.ndarray], Any]]:
    """Return the codes for colour by name."""
    import lz4.frame
    import zstandard

    from sensorfusion.recording.pictures import ZSTD_COLOR

    codes: dict[str, Callable[[np.ndarray], Any]] = {"lz4": lz4.frame.compress, "png 1": png(1)}
    for level in (1, 3):
        codes[f"zstd {level}"] = zstandard.ZstdCompressor(level=level).compress
    short = zstandard.ZstdCompressionParameters(**ZSTD_COLOR)
    codes["zstd short"] = zstandard.ZstdCompressor(compression_params=short).compress
    return codes


def png(level: int) -> Callable[[np.ndarray], Any]:
    import cv2

    flags = [cv2.IMWRITE_PNG_COMPRESSION, level]
    if level == 1:
        flags += [cv2.IMWRITE_PNG_STRATEGY, 3]
    return lambda picture: cv2.imencode(".png", picture, flags)[1]


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["one"]:
        print(json.dumps(one(arguments[1], Path(arguments[2]))))
    elif arguments == ["codecs"]:
        codecs()
    else:
        compare()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
