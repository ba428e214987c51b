"""Transforms know what they connect, and refuse what is not rigid."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorfusion.errors import CalibrationError, CoordinateSystemMismatchError
from sensorfusion.transform import (
    RigidTransform,
    quaternion_xyzw_from_rotation,
    rotation_from_quaternion_xyzw,
    rotation_from_vector,
)

QUARTER_TURN_ABOUT_Z = np.array([[0.0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]])
ANGLES = st.tuples(*[st.floats(-3, 3)] * 3)


def test_points_go_from_source_to_target():
    T_world_camera = RigidTransform("world", "camera", QUARTER_TURN_ABOUT_Z)
    np.testing.assert_allclose(T_world_camera.apply(np.array([[1.0, 0, 0]])), [[1, 3, 3]])


def test_a_chain_that_fits_has_the_outer_names():
    T_a_b = RigidTransform("a", "b", QUARTER_TURN_ABOUT_Z)
    T_b_c = RigidTransform("b", "c", QUARTER_TURN_ABOUT_Z)
    assert (T_a_b @ T_b_c).name == "T_a_c"


def test_a_chain_that_does_not_fit_is_refused():
    T_a_b = RigidTransform.identity("a", "b")
    with pytest.raises(CoordinateSystemMismatchError, match="inverse of what you meant"):
        T_a_b @ T_a_b


def test_the_inverse_undoes_the_transform():
    T_a_b = RigidTransform("a", "b", QUARTER_TURN_ABOUT_Z)
    np.testing.assert_allclose((T_a_b.inverse() @ T_a_b).matrix, np.eye(4), atol=1e-15)
    assert T_a_b.inverse().name == "T_b_a"


@pytest.mark.parametrize(
    ("matrix", "reason"),
    [
        (np.diag([1.0, 1, 1.01, 1]), "off orthonormal"),
        (np.diag([1.0, 1, -1, 1]), "mirrors"),
        (
            np.block(
                [
                    [np.full((2, 2), [[1e200, -1e200], [1e200, 1e200]]), np.zeros((2, 2))],
                    [np.zeros((2, 2)), np.eye(2)],
                ]
            ),
            "off orthonormal",
        ),
        (np.full((4, 4), np.nan), "NaN"),
        (np.diag([1.0, 1, 1, 2]), "last row"),
    ],
)
def test_what_is_not_rigid_is_refused(matrix, reason):
    with pytest.raises(CalibrationError, match=reason):
        RigidTransform("a", "b", matrix)


def test_a_matrix_rounded_by_its_text_file_becomes_rigid():
    rounded = np.round(QUARTER_TURN_ABOUT_Z + 2e-4 * np.eye(4), 3)
    rounded[3, 3] = 1.0
    T_a_b = RigidTransform.nearest("a", "b", rounded + 0.0)
    np.testing.assert_allclose(T_a_b.rotation.T @ T_a_b.rotation, np.eye(3), atol=1e-12)


@given(ANGLES)
def test_a_quaternion_gives_back_its_rotation(vector):
    rotation = rotation_from_vector(np.array(vector))
    quaternion = quaternion_xyzw_from_rotation(rotation)
    np.testing.assert_allclose(rotation_from_quaternion_xyzw(quaternion), rotation, atol=1e-9)


def test_a_rotation_vector_turns_right_handed():
    np.testing.assert_allclose(
        rotation_from_vector(np.array([0, 0, np.pi / 2])) @ [1, 0, 0], [0, 1, 0], atol=1e-15
    )


def test_a_quaternion_without_direction_is_refused():
    with pytest.raises(CalibrationError, match="no direction"):
        rotation_from_quaternion_xyzw(np.zeros(4))
