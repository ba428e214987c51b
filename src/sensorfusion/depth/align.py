"""Alignment: a depth map in another camera, and another camera's colour at a depth map."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera, ray_table
from sensorfusion.depth import _align_kernels
from sensorfusion.depth.filters import jump_tolerance
from sensorfusion.depth_map import DepthMap
from sensorfusion.errors import CalibrationError, CoordinateSystemMismatchError
from sensorfusion.image import Image
from sensorfusion.rig import Rig
from sensorfusion.transform import RigidTransform


def align_depth(depth: DepthMap, camera: Camera, T_camera_depth: RigidTransform) -> DepthMap:
    """Return a depth map as another camera would have measured it.

    Neighbouring pixels of one surface are drawn as triangles between them, which are exact on
    planes; pixels at jumps in depth as the rectangle that a pixel covers. So a target of higher
    resolution gets no pinholes. Where several points fall on one pixel the nearest wins.

    Parameters
    ----------
    depth : DepthMap
    camera : Camera
        The camera to align to.
    T_camera_depth : RigidTransform
        From the depth camera's coordinates to those of ``camera``.

    Returns
    -------
    DepthMap
        float32 (H, W) of ``camera``: metres along its z axis, at the time of the measurement;
        0 where the depth camera saw nothing. ``origin`` is MEASURED at pixels that a measured
        point falls on, FILLED between them, and NO_RETURN elsewhere. ``sigma_m`` is not carried:
        it is None.

    Raises
    ------
    CoordinateSystemMismatchError
        If the transform does not lead from the depth camera to ``camera``.
    """
    source = depth.camera
    _check_chain(T_camera_depth, camera, source)
    if _same_view(T_camera_depth, camera, source):
        return DepthMap(depth.metres, camera, depth.timestamp_ns, origin=depth.origins())
    footprint_px = (camera.fx / source.fx, camera.fy / source.fy)
    tolerance = jump_tolerance(source)
    layers = np.zeros((3, camera.height, camera.width), np.float32)
    given = np.ascontiguousarray(depth.metres)
    rays, view = rays_by_row(source), view_of(camera, T_camera_depth)
    _align_kernels.render(given, rays, view, footprint_px, tolerance, layers[:2])
    _align_kernels.draw_points(given, depth.origins(), rays, view, layers[2])
    metres = np.empty((camera.height, camera.width), np.float32)
    origin = np.empty(metres.shape, np.uint8)
    _align_kernels.merge(layers, tolerance, metres, origin)
    return DepthMap(metres, camera, depth.timestamp_ns, origin=origin)


def color_of_first(
    depth: DepthMap, pictures: Mapping[str, Image], rig: Rig
) -> NDArray[np.uint8] | None:
    """Return what the first of a frame's pictures shows at every pixel of a depth map.

    Parameters
    ----------
    depth : DepthMap
    pictures : mapping of str to Image
        By camera of the rig.
    rig : Rig

    Returns
    -------
    ndarray of uint8, shape (H, W, 4), or None
        As of :func:`color_at_depth`; None without a picture.
    """
    for name, image in pictures.items():
        T_color_depth = rig.transform(name, depth.camera.name)
        return color_at_depth(depth, image, rig.cameras[name], T_color_depth)
    return None


def color_at_depth(
    depth: DepthMap, image: Image, color_camera: Camera, T_color_depth: RigidTransform
) -> NDArray[np.uint8]:
    """Return the colour that another camera sees at every pixel of a depth map.

    Parameters
    ----------
    depth : DepthMap
    image : Image
        Grey or RGB, of ``color_camera``.
    color_camera : Camera
    T_color_depth : RigidTransform
        From the depth camera's coordinates to the colour camera's.

    Returns
    -------
    ndarray of uint8, shape (H, W, 4)
        Red, green, blue (sRGB, bilinear), and 255 where the colour camera sees the point; all 0
        where it does not: no depth, outside the picture, beyond the lens model, or hidden behind
        a nearer surface. Hidden means: farther than the nearest point of a cell about two depth
        pixels wide by more than a steep surface explains.

    Raises
    ------
    ValueError
        If the picture has not the size of its camera.
    CoordinateSystemMismatchError
        If the transform does not lead from the depth camera to the colour camera.
    """
    camera = depth.camera
    if image.pixels.shape[:2] != (color_camera.height, color_camera.width):
        msg = (
            f"image of {image.camera_name!r} has shape {image.pixels.shape}; camera "
            f"{color_camera.name!r} has {color_camera.height} rows and {color_camera.width} columns"
        )
        raise ValueError(msg)
    _check_chain(T_color_depth, color_camera, camera)
    picture = image.pixels
    if picture.ndim == 2:
        picture = np.repeat(picture[..., np.newaxis], 3, axis=-1)
    out = np.empty((camera.height, camera.width, 4), np.uint8)
    if _same_view(T_color_depth, color_camera, camera):
        _align_kernels.copy_color(depth.metres, picture, out)
        return out
    view, rays = view_of(color_camera, T_color_depth), rays_by_row(camera)
    metres, picture = np.ascontiguousarray(depth.metres), np.ascontiguousarray(picture)
    cell_px = _cell_px(color_camera, camera)
    shape = (-(-color_camera.height // cell_px), -(-color_camera.width // cell_px))
    nearest = np.empty(shape, np.float32)
    _align_kernels.nearest_per_cell(metres, rays, view, 1.0 / cell_px, nearest)
    slope, noise_per_m = jump_tolerance(camera)
    # Points of one surface in one cell are up to three depth pixels apart.
    farthest = nearest * (1 + 3 * np.float32(slope) + np.float32(noise_per_m) * nearest)
    _align_kernels.look_up_color(metres, rays, view, (farthest, 1.0 / cell_px), picture, out)
    return out


def count_in_picture(depth: DepthMap, camera: Camera, T_camera_depth: RigidTransform) -> int:
    """Return how many measured points lie in another camera's picture, hidden or not.

    Parameters
    ----------
    depth : DepthMap
        Metres.
    camera : Camera
        The other camera.
    T_camera_depth : RigidTransform
        Takes the measuring camera's coordinates to the other's.
    """
    rays = np.insert(ray_table(depth.camera)[depth.valid], 2, 1.0, axis=1)
    pixels = camera.project(T_camera_depth.apply(rays * depth.metres[depth.valid, None]))
    inside = (pixels >= -0.5) & (pixels < (camera.width - 0.5, camera.height - 0.5))
    return int(inside.all(axis=1).sum())


def view_of(camera: Camera, T_camera_source: RigidTransform) -> NDArray[np.float32]:
    """Return what the kernels need to project into a camera.

    Returns
    -------
    ndarray of float32, shape (26,)
        The upper three rows of the transform; fx, fy, cx, cy; the square of the largest radius of
        the lens model; 0 for Brown-Conrady, 1 for inverse Brown-Conrady, 2 for Kannala-Brandt;
        k1 k2 p1 p2 k3 k4 k5 k6, or k1 k2 k3 k4 of Kannala-Brandt.

    Raises
    ------
    CalibrationError
        If the camera is spherical.
    """
    if camera.is_spherical:
        msg = (
            f"camera {camera.name!r} is spherical; pictures of one camera are laid on those of "
            "another only where both have a pinhole or fisheye lens"
        )
        raise CalibrationError(msg)
    distortion = camera.distortion
    model = {"inverse_brown_conrady": 1.0, "kannala_brandt": 2.0}.get(distortion.model, 0.0)
    coefficients = (*distortion.coefficients, *(0.0,) * 8)[:8]
    lens = (camera.fx, camera.fy, camera.cx, camera.cy, distortion.largest_radius**2, model)
    return np.concatenate([T_camera_source.matrix[:3].ravel(), lens, coefficients]).astype(
        np.float32
    )


@lru_cache(maxsize=4)
def rays_by_row(camera: Camera) -> NDArray[np.float32]:
    """Return the ray of every pixel, x / z and y / z apart so that kernels read them in order.

    Returns
    -------
    ndarray of float32, shape (height, 2, width)
        As :func:`sensorfusion.camera.ray_table`. Read-only.
    """
    table = np.ascontiguousarray(np.moveaxis(ray_table(camera), 2, 1))
    table.flags.writeable = False
    return table


def _check_chain(T_target_source: RigidTransform, target: Camera, source: Camera) -> None:
    if (T_target_source.target, T_target_source.source) != (target.name, source.name):
        msg = (
            f"{T_target_source.name} was given to go from camera {source.name!r} to camera "
            f"{target.name!r}; expected T_{target.name}_{source.name}"
        )
        raise CoordinateSystemMismatchError(msg)


def _same_view(T_target_source: RigidTransform, target: Camera, source: Camera) -> bool:
    """Tell whether two cameras see every point at the same pixel."""
    return replace(target, name=source.name) == source and np.array_equal(
        T_target_source.matrix, np.eye(4)
    )


def _cell_px(target: Camera, source: Camera) -> int:
    """Return the edge of cells, in pixels of the target, that no surface leaves empty."""
    return max(2, int(np.ceil(2 * max(target.fx / source.fx, target.fy / source.fy))))
