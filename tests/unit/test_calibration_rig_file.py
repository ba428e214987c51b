import math
import re
from pathlib import Path

import numpy as np
import pytest

from sensorfusion.calibration.rig_file import import_rig, read_rig, write_rig
from sensorfusion.camera import Camera
from sensorfusion.distortion import Distortion
from sensorfusion.errors import CalibrationError, OutputError
from sensorfusion.lidar import Lidar
from sensorfusion.noise import DepthNoise
from sensorfusion.rig import Rig
from sensorfusion.transform import RigidTransform, rotation_from_vector

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "rig-file.md"
CAMERA = "[cameras.left]\nwidth = 640\nheight = 480\nfx = 500\nfy = 501.5\ncx = 319.5\ncy = 239.5\n"
HEAD = 'format = "sensorfusion rig 1"\n'


def moved(target, source, seed):
    rng = np.random.default_rng(seed)
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_from_vector(rng.normal(size=3))
    matrix[:3, 3] = rng.normal(size=3)
    return RigidTransform(target, source, matrix)


def a_rig():
    pi = math.pi
    cameras = [
        Camera("plain", 640, 480, 500 / 3, 500 * pi / 3, 319.5, 239.5),
        Camera("left", 1920, 1200, 2109.75, 2071.72, 949.828, 576.237,
               Distortion("brown_conrady", (-0.1, 0.14, 0.001, -0.002))),
        Camera("wide", 1280, 1024, 400.1, 400.2, 640.0, 512.0,
               Distortion("kannala_brandt", (0.01, -0.002, 1e-4, -1e-5))),
    ]  # fmt: skip
    return Rig(
        cameras={camera.name: camera for camera in cameras},
        transforms=(moved("left", "top", 1), moved("plate", "top", 2), moved("plate", "plain", 3),
                    moved("wide", "plain", 4), moved("imu", "top", 5)),
        depth_noise={"plain": DepthNoise.structured_light()},
        imus=("imu",),
        lidars={"top": Lidar(name="top", rings=2, elevation_rad=(pi / 12, -pi / 12), linear=1e-3)},
    )  # fmt: skip


@pytest.fixture
def read(tmp_path):
    def write_and_read(text):
        path = tmp_path / "rig.toml"
        path.write_text(text)
        return read_rig(path)

    return write_and_read


def test_what_was_written_is_read_back_bit_for_bit(tmp_path):
    rig = a_rig()
    write_rig(rig, tmp_path / "rig.toml")
    again = read_rig(tmp_path / "rig.toml")
    assert again.cameras == rig.cameras
    assert again.lidars == rig.lidars
    assert again.imus == rig.imus
    assert again.depth_noise == rig.depth_noise
    assert [each.name for each in again.transforms] == [each.name for each in rig.transforms]
    for mine, theirs in zip(again.transforms, rig.transforms, strict=True):
        assert np.array_equal(mine.matrix, theirs.matrix)


def test_numbers_of_numpy_are_written_as_numbers(tmp_path):
    camera = Camera("c", np.int64(64), np.int64(48), *np.float32([50, 50, 31.5, 23.5]))
    write_rig(Rig({"c": camera}), tmp_path / "rig.toml")
    assert read_rig(tmp_path / "rig.toml").cameras["c"] == camera


def test_the_example_of_the_document_is_a_rig(read):
    rig = read(re.search(r"```toml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)[1])
    assert set(rig.cameras) == {"front", "depth"}
    assert rig.cameras["front"].distortion.coefficients == (-0.10814, 0.13867, -0.0038, -0.00484)
    assert rig.lidars["top"].columns == 1024
    assert rig.noise_of("depth").quadratic_per_m == 0.0041
    # 10 m ahead of the LiDAR, which sits behind and above the camera.
    np.testing.assert_allclose(
        rig.transform("front", "top").apply(np.array([10.0, 2.0, 1.0])), [-2.032, -1.352, 9.426]
    )
    # The IMU is turned a quarter to the left: its x is the LiDAR's y.
    np.testing.assert_allclose(
        rig.transform("top", "imu").apply(np.array([1.0, 0.0, 0.0])), [0, 1, -0.05], atol=1e-12
    )


def test_a_rotation_rounded_by_hand_is_made_rigid(read):
    rounded = "[[0.8, -0.6001, 0, 1], [0.6, 0.8, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]]"
    transform = f'[[transforms]]\ntarget = "left"\nsource = "top"\nmatrix = {rounded}\n'
    rig = read(HEAD + CAMERA + "[lidars.top]\n" + transform)
    rotation = rig.transform("left", "top").rotation
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(rotation[0], [0.8, -0.6, 0], atol=2e-4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + CAMERA.replace("width", "widht"), r"line 3: cameras.left.widht: .*mean width\?"),
        (HEAD + "[camera.left]\n", r"line 2: camera: .*did you mean cameras\?"),
        (HEAD + CAMERA.replace("fx = 500", "fx = 'wide'"), r"line 5: cameras.left.fx: .*a number"),
        (HEAD + CAMERA.replace("fx = 500", "fx = nan"), r"line 5: cameras.left.fx: .*a number"),
        (HEAD + CAMERA.replace("640", "640.5"), r"line 3: cameras.left.width: .*a whole number"),
        (HEAD + CAMERA.replace("fx = 500\n", ""), r"no 'fx'"),
        (HEAD + CAMERA + 'distortion = {model = "fish"}', r"line 9: .*'fish'; expected .*kannala"),
        (HEAD + CAMERA + "[cameras.right]\n", r"line 9: cameras.right: found no 'width'"),
        (HEAD.replace("1", "2"), r"line 1: format: .*sensorfusion rig 2.*expected sensorfusion"),
        (HEAD + CAMERA + "[lidars.top]\nrings = 64\n", r"nothing connects 'top' to 'left'"),
        (HEAD + "[lidars.top]\nrings = -1\n", r"line 3: lidars.top.rings: .*a whole number"),
        (HEAD + "[lidars.top]\nnear_m = 5\nfar_m = 1\n", r"line 2: lidars.top: .*range"),
        (HEAD + "width = = 3\n", r"TOML that does not parse: .*line 2"),
        (HEAD + "transforms = 3\n", r"line 2: transforms: .*a list of tables"),
        (HEAD + CAMERA + '[[transforms]]\ntarget = "left"\nsource = "a"\n', r"neither of matrix"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence_with_file_and_line(read, text, message):
    with pytest.raises(CalibrationError, match=message) as caught:
        read(text)
    assert "rig.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_quaternion_that_is_not_one_is_refused(read):
    transform = "translation_m = [0, 0, 0]\nquaternion_xyzw = [0, 0, 1, 1]\n"
    with pytest.raises(CalibrationError, match=r"a length of 1\.41421; expected length 1"):
        read(HEAD + CAMERA + '[[transforms]]\ntarget = "left"\nsource = "a"\n' + transform)


def test_a_rig_file_is_not_merged_with_others(tmp_path):
    (tmp_path / "rig.toml").write_text(HEAD + CAMERA)
    (tmp_path / "left.txt").write_text("500 0 320\n0 500 240\n0 0 1\n")
    with pytest.raises(CalibrationError, match="is a rig already"):
        import_rig([tmp_path / "rig.toml", tmp_path / "left.txt"], size_px=(640, 480))


def test_a_rig_that_cannot_be_written_whole_is_an_output_error(tmp_path):
    with pytest.raises(OutputError):
        write_rig(a_rig(), tmp_path / "no" / "rig.toml")
