"""What a sensor measured on boards is laid on their planes: exact scenes, known deviations."""

import math
from dataclasses import replace

import numpy as np
import pytest

from board_scan import T_camera_lidar, beams, scan
from board_scene import many_places, placed, seen, small_camera, turned
from sensorfusion.calibration.belief import Belief
from sensorfusion.calibration.board import Chessboard
from sensorfusion.calibration.board_alignment import BoardSeen, lay_on_boards
from sensorfusion.calibration.board_plane import board_plane
from sensorfusion.calibration.edge_alignment import SECONDS, change_between, changed_transform

BOARD, CAMERA = Chessboard(7, 5, 0.1), small_camera()
NOISE_M, CORNER_PX = 0.01, 0.1
TRUE = T_camera_lidar(turned(1, 2, -1.5))
PRIOR = np.array([*[math.radians(2)] * 3, *[0.1] * 3, 0.0])
STILL = np.zeros(6)


def sighting(T_camera_board, rng, change=lambda points: points):
    """Return a board as picture and scan show it; ``change`` spoils the scan."""
    view = seen(BOARD, CAMERA, T_camera_board, CORNER_PX, rng)
    points = change(scan(BOARD, T_camera_board, TRUE, NOISE_M, rng))
    plane = board_plane(view, CAMERA, BOARD.square_m)
    return BoardSeen(plane, lambda _: points, STILL, 1.0)


def sightings(count, seed, change=lambda points: points):
    rng = np.random.default_rng(seed)
    places = many_places(BOARD, count, seed, (1.5, 2.6), 35)
    return [sighting(place, rng, change) for place in places]


def off_by_a_degree_and_5_cm(seed):
    rng, change = np.random.default_rng(seed), np.zeros(7)
    for part, size in ((slice(0, 3), math.radians(1)), (slice(3, 6), 0.05)):
        way = rng.standard_normal(3)
        change[part] = size * way / np.linalg.norm(way)
    return Belief(changed_transform(TRUE, change), 0, np.diag(PRIOR**2))


def error_and_sigma(fit):
    error = change_between(TRUE, fit.found.T_camera_sensor)
    return error, np.sqrt(np.diag(fit.found.covariance))[:6]


def test_twenty_boards_lead_back_from_a_degree_and_5_cm():
    fit = lay_on_boards(sightings(20, 5), off_by_a_degree_and_5_cm(5))
    error, sigma = error_and_sigma(fit)
    assert np.degrees(np.linalg.norm(error[:3])) < 0.1
    assert np.linalg.norm(error[3:]) < 0.01
    assert (np.abs(error) < 3 * sigma).all()
    assert fit.boards == 20
    assert fit.after_m < 0.002 < fit.before_m


def test_the_stated_deviations_are_those_of_repeated_recordings():
    ratios = []
    for seed in range(12):
        fit = lay_on_boards(sightings(8, seed), off_by_a_degree_and_5_cm(seed))
        error, sigma = error_and_sigma(fit)
        ratios.append(error / sigma)
    assert 0.7 < np.sqrt(np.mean(np.square(ratios))) < 1.3
    assert np.abs(ratios).max() < 3.5


def test_parallel_boards_hold_no_turn_about_their_normal_and_no_way_along_them():
    rng = np.random.default_rng(2)
    places = [
        placed(BOARD, np.eye(3), place) for place in ((0, 0, 2), (0.3, 0, 2.4), (0, 0.2, 1.6))
    ]
    fit = lay_on_boards([sighting(place, rng) for place in places], off_by_a_degree_and_5_cm(2))
    _, sigma = error_and_sigma(fit)
    told = sigma < 0.5 * PRIOR[:6]
    assert told.tolist() == [True, True, False, False, False, True]


def test_a_hand_before_the_board_changes_little():
    def with_hand(points):
        spoilt = points.copy()
        spoilt[np.arange(len(points)) % 5 == 0] *= 0.97
        return spoilt

    fit = lay_on_boards(sightings(20, 5, with_hand), off_by_a_degree_and_5_cm(5))
    error, _ = error_and_sigma(fit)
    assert np.degrees(np.linalg.norm(error[:3])) < 0.15
    assert np.linalg.norm(error[3:]) < 0.01


def test_boards_that_moved_between_picture_and_scan_scatter_and_say_less():
    ratios = []
    for seed in range(3):
        rng = np.random.default_rng(100 + seed)
        boards, moved = sightings(12, seed), []
        for one in boards:
            # The scan came when the board had been carried on by a centimetre.
            T = one.plane.T_camera_board.copy()
            T[:3, 3] += T[:3, 2] * rng.normal(0, 0.01)
            moved.append(replace(one, plane=replace(one.plane, T_camera_board=T)))
        start = off_by_a_degree_and_5_cm(seed)
        before, after = lay_on_boards(boards, start), lay_on_boards(moved, start)
        assert before.scatter_m < 0.002
        # Twelve draws tell a deviation to 20 percent.
        assert after.scatter_m == pytest.approx(0.01, rel=0.5)
        error, sigma = error_and_sigma(after)
        assert sigma[5] > 3 * error_and_sigma(before)[1][5]
        ratios.append(error / sigma)
    assert np.sqrt(np.mean(np.square(ratios))) < 2


def test_boards_before_a_sensor_that_turns_tell_how_late_pictures_are():
    late_s = 0.02
    rng = np.random.default_rng(6)
    boards = []
    for place in many_places(BOARD, 20, 6, (1.5, 2.6), 35):
        twist = np.append(rng.normal(0, 0.3, 3), rng.normal(0, 0.5, 3))
        one = sighting(place, rng)
        there = one.points_at(0)
        velocity = twist[:3] + np.cross(twist[3:], there)

        def points_at(late_ns, there=there, velocity=velocity):
            # What stands still moves against the sensor.
            return there + (late_s - 1e-9 * late_ns) * velocity

        boards.append(replace(one, points_at=points_at, twist=twist))
    start = off_by_a_degree_and_5_cm(6)
    prior = np.append(PRIOR[:6], 0.1)
    fit = lay_on_boards(boards, replace(start, covariance=np.diag(prior**2)))
    sigma_s = math.sqrt(fit.found.covariance[SECONDS, SECONDS])
    assert 1e-9 * fit.found.late_ns == pytest.approx(late_s, abs=0.003)
    assert abs(1e-9 * fit.found.late_ns - late_s) < 3 * sigma_s
    assert np.degrees(np.linalg.norm(error_and_sigma(fit)[0][:3])) < 0.15


def test_too_few_points_on_a_board_say_nothing():
    rng = np.random.default_rng(1)
    one = sighting(placed(BOARD, np.eye(3), (0, 0, 2)), rng)
    few = scan(BOARD, placed(BOARD, np.eye(3), (0, 0, 2)), TRUE, rays=beams(3, 5))
    start = off_by_a_degree_and_5_cm(1)
    fit = lay_on_boards([replace(one, points_at=lambda _: few)], start)
    assert fit.boards == 0
    assert fit.found.T_camera_sensor.matrix == pytest.approx(start.T_camera_sensor.matrix)
