"""Published figures of well-known systems, with where they stand; and published calibrations.

Absolute trajectory error: RMS after rigid alignment, metres, over the whole sequence.
Surface error (living room of ICL-NUIM only): mean distance from the reconstruction to the true
surface, metres.

References
----------
.. [1] Whelan et al., "ElasticFusion: Dense SLAM without a pose graph", RSS 2015: its tables on
   TUM RGB-D and ICL-NUIM, those of Kintinuous included.
.. [2] Dai et al., "BundleFusion: Real-time globally consistent 3D reconstruction using on-the-fly
   surface re-integration", ACM TOG 36(3), 2017: its tables on TUM RGB-D and ICL-NUIM.
.. [3] Mur-Artal and Tardos, "ORB-SLAM2: an open-source SLAM system for monocular, stereo and RGB-D
   cameras", IEEE T-RO 33(5), 2017: its table on TUM RGB-D.

Of the sequences of Redwood (Choi et al., "Robust reconstruction of indoor scenes", CVPR 2015) none
is quoted here.
"""

ATE_M: dict[str, dict[str, float]] = {
    "tum freiburg1_desk": {
        "Kintinuous [1]": 0.037,
        "ElasticFusion [1]": 0.020,
        "BundleFusion [2]": 0.016,
        "ORB-SLAM2 [3]": 0.016,
    },
    "tum freiburg1_desk2": {"ElasticFusion [3]": 0.048, "ORB-SLAM2 [3]": 0.022},
    "tum freiburg1_room": {"ElasticFusion [3]": 0.068, "ORB-SLAM2 [3]": 0.047},
    "tum freiburg2_xyz": {
        "Kintinuous [1]": 0.029,
        "ElasticFusion [1]": 0.011,
        "BundleFusion [2]": 0.011,
        "ORB-SLAM2 [3]": 0.004,
    },
    "tum freiburg3_long_office_household": {
        "Kintinuous [1]": 0.030,
        "ElasticFusion [1]": 0.017,
        "BundleFusion [2]": 0.022,
        "ORB-SLAM2 [3]": 0.010,
    },
    "tum freiburg3_nostructure_texture_near_withloop": {
        "Kintinuous [1]": 0.031,
        "ElasticFusion [1]": 0.016,
        "BundleFusion [2]": 0.012,
        "ORB-SLAM2 [3]": 0.019,
    },
    "icl living room 0": {
        "Kintinuous [1]": 0.072,
        "ElasticFusion [1]": 0.009,
        "BundleFusion [2]": 0.006,
    },
    "icl living room 1": {
        "Kintinuous [1]": 0.005,
        "ElasticFusion [1]": 0.009,
        "BundleFusion [2]": 0.004,
    },
    "icl living room 2": {
        "Kintinuous [1]": 0.010,
        "ElasticFusion [1]": 0.014,
        "BundleFusion [2]": 0.006,
    },
    "icl living room 3": {
        "Kintinuous [1]": 0.355,
        "ElasticFusion [1]": 0.106,
        "BundleFusion [2]": 0.011,
    },
}

SURFACE_M: dict[str, dict[str, float]] = {
    "icl living room 0": {"ElasticFusion [1]": 0.007, "BundleFusion [2]": 0.005},
    "icl living room 1": {"ElasticFusion [1]": 0.007, "BundleFusion [2]": 0.006},
    "icl living room 2": {"ElasticFusion [1]": 0.008, "BundleFusion [2]": 0.007},
    "icl living room 3": {"ElasticFusion [1]": 0.028, "BundleFusion [2]": 0.008},
}

TUM_LENSES = {
    "freiburg1": (517.3, 516.5, 318.6, 255.3),
    "freiburg2": (520.9, 521.0, 325.1, 249.7),
    "freiburg3": (535.4, 539.2, 320.1, 247.6),
}
"""fx, fy, cx, cy in pixels, by the data set's page on file formats."""
ICL_LENS = (481.2, 480.0, 319.5, 239.5)
"""By the data set's page; fy is positive for the pictures of its TUM-compatible form."""
REDWOOD_LENS = (525.0, 525.0, 319.5, 239.5)
"""By the data set's page: the default of the PrimeSense sensors."""
