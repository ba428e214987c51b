"""Heights count from the floor below: slopes and kerbs are free, what stands on them is not."""

import numpy as np
import pytest

from sensorfusion.errors import ConfigError
from sensorfusion.perception.floor import LocalFloor, local_floor
from sensorfusion.perception.occupancy import FREE, OCCUPIED, occupancy_grid
from sensorfusion.perception.voxels import SeenVoxels

VOXEL_M, CELL_M = 0.05, 0.1
BAND_M = (0.1, 1.8)
SIDE_M = 8.0


def ground(height_m):
    """Return middles of voxels on a square of 8 x 8 m, one layer, at a height that x and y say."""
    steps = (np.arange(round(SIDE_M / VOXEL_M)) + 0.5) * VOXEL_M
    x, y = (a.ravel() for a in np.meshgrid(steps, steps))
    return np.stack([x, y, np.broadcast_to(height_m(x, y), x.shape)], axis=1).astype(np.float32)


def seen(surface, free=()):
    return SeenVoxels(
        surface.astype(np.float32), np.reshape(free, (-1, 3)).astype(np.float32), VOXEL_M
    )


def cells_of(voxels):
    """Return the states of the 80 x 80 cells of 0.1 m over the square."""
    grid = occupancy_grid(voxels, local_floor(voxels), BAND_M, CELL_M)
    assert grid.origin_m == (0.0, 0.0)
    assert grid.cells.shape == (80, 80)
    return grid.cells


def under(places, x_m, y_m):
    """Return which places lie within a rectangle, given by its first and last x and y."""
    return (
        (places[:, 0] > x_m[0])
        & (places[:, 0] < x_m[1])
        & (places[:, 1] > y_m[0])
        & (places[:, 1] < y_m[1])
    )


def occupied(x_m, y_m):
    """Return the cells of which those within a rectangle are occupied and the others free."""
    states = np.full((80, 80), FREE, np.int8)
    first_x, last_x, first_y, last_y = (round(edge / CELL_M) for edge in (*x_m, *y_m))
    states[first_y:last_y, first_x:last_x] = OCCUPIED
    return states


def slope(x, y):
    return 0.1 * x


@pytest.mark.parametrize("towards", [(1.0, 0.0), (0.0, -1.0), (0.6, 0.8), (-0.8, -0.6)])
def test_a_slope_of_ten_percent_is_free_up_to_its_edges(towards):
    """It climbs 0.8 m and more: from one height of the floor most of it would be occupied."""
    places = ground(lambda x, y: 0.1 * (towards[0] * x + towards[1] * y))
    assert (cells_of(seen(places)) == FREE).all()


def test_between_the_middles_of_its_cells_a_slope_is_known_to_half_a_voxel():
    voxels = seen(ground(slope))
    inner = voxels.surface_m[under(voxels.surface_m, (0.5, 7.5), (0.5, 7.5))]
    assert np.abs(local_floor(voxels).above(inner)).max() < VOXEL_M / 2


@pytest.mark.parametrize("place_m", [3.0, 3.4, 3.75])
def test_a_kerb_lower_than_the_band_is_free(place_m):
    kerb = ground(lambda x, y: np.where(x > place_m, 0.08, 0.0))
    assert (cells_of(seen(kerb)) == FREE).all()


def test_a_box_on_a_slope_is_occupied_and_the_slope_round_it_free():
    """1.5 x 1.2 m, 0.5 m high; the slope below it was not seen."""
    places = ground(slope)
    box = under(places, (3.0, 4.5), (2.0, 3.2))
    places[box, 2] += 0.5
    assert (cells_of(seen(places)) == occupied((3.0, 4.5), (2.0, 3.2))).all()


def test_a_table_that_hides_the_floor_below_it_is_occupied():
    """2 x 1.8 m, in the middle of the room, along the cells: two of them are nothing but table."""
    places = ground(lambda x, y: 0 * x)
    places[under(places, (3.0, 5.0), (2.0, 3.8)), 2] = 0.75
    assert (cells_of(seen(places)) == occupied((3.0, 5.0), (2.0, 3.8))).all()


def test_a_mattress_that_hides_the_floor_below_it_is_occupied():
    """2 x 2 m and 0.2 m high: less than the floor may climb from one cell to the next."""
    places = ground(lambda x, y: 0 * x)
    places[under(places, (3.0, 5.0), (2.0, 4.0)), 2] = 0.2
    assert (cells_of(seen(places)) == occupied((3.0, 5.0), (2.0, 4.0))).all()


def test_a_bed_in_the_corner_of_what_was_seen_is_occupied():
    places = ground(lambda x, y: 0 * x)
    places[under(places, (6.0, 8.0), (6.4, 8.0)), 2] = 0.5
    assert (cells_of(seen(places)) == occupied((6.0, 8.0), (6.4, 8.0))).all()


def test_a_car_and_the_shadow_behind_it_do_not_become_floor():
    """4.5 x 1.8 m; 2 m of street behind it were not seen."""
    places = ground(slope)
    places[under(places, (1.0, 5.5), (3.0, 4.8)), 2] += 1.4
    lit = places[~under(places, (1.0, 5.5), (4.8, 6.8))]
    found = cells_of(seen(lit))
    assert (found[30:48, 10:55] == OCCUPIED).all()
    assert (found == OCCUPIED).sum() == 18 * 45


def test_a_ceiling_with_free_space_below_it_is_no_floor():
    """Over the half of the room whose floor was not seen."""
    places = ground(lambda x, y: np.where(x > 4.0, 2.5, 0.0))
    air = ground(lambda x, y: 0 * x + 1.0)
    floor = local_floor(seen(places, air[air[:, 0] > 4.0]))
    assert floor.heights_m == pytest.approx(0.0, abs=1e-6)


def test_where_only_a_table_was_seen_it_is_what_heights_count_from():
    """Free space below every surface; beyond it, free space above nothing."""
    places = ground(lambda x, y: 0 * x + 0.75)
    top = places[under(places, (2.0, 6.0), (2.0, 6.0))]
    floor = local_floor(seen(top, places - np.float32([0, 0, 0.5])))
    assert floor.heights_m == pytest.approx(0.75, abs=1e-6)


def test_stairs_stand_in_the_way():
    """Steps of 0.15 m every 0.25 m, up from x = 4 m."""
    places = ground(lambda x, y: 0.15 * np.maximum(np.floor((x - 3.75) / 0.25), 0.0))
    found = cells_of(seen(places))
    assert (found[:, :35] == FREE).all()
    # At 5.0 m they are 0.75 m high, and the floor has climbed to less than 0.5 m.
    assert (found[:, 50:60] == OCCUPIED).all()


def test_a_few_voxels_below_the_floor_do_not_lower_it():
    """A square metre holds 400 voxels of the floor; 5 % of that, 20, would count."""
    places = ground(lambda x, y: 0 * x)
    mirrored = places[under(places, (4.0, 5.0), (4.0, 5.0))][:19] - np.float32([0, 0, 1.0])
    floor = local_floor(seen(np.concatenate([places, mirrored])))
    assert floor.heights_m == pytest.approx(0.0, abs=1e-6)


def test_the_middle_of_a_sheet_of_voxels_is_the_floor():
    sheet = [ground(lambda x, y, z=z: 0 * x + z) for z in (-0.05, 0.0, 0.05)]
    assert local_floor(seen(np.concatenate(sheet))).heights_m == pytest.approx(0.0, abs=1e-6)


def test_heights_are_interpolated_between_cells_and_level_beyond_the_last():
    """Middles at x = 2.5 and 3.5 m, y = -0.5 and 0.5 m."""
    floor = LocalFloor(np.array([[1.0, 2.0], [1.0, 4.0]], np.float32), (2, -1))
    places = [(2.5, -0.5, 1.0), (3.0, -0.5, 2.0), (3.0, 0.0, 2.0), (9.0, 9.0, 4.5), (0, -7, 0)]
    expected = [0.0, 0.5, 0.0, 0.5, -1.0]
    assert floor.above(np.array(places, np.float32)) == pytest.approx(expected, abs=1e-6)


def test_too_little_surface_for_a_floor_is_refused():
    with pytest.raises(ConfigError, match="a floor needs 20"):
        local_floor(seen(np.zeros((3, 3))))
    far_apart = np.stack([np.arange(30) * 2.0, np.zeros(30), np.zeros(30)], axis=1)
    with pytest.raises(ConfigError, match="no square metre holds 20"):
        local_floor(seen(far_apart))
