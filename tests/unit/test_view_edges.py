import numpy as np
import pytest

from sensorfusion.image import Image
from sensorfusion.view.edges import BEST_RGB, GIVEN_RGB, draw_edges


@pytest.mark.parametrize("shape", [(40, 60), (40, 60, 3)])
def test_given_edges_are_red_the_best_green_and_the_picture_grey(shape):
    picture = Image(np.full(shape, 100, np.uint8), "camera", 0)
    given = np.array([[10.0, 20.0], [np.nan, np.nan], [500.0, 5.0]])
    best = np.array([[30.2, 19.8]])
    drawn = draw_edges(picture, given, best)
    assert drawn.shape == (40, 60, 3)
    assert tuple(drawn[20, 10]) == GIVEN_RGB
    assert tuple(drawn[20, 30]) == BEST_RGB
    others = (drawn != 114).any(axis=2)
    assert others.sum() == 8
