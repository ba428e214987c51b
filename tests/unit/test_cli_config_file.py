"""Settings from a TOML file, beneath those of the command line."""

import pytest
import tomli_w

from sensorfusion.cli import app as cli
from sensorfusion.cli import reconstruct
from sensorfusion.config import (
    DepthSettings,
    FusionSettings,
    MeshSettings,
    Settings,
)
from sensorfusion.config_pictures import ModelSettings, StereoSettings
from sensorfusion.errors import SourceError


@pytest.fixture
def settings_of(monkeypatch, tmp_path):
    """Run ``reconstruct`` up to the path and return the settings that reached it."""
    seen = []

    def stop(_source, settings, **_options):
        seen.append(settings or Settings())
        msg = "far enough"
        raise SourceError(msg)

    monkeypatch.setattr(reconstruct, "run", stop)
    # There is no such model as the settings name.
    monkeypatch.setattr(reconstruct, "_with_model", lambda settings, _opening: settings)

    def call(*flags, toml=None):
        arguments = ["reconstruct", "x", "--out", str(tmp_path / "out"), *flags]
        if toml is not None:
            (tmp_path / "c.toml").write_text(toml)
            arguments += ["--config", str(tmp_path / "c.toml")]
        code = cli.run(arguments)
        return (seen[-1] if seen else None), code

    return call


def test_without_flags_the_defaults_are_used(settings_of):
    assert settings_of()[0] == Settings()


@pytest.mark.parametrize("flag", ["--voxel-size-m", "--fusion.voxel-size-m"])
def test_a_setting_has_a_short_and_a_full_flag(settings_of, flag):
    assert settings_of(flag, "0.02")[0] == Settings(fusion=FusionSettings(voxel_size_m=0.02))


@pytest.mark.parametrize(
    "toml",
    [
        "voxel_size_m = 0.02",
        "voxel-size-m = 0.02",
        "[fusion]\nvoxel_size_m = 0.02",
        "[fusion]\nvoxel-size-m = 0.02",
    ],
)
def test_a_setting_has_a_short_and_a_full_key(settings_of, toml):
    assert settings_of(toml=toml)[0] == Settings(fusion=FusionSettings(voxel_size_m=0.02))


def test_the_command_line_beats_the_file(settings_of):
    toml = "[fusion]\nvoxel_size_m = 0.02\ntruncation_voxels = 5.0\n"
    settings, _ = settings_of("--voxel-size-m", "0.005", toml=toml)
    assert settings.fusion == FusionSettings(voxel_size_m=0.005, truncation_voxels=5.0)


def test_settings_within_settings_have_flags_and_keys(settings_of):
    model = ModelSettings(file="m.onnx", size=(160, 120), trust=True)
    expected = Settings(depth=DepthSettings(model=model))
    flags = ("--depth.model.file", "m.onnx", "--depth.model.size", "160", "120")
    assert settings_of(*flags, "--depth.model.trust")[0] == expected
    toml = '[depth.model]\nfile = "m.onnx"\nsize = [160, 120]\ntrust = true\n'
    assert settings_of(toml=toml)[0] == expected


def test_how_cameras_are_matched_has_flags_and_keys(settings_of):
    stereo = StereoSettings(nearest_m=0.7, model="s.onnx", std=(0.2, 0.3, 0.4))
    expected = Settings(depth=DepthSettings(stereo=stereo))
    flags = ("--depth.stereo.nearest-m", "0.7", "--depth.stereo.model", "s.onnx")
    assert settings_of(*flags, "--depth.stereo.std", "0.2", "0.3", "0.4")[0] == expected
    toml = '[depth.stereo]\nnearest_m = 0.7\nmodel = "s.onnx"\nstd = [0.2, 0.3, 0.4]\n'
    assert settings_of(toml=toml)[0] == expected
    assert settings_of(toml=tomli_w.dumps(expected.to_dict()))[0] == expected


def test_switches_and_lists_come_from_the_file_too(settings_of):
    toml = '[depth]\nflying_pixel_filter = false\n[mesh]\nformats = ["obj", "stl"]\n'
    settings, _ = settings_of(toml=toml)
    assert settings.depth == DepthSettings(flying_pixel_filter=False)
    assert settings.mesh == MeshSettings(formats=("obj", "stl"))


def test_settings_written_as_toml_come_back_as_they_were(settings_of):
    settings = Settings(
        depth=DepthSettings(
            far_m=3.5,
            model=ModelSettings(file="m.onnx", size=(160, 120), mean=(0.4, 0.5, 0.6), output="log"),
        ),
        fusion=FusionSettings(voxel_size_m=0.007, device="CUDA:1"),
    )
    assert settings_of(toml=tomli_w.dumps(settings.to_dict()))[0] == settings


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[fusion]\nvoxel_sise_m = 0.02", "no setting fusion.voxel_sise_m; did you mean fusion."),
        ("voxel_sise_m = 0.02", "no setting voxel_sise_m; did you mean voxel_size_m?"),
        ("[fussion]\nvoxel_size_m = 0.02", "no setting fussion.voxel_size_m; did you mean fusion."),
        ("out = 'elsewhere'", "no setting out;"),
        ("source = 'other'", "no setting source;"),
        ("driver = 'synthetic'", "no setting driver;"),
        ("voxel_size_m = 'thick'", 'unable to convert "thick" into float'),
        ("voxel_size_m = -1.0", "fusion.voxel_size_m is -1.0; expected a value from"),
        ("voxel_size_m 0.02", "is not TOML"),
        ("voxel_size_m = [0.02, 0.03]", "[voxel_size_m]: unable to convert"),
        ("voxel_size_m = 0.02\n[fusion]\nvoxel_size_m = 0.03", "voxel_size_m is given twice"),
        ("fusion = 0.05", "fusion is 0.05; expected one of its settings: voxel_size_m,"),
        ("target_triangles = 1000.5", "mesh.target_triangles is 1000.5; expected a whole number"),
        ("[depth]\nmodel = 'm.onnx'", "depth.model is m.onnx; expected one of its settings: file,"),
        (
            "[depth.model]\nfiel = 'm'",
            "no setting depth.model.fiel; did you mean depth.model.file?",
        ),
        ("[depth.stereo]\nnearest_m = 0", "depth.stereo.nearest_m is 0.0; expected a value from"),
        ("[depth.model]\nsize = [0, 120]", "depth.model.size is 0; expected a value from 1"),
        ("[mesh]\nformats = []", "mesh.formats is empty; expected one or more of"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(settings_of, capsys, toml, said):
    settings, code = settings_of(toml=toml)
    assert (settings, code) == (None, 1)
    error = capsys.readouterr().err
    assert error.startswith("sensorfusion: ")
    assert "c.toml: " in error
    assert said in error
    assert error.count("\n") == 1


def test_a_missing_file_is_refused(settings_of, capsys):
    settings, code = settings_of("--config", "/no/such.toml")
    assert (settings, code) == (None, 1)
    assert "/no/such.toml: cannot be read" in capsys.readouterr().err


def test_an_unknown_flag_is_wrong_usage(settings_of, capsys):
    settings, code = settings_of("--voxel-sise-m", "0.02")
    assert (settings, code) == (None, 2)
    assert "Did you mean --voxel-size-m?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--fusion", "0.05"], "fusion is 0.05; expected one of its settings"),
        (["--mesh", "5"], "mesh is 5; expected one of its settings"),
        (["--voxel-size-m", "-1"], "fusion.voxel_size_m is -1.0; expected a value from"),
        (["--device", "GPU"], "fusion.device is 'GPU'; expected CPU:0 or CUDA:N"),
        (["--target-triangles", "10.7"], "mesh.target_triangles is 10.7; expected a whole number"),
        (["--mesh.empty-formats"], "Unknown option"),
    ],
)
def test_a_flag_that_cannot_be_meant_is_wrong_usage(settings_of, capsys, flags, said):
    assert settings_of(*flags) == (None, 2)
    error = capsys.readouterr().err
    assert said in error
    assert error.endswith("(sensorfusion reconstruct --help)\n")
    assert error.count("\n") == 1


def test_a_flag_out_of_range_is_not_blamed_on_the_file(settings_of, capsys):
    assert settings_of("--voxel-size-m", "7", toml="truncation_voxels = 4.0")[1] == 1
    assert settings_of("--voxel-size-m", "7", toml="[fusion]\ntruncation_voxels = 4.0")[1] == 2
    assert "c.toml" not in capsys.readouterr().err.splitlines()[1]
