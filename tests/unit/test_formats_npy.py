import io
import zipfile

import numpy as np
import pytest

from sensorfusion.errors import CorruptRecordingError, SensorFusionError, UnsupportedRecordingError
from sensorfusion.formats.npy import npy_shape, npz_shapes, read_npy, read_npz

ARRAYS = {
    "points": np.arange(12, dtype=np.float32).reshape(4, 3),
    "by columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "big end first": np.array([1, 2, 3], ">i4"),
    "named": np.array([(1, 2.0)], [("a", "u1"), ("b", "f8")]),
    "one number": np.array(7.0),
    "none": np.zeros((0, 3)),
}


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_an_array_comes_back(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    back = read_npy(tmp_path / "a.npy")
    assert back.dtype == array.dtype
    assert np.array_equal(back, array)
    assert npy_shape(tmp_path / "a.npy") == {"": (array.dtype, array.shape)}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_named_arrays_come_back(tmp_path, save):
    save(tmp_path / "a.npz", **ARRAYS)
    back = read_npz(tmp_path / "a.npz")
    assert list(back) == list(ARRAYS)
    assert all(np.array_equal(back[name], array) for name, array in ARRAYS.items())
    assert npz_shapes(tmp_path / "a.npz") == {n: (a.dtype, a.shape) for n, a in ARRAYS.items()}


def test_objects_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(UnsupportedRecordingError, match="may run code"):
        read_npy(tmp_path / "a.npy")


@pytest.mark.parametrize("size", [-1, 1])
def test_bytes_that_do_not_fit_the_header_are_refused(tmp_path, size):
    data = npy(ARRAYS["points"])
    (tmp_path / "a.npy").write_bytes(data[:size] if size < 0 else data + b"x")
    with pytest.raises(CorruptRecordingError, match=r"those of float32 \(4, 3\)"):
        read_npy(tmp_path / "a.npy")


def test_a_claim_of_a_huge_array_allocates_nothing(tmp_path):
    header = npy(ARRAYS["points"]).replace(b"(4, 3), }    ", b"(999999999,3)}")[:128]
    (tmp_path / "a.npy").write_bytes(header)
    with pytest.raises(CorruptRecordingError):
        read_npy(tmp_path / "a.npy")


def test_an_archive_that_claims_what_deflate_cannot_do_is_refused(tmp_path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.npy", npy(ARRAYS["points"]))
    data = bytearray(file.getvalue())
    at = data.rindex(b"PK\x01\x02") + 24
    data[at : at + 4] = (2**31).to_bytes(4, "little")
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(CorruptRecordingError, match="what deflate can do"):
        read_npz(tmp_path / "a.npz")


def test_damage_anywhere_raises_one_kind_of_error(tmp_path):
    rng = np.random.default_rng(2)
    file = io.BytesIO()
    np.savez_compressed(file, points=ARRAYS["points"], b=ARRAYS["named"])
    for sound, read, shapes in (
        (npy(ARRAYS["points"]), read_npy, npy_shape),
        (file.getvalue(), read_npz, npz_shapes),
    ):
        for _ in range(200):
            damaged = bytearray(sound[: rng.integers(1, len(sound) + 1)])
            damaged[rng.integers(0, len(damaged))] = rng.integers(0, 256)
            (tmp_path / "a").write_bytes(damaged)
            for attempt in (read, shapes):
                try:
                    attempt(tmp_path / "a")
                except SensorFusionError as error:
                    assert "\n" not in str(error)
