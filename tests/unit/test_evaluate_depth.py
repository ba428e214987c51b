import json
import struct

import numpy as np
import pytest

from sensorfusion.errors import CorruptRecordingError, EvaluationError, SourceError
from sensorfusion.evaluate.depth import DepthComparison
from sensorfusion.export.depth_map_files import find_depth_maps


def maps(*rows):
    return np.array(rows, np.float32)


def _tag(number, kind, value):
    """Return a directory's entry of one number in a little-endian TIFF."""
    return struct.pack("<HHIHH", number, kind, 1, value, 0)


def compare_depth(pairs):
    comparison = DepthComparison()
    for estimate_m, truth_m in pairs:
        comparison.add(estimate_m, truth_m)
    return comparison.result()


def test_errors_are_those_of_the_pixels_that_both_know():
    # Errors 0.3 and -0.4 m over 2 pixels; the third has no estimate, the fourth no truth.
    error = compare_depth([(maps([2.3, 3.6, 0.0, 9.0]), maps([2.0, 4.0, 5.0, 0.0]))])
    assert error.rmse_m == pytest.approx(np.sqrt((0.09 + 0.16) / 2))
    assert error.mae_m == pytest.approx(0.35)
    assert error.abs_rel == pytest.approx((0.15 + 0.1) / 2)
    assert error.coverage == pytest.approx(2 / 3)


def test_inverse_errors_are_in_one_per_kilometre():
    # 1/4 - 1/5 = 0.05 per metre = 50 per kilometre.
    error = compare_depth([(maps([4.0]), maps([5.0]))])
    assert error.irmse_per_km == pytest.approx(50)
    assert error.imae_per_km == pytest.approx(50)


def test_thresholds_count_ratios_in_both_directions():
    # Ratios 1.2, 1.25 (not below), 1.5, 1.9 and, the other way round, 1.6.
    estimate, truth = maps([1.2, 1.25, 1.5, 1.9, 1.0]), maps([1, 1, 1, 1, 1.6])
    error = compare_depth([(estimate, truth)])
    assert (error.delta_1, error.delta_2, error.delta_3) == pytest.approx((0.2, 0.6, 1.0))


def test_maps_count_alike_however_many_pixels_they_share():
    many = (maps([1.0] * 99), maps([2.0] * 99))
    one = (maps([5.0] + [0.0] * 98), maps([5.0] + [0.0] * 98))
    error = compare_depth([many, one])
    assert error.mae_m == pytest.approx(0.5)
    assert error.maps == 2


def test_a_map_without_depth_covers_nothing():
    full = (maps([2.0, 3.0]), maps([2.0, 3.0]))
    empty = (maps([0.0, 0.0]), maps([2.0, 3.0]))
    error = compare_depth([full, empty])
    assert error.coverage == pytest.approx(0.5)
    assert error.mae_m == 0


def test_uncertainty_of_another_size_is_refused():
    with pytest.raises(EvaluationError, match="2x1 pixels, the uncertainty 3x1"):
        DepthComparison().add(maps([1, 1]), maps([1, 1]), maps([1, 1, 1]))


def test_sigma_that_is_half_the_errors_gives_a_ratio_of_two_in_every_bin():
    rng = np.random.default_rng(1)
    sigma = rng.uniform(0.01, 0.1, (200, 300)).astype(np.float32)
    truth = np.full(sigma.shape, 5, np.float32)
    estimate = truth + 2 * sigma * rng.normal(size=sigma.shape).astype(np.float32)
    comparison = DepthComparison()
    comparison.add(estimate, truth, sigma)
    assert comparison.result().sigma == pytest.approx([2.0] * 5, rel=0.05)


def test_maps_of_two_sizes_cannot_be_compared():
    with pytest.raises(EvaluationError, match="3x1 pixels, the truth 2x1"):
        compare_depth([(maps([1, 1, 1]), maps([1, 1]))])


def test_maps_that_share_no_pixel_cannot_be_compared():
    with pytest.raises(EvaluationError, match="no pixel with depth in both"):
        compare_depth([(maps([0.0, 1.0]), maps([1.0, 0.0]))])


def test_a_png_of_kitti_holds_256ths_of_a_metre(tmp_path):
    import cv2

    cv2.imwrite(str(tmp_path / "0000000005.png"), np.array([[256, 640, 0]], np.uint16))
    found = find_depth_maps(tmp_path, 1 / 256)
    assert list(found.files) == ["5"]
    assert found.metres("5").tolist() == [[1.0, 2.5, 0.0]]


def test_a_png_whose_unit_nobody_says_is_refused(tmp_path):
    import cv2

    cv2.imwrite(str(tmp_path / "5.png"), np.array([[256]], np.uint16))
    with pytest.raises(SourceError, match="unit nobody says"):
        find_depth_maps(tmp_path).metres("5")


def test_a_preview_is_not_taken_for_depth(tmp_path):
    import cv2

    cv2.imwrite(str(tmp_path / "5.png"), np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(SourceError, match="is this a preview"):
        find_depth_maps(tmp_path, 0.001).metres("5")


def test_a_tiff_that_holds_fewer_pixels_than_it_says_is_refused_before_it_is_decoded(tmp_path):
    import cv2

    path = tmp_path / "5.tiff"
    cv2.imwrite(str(path), np.ones((40, 50), np.float32), [cv2.IMWRITE_TIFF_COMPRESSION, 1])
    whole = path.read_bytes()
    assert find_depth_maps(tmp_path).metres("5").shape == (40, 50)
    # OpenCV would return 9000 rows, most of them made up.
    path.write_bytes(whole.replace(_tag(257, 3, 40), _tag(257, 3, 9000)))
    with pytest.raises(CorruptRecordingError, match=r"5\.tiff.*bytes of pixels"):
        find_depth_maps(tmp_path).metres("5")


def test_what_is_neither_a_png_nor_a_tiff_is_named_by_how_it_begins(tmp_path):
    import cv2

    cv2.imwrite(str(tmp_path / "5.jpg"), np.zeros((4, 4), np.uint8))
    (tmp_path / "5.jpg").rename(tmp_path / "5.tiff")
    with pytest.raises(CorruptRecordingError, match=r"5\.tiff.*begins with.*expected a 16-bit"):
        find_depth_maps(tmp_path).metres("5")


def test_what_is_not_finite_in_an_array_is_no_depth(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[np.nan, -1.0, np.inf, 2.0]]))
    assert find_depth_maps(tmp_path / "a.npy").metres("a").tolist() == [[0, 0, 0, 2]]


def test_an_array_whose_header_says_more_than_there_is_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((2, 3)))
    whole = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(whole.replace(b"(2, 3)", b"(9999999, 9999999)"))
    with pytest.raises(CorruptRecordingError, match=r"those of float64|header of an NPY"):
        find_depth_maps(tmp_path / "a.npy").metres("a")


def test_a_damaged_description_is_named(tmp_path):
    (tmp_path / "depth.json").write_text(json.dumps({"maps": 3}))
    with pytest.raises(CorruptRecordingError, match=r"depth\.json"):
        find_depth_maps(tmp_path)


def test_a_description_cannot_name_a_file_outside_its_folder(tmp_path):
    document = {
        "camera": {"name": "c"},
        "format": "png",
        "metres_per_unit": 0.001,
        "maps": [{"index": 0, "file": "../secret.png"}],
    }
    (tmp_path / "depth.json").write_text(json.dumps(document))
    with pytest.raises(CorruptRecordingError, match="secret"):
        find_depth_maps(tmp_path)


def test_an_empty_folder_has_no_depth_maps(tmp_path):
    with pytest.raises(SourceError, match="give a folder of depth maps"):
        find_depth_maps(tmp_path)
