import numpy as np
import pytest

from sensorfusion.depth.scratch import Scratch
from sensorfusion.depth_map import Origin
from sensorfusion.sources.registry import open_source


@pytest.fixture
def poisoned(monkeypatch):
    """Scratch memory that holds what spoils every sum and index."""

    def array(_, __, shape, dtype):
        return np.full(shape, np.nan if np.issubdtype(dtype, np.floating) else 77_777_777, dtype)

    monkeypatch.setattr(Scratch, "array", array)


def completed(completion):
    from sensorfusion.config import DepthSettings
    from sensorfusion.depth.into_camera import IntoCamera

    options = {"frames": "1", "scale": "0.3", "noise": "lidar", "rings": "32", "columns": "512"}
    with open_source("synthetic:street", None, options) as source:
        made = IntoCamera(source.rig, DepthSettings(), "color", completion, source.trajectory)
        return made(source[0]).depth


@pytest.mark.parametrize("completion", ["none", "smooth", "mesh", "guided"])
def test_what_scratch_memory_held_before_changes_nothing(completion, request):
    usual = completed(completion)
    request.getfixturevalue("poisoned")
    found = completed(completion)
    assert (usual.origins() == Origin.MEASURED).any()
    np.testing.assert_array_equal(found.metres, usual.metres)
    np.testing.assert_array_equal(found.sigma_m, usual.sigma_m)
    np.testing.assert_array_equal(found.origins(), usual.origins())
