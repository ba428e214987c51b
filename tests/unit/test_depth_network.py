"""Networks of users: every way in which a file, its inputs or its outputs can be wrong."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from onnx_model import node, write_luminance, write_model
from sensorfusion.depth.network import Network
from sensorfusion.errors import ModelError

PICTURE = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)


@pytest.fixture(params=["opencv", "onnxruntime"])
def engine(request):
    if request.param == "onnxruntime":
        pytest.importorskip("onnxruntime")
    return request.param


def test_a_network_sees_red_green_and_blue_normalised(tmp_path, engine):
    # Picks one channel by its weights: the map is (channel / 255 - mean) / std.
    for channel in range(3):
        weights = np.zeros((1, 3, 1, 1), np.float32)
        weights[0, channel] = 1
        file = write_model(
            tmp_path / f"{channel}.onnx",
            [node("Conv", ["picture", "weights"], "map", kernel_shape=[1, 1])],
            {"picture": (1, 3, 48, 64)},
            {"map": (1, 1, 48, 64)},
            {"weights": weights},
        )
        mean, std = (0.1, 0.2, 0.3), (0.5, 0.25, 2.0)
        found = Network(file, mean=mean, std=std, engine=engine)(PICTURE)
        expected = (PICTURE[..., channel] / 255 - mean[channel]) / std[channel]
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_map_comes_back_in_the_size_of_the_picture(tmp_path, engine):
    network = Network(write_luminance(tmp_path / "a.onnx", (24, 32)), engine=engine)
    even = np.full((100, 200), 51, np.uint8)
    found = network(even)
    assert found.dtype == np.float32
    assert found.shape == (100, 200)
    np.testing.assert_allclose(found, 0.2, atol=1e-6)


def test_a_network_for_any_size_is_given_multiples_of_32(tmp_path, engine):
    file = write_model(
        tmp_path / "a.onnx",
        [
            node("Shape", ["picture"], "sizes"),
            node("Cast", ["sizes"], "numbers", to=1),
            node("Gather", ["numbers", "which"], "row", axis=0),
            node("ReduceMean", ["picture"], "grey", axes=[1], keepdims=1),
            node("Mul", ["grey", "nought"], "zeros"),
            node("Add", ["zeros", "row"], "map"),
        ],
        {"picture": (1, 3, "h", "w")},
        {"map": (1, 1, "h", "w")},
        {"which": np.array([3], np.int64), "nought": np.zeros(1, np.float32)},
    )
    # 100 columns are nearest to 96.
    assert Network(file, engine=engine)(np.zeros((60, 100, 3), np.uint8)).mean() == 96
    assert Network(file, size=(70, 42), engine=engine)(PICTURE).mean() == 70


def test_two_pictures_go_into_two_inputs_or_into_one(tmp_path, engine):
    one = np.full((16, 16, 3), 255, np.uint8)
    other = np.full((16, 16, 3), 51, np.uint8)
    two = write_model(
        tmp_path / "two.onnx",
        [
            node("Sub", ["left", "right"], "apart"),
            node("ReduceMean", ["apart"], "map", axes=[1], keepdims=0),
        ],
        {"left": (1, 3, 16, 16), "right": (1, 3, 16, 16)},
        {"map": (1, 16, 16)},
    )
    np.testing.assert_allclose(Network(two, 2, engine=engine)(one, other), 0.8, atol=1e-6)
    weights = np.array([1, 1, 1, -1, -1, -1], np.float32).reshape(1, 6, 1, 1) / 3
    stacked = write_model(
        tmp_path / "stacked.onnx",
        [node("Conv", ["both", "weights"], "map", kernel_shape=[1, 1])],
        {"both": (1, 6, 16, 16)},
        {"map": (1, 1, 16, 16)},
        {"weights": weights},
    )
    np.testing.assert_allclose(Network(stacked, 2, engine=engine)(one, other), 0.8, atol=1e-6)


def test_threads_get_what_one_thread_gets(tmp_path, engine):
    network = Network(write_luminance(tmp_path / "a.onnx"), engine=engine)
    pictures = [np.roll(PICTURE, shift, axis=0) for shift in range(12)]
    alone = [network(picture) for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(network, pictures))
    np.testing.assert_array_equal(alone, together)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"missing\.onnx: cannot be read"):
        Network(tmp_path / "missing.onnx")


@pytest.mark.parametrize("damage", ["text", "cut", "empty", "picture"])
def test_what_is_no_whole_onnx_is_refused(tmp_path, damage):
    whole = write_luminance(tmp_path / "a.onnx").read_bytes()
    data = {
        "text": b"not a network at all\n",
        "cut": whole[:-30],
        "empty": b"",
        "picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
    }
    (tmp_path / "a.onnx").write_bytes(data[damage])
    with pytest.raises(ModelError, match="is no whole ONNX model"):
        Network(tmp_path / "a.onnx")


def test_a_file_cut_anywhere_is_refused_or_cannot_run(tmp_path):
    whole = write_luminance(tmp_path / "a.onnx").read_bytes()
    for size in range(0, len(whole), 7):
        (tmp_path / "a.onnx").write_bytes(whole[:size])
        with pytest.raises(ModelError):
            Network(tmp_path / "a.onnx")(PICTURE)


def test_a_network_for_two_pictures_is_none_for_one(tmp_path):
    file = write_model(
        tmp_path / "a.onnx",
        [node("Sub", ["left", "right"], "map")],
        {"left": (1, 3, 8, 8), "right": (1, 3, 8, 8)},
        {"map": (1, 3, 8, 8)},
    )
    with pytest.raises(ModelError, match=r"'left' \(1, 3, 8, 8\), 'right'.*expected one input"):
        Network(file)


def test_a_size_that_a_network_does_not_take_is_refused(tmp_path):
    file = write_luminance(tmp_path / "a.onnx", (24, 32))
    with pytest.raises(ModelError, match="takes pictures of 32x24 pixels; 64x48 was asked for"):
        Network(file, size=(64, 48))


def test_an_output_that_is_no_map_is_refused(tmp_path, engine):
    file = write_model(
        tmp_path / "a.onnx",
        [node("Relu", ["picture"], "classes")],
        {"picture": (1, 3, 8, 8)},
        {"classes": (1, 3, 8, 8)},
    )
    with pytest.raises(ModelError, match=r"array of shape \(1, 3, 8, 8\); expected one map"):
        Network(file, engine=engine)(PICTURE)


def test_values_that_are_not_finite_are_refused(tmp_path, engine):
    file = write_model(
        tmp_path / "a.onnx",
        [node("ReduceMean", ["picture"], "grey", axes=[1], keepdims=1), node("Log", ["grey"], "m")],
        {"picture": (1, 3, 8, 8)},
        {"m": (1, 1, 8, 8)},
    )
    with pytest.raises(ModelError, match="64 of 64 values that it puts out are not finite"):
        Network(file, engine=engine)(np.zeros((8, 8, 3), np.uint8))


def test_a_layer_that_nobody_knows_is_told_without_noise(tmp_path, capfd):
    file = write_model(
        tmp_path / "a.onnx",
        [node("Marvel", ["picture"], "map")],
        {"picture": (1, 3, 8, 8)},
        {"map": (1, 1, 8, 8)},
    )
    with pytest.raises(ModelError, match=r"OpenCV cannot load this network.*Marvel"):
        Network(file, engine="opencv")
    pytest.importorskip("onnxruntime")
    with pytest.raises(ModelError, match=r"onnxruntime cannot load this network.*Marvel"):
        Network(file)
    assert capfd.readouterr() == ("", "")
