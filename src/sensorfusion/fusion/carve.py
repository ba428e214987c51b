"""Take out of the volume what moved away: surface that later beams went through."""

from sensorfusion.fusion import _carve_kernels
from sensorfusion.fusion.volume import Volume

FEWEST_PASSES = 3
"""What fewer scans saw through stays: one beam may slip past a thing."""
PASSES_PER_OBSERVATION = 1.0
"""How many scans must have seen through a voxel for each frame that measured a surface near it.
Chosen on 60 scans of the simulated street: cars that move leave 0.7 % of the surface, 4.3 %
without; of what stands still 0.15 % of the area is lost."""


def forget_passed(volume: Volume) -> int:
    """Forget the voxels behind a surface that more scans saw through than frames measured it.

    Call it once, before the surface is extracted. Thin things and plants stay: a beam counts as
    passing only where those beside it, too, went farther, and some beams hit them in every scan.
    What moved stays where it was last seen, if nothing looked there afterwards.

    Parameters
    ----------
    volume : Volume
        Made ``with_passes`` and with own kernels; nothing happens otherwise.

    Returns
    -------
    int
        Voxels forgotten.

    References
    ----------
    Hornung et al., "OctoMap: an efficient probabilistic 3D mapping framework based on octrees",
    2013, for evidence of beams that end in and that pass through a cell.
    """
    if not volume.own_kernels or not len(volume.views.passes):
        return 0
    views = volume.views
    return int(
        _carve_kernels.forget(
            views.passes,
            views.observations,
            FEWEST_PASSES,
            PASSES_PER_OBSERVATION,
            views.tsdf,
            views.weight,
            views.color,
        )
    )
