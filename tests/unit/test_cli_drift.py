"""The mission's example: 100 and 110 in one frame, 1000 and 1010 in the next, for one scene."""

import json

import numpy as np
import pytest

from sensorfusion.cli import app as cli

WIDTH, HEIGHT = 64, 48
NEAR_M, FAR_M = 1.0, 1.1


@pytest.fixture
def folder(tmp_path):
    """Write two frames of a near and a far half; an affine depth model adds 900 to the second."""
    import cv2

    where = tmp_path / "scene"
    for name in ("relative", "anchors"):
        (where / name).mkdir(parents=True)
    near = np.zeros((HEIGHT, WIDTH), np.bool_)
    near[:, : WIDTH // 2] = True
    metres = np.where(near, NEAR_M, FAR_M).astype(np.float32)
    known = np.zeros_like(near)
    known[::6, ::6] = True
    picture = np.where(near, 60, 190).astype(np.uint8)
    for number, low in enumerate((100, 1000)):
        cv2.imwrite(str(where / f"{number}.png"), picture)
        values = np.where(near, low, low + 10).astype(np.float32)
        np.save(where / "relative" / f"{number}.npy", values)
        np.save(where / "anchors" / f"{number}.npy", np.where(known, metres, np.float32(0)))
    (where / "intrinsics.txt").write_text("64 0 31.5 0 64 23.5 0 0 1")
    return where


def drift_of(folder, capsys, *more):
    code = cli.run(["evaluate", "drift", str(folder), "-o", "relative=affine_depth", *more])
    return code, capsys.readouterr()


def test_the_report_says_a_shift_of_900_and_a_scale_of_1(folder, capsys):
    code, said = drift_of(folder, capsys, "--json")
    assert code == 0
    first, second = json.loads(said.out)["frames"]
    assert (first["scale"], first["shift"]) == (1, 0)
    assert second["scale"] == pytest.approx(1, abs=1e-6)
    assert second["shift"] == pytest.approx(900, abs=1e-3)
    # z = 0.01 v by the first frame: 10.0 and 10.1 m for 1.0 and 1.1 m.
    assert second["metres_ratio"] == pytest.approx((10 / 1.0 + 10.1 / 1.1) / 2, rel=0.05)


def test_anchored_frames_agree_where_one_fit_for_all_is_off_by_ten(folder, capsys):
    _, said = drift_of(folder, capsys, "--json")
    report = json.loads(said.out)
    assert report["frames"][1]["abs_rel_before"] > 8
    assert report["abs_rel_after"] < 0.001


def test_anchored_depth_keeps_order_and_metres(folder, tmp_path):
    out = tmp_path / "maps"
    arguments = ["depth", str(folder), "-o", "relative=affine_depth", "--format", "tiff"]
    assert cli.run([*arguments, "--out", str(out)]) == 0
    import cv2

    maps = [cv2.imread(str(out / f"00000{n}.tiff"), cv2.IMREAD_UNCHANGED) for n in (0, 1)]
    for metres in maps:
        np.testing.assert_allclose(metres[:, :30], NEAR_M, rtol=0.005)
        np.testing.assert_allclose(metres[:, -30:], FAR_M, rtol=0.005)
        assert metres[:, :30].max() < metres[:, -30:].min()
    np.testing.assert_allclose(maps[0], maps[1], rtol=0.005)


def test_fusing_it_without_an_anchor_is_refused_with_the_reason(folder, tmp_path, capsys):
    for path in (folder / "anchors").iterdir():
        path.unlink()
    arguments = ["reconstruct", str(folder), "-o", "relative=affine_depth"]
    assert cli.run([*arguments, "--out", str(tmp_path / "mesh")]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert "2 x no anchor: nothing in the frame is known in metres" in error
    report = json.loads((tmp_path / "mesh" / "report.json").read_text())
    assert report["frames"]["used"] == 0


def test_the_plot_and_the_figures_are_written(folder, tmp_path, capsys):
    out = tmp_path / "drift"
    code, said = drift_of(folder, capsys, "--out", str(out))
    assert code == 0
    assert "last frame: v = 1 v_first +900" in said.out
    assert json.loads((out / "drift.json").read_text())["kind"] == "affine_depth"
    import cv2

    picture = cv2.imread(str(out / "drift.png"))
    assert picture.shape[0] > 600
    # Something is drawn in every panel.
    assert all((part < 250).sum() > 1000 for part in np.array_split(picture, 3))


def test_a_source_that_no_model_looks_at_is_wrong_usage(capsys):
    options = ["-o", "frames=2", "-o", "scale=0.1"]
    assert cli.run(["evaluate", "drift", "synthetic:room", *options]) == 2
    assert "name the model that is measured: -o model=FILE.onnx" in capsys.readouterr().err
