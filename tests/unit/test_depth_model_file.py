"""What stands beside a model's file, what options say of it, and what is refused."""

import numpy as np
import pytest

from onnx_model import write_luminance
from sensorfusion.camera import Camera
from sensorfusion.cli import app as cli
from sensorfusion.cli.model import ModelSourceOptions
from sensorfusion.cli.usage import UsageError
from sensorfusion.config_pictures import ModelSettings
from sensorfusion.depth.model_file import complete_settings, load_model
from sensorfusion.depth_map import Origin
from sensorfusion.errors import ConfigError, ModelError
from sensorfusion.image import Image

CAMERA = Camera("color", 8, 6, 8, 8, 3.5, 2.5)
WHITE = Image(np.full((6, 8, 3), 255, np.uint8), "color", 5)


@pytest.fixture
def model(tmp_path):
    """Write a model that says twice the brightness, 0 to 2."""
    return write_luminance(tmp_path / "m.onnx", gain=2.0)


def beside(model, text):
    model.with_suffix(".toml").write_text(text)
    return ModelSettings(file=str(model))


def test_the_file_beside_the_model_fills_what_is_open(model):
    settings = beside(model, 'output = "log"\nsize = [64, 32]\nmean = [0, 0.5, 1]\nabout = "x"\n')
    complete = complete_settings(settings)
    assert (complete.output, complete.size, complete.mean) == ("log", (64, 32), (0.0, 0.5, 1.0))
    given = ModelSettings(file=str(model), output="inverse", size=(32, 32))
    assert complete_settings(given).output == "inverse"
    assert complete_settings(given).mean == (0.0, 0.5, 1.0)


def test_without_an_output_the_kinds_are_listed(model):
    with pytest.raises(ConfigError, match=r"-o model-output=KIND.* inverse \(1/z = s v\), affine"):
        complete_settings(ModelSettings(file=str(model)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('outputs = "log"', "there is no outputs; did you mean output?"),
        ('output = "affine_invers"', "output is 'affine_invers'; did you mean affine_inverse?"),
        ('output = "log"\nsize = [64]', "size is [64]; expected 2 numbers, as in [224, 128]"),
        ('output = "log"\nsize = [6.5, 2]', "size is [6.5, 2]; expected 2 numbers"),
        ('output = "log"\nmean = "grey"', "mean is 'grey'; expected 3 numbers"),
        ('output = "log"\nstd = [0, 0, 0]', "depth.model.std is 0.0; expected a value from"),
        ("output = ", "is not TOML"),
    ],
)
def test_what_cannot_be_meant_is_told_with_the_file(model, text, said):
    with pytest.raises(ConfigError) as caught:
        complete_settings(beside(model, text))
    assert str(caught.value).startswith(f"{model.with_suffix('.toml')}: ")
    assert said in str(caught.value)


def test_a_model_that_is_not_there_is_told_before_what_it_puts_out(tmp_path):
    with pytest.raises(ModelError, match=r"gone\.onnx: no such file"):
        complete_settings(ModelSettings(file=str(tmp_path / "gone.onnx")))


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", "half"])
def test_a_file_that_is_no_model_is_told_before_what_it_puts_out(model, content):
    model.write_bytes(model.read_bytes()[:99] if content == "half" else content)
    with pytest.raises(ModelError, match="is no whole ONNX model"):
        complete_settings(ModelSettings(file=str(model)))


def test_only_metres_can_be_trusted(model):
    settings = ModelSettings(file=str(model), output="log", trust=True)
    with pytest.raises(ConfigError, match=r"no metres stand.*leave out --trust-model"):
        complete_settings(settings)


def test_metres_are_relative_unless_they_are_trusted(model):
    metric = load_model(ModelSettings(file=str(model), output="metric"))
    relative = metric(WHITE, CAMERA)
    assert relative.kind == "log"
    np.testing.assert_allclose(relative.values, np.log(2), atol=1e-6)
    assert metric.in_its_own_metres(WHITE, CAMERA) is None
    trusted = load_model(ModelSettings(file=str(model), output="metric", trust=True))
    depth = trusted.in_its_own_metres(WHITE, CAMERA)
    np.testing.assert_allclose(depth.metres, 2.0, atol=1e-6)
    assert (depth.origin == Origin.PREDICTED).all()
    assert (depth.sigma_m > 0).all()


def test_metres_of_zero_say_nothing(model):
    black = Image(np.zeros((6, 8, 3), np.uint8), "color", 5)
    metric = load_model(ModelSettings(file=str(model), output="metric"))
    assert np.isnan(metric(black, CAMERA).values).all()


def test_a_model_is_loaded_once(model):
    settings = ModelSettings(file=str(model), output="log")
    assert load_model(settings) is load_model(ModelSettings(file=str(model), output="log"))


def test_options_name_a_model_beside_those_of_the_driver(model):
    texts = (f"model={model}", "model-output=inverse", "model-size=64x32", "model-std=.5,.5,1")
    options = ModelSourceOptions(option=("frames=3", *texts, "model-engine=opencv"))
    assert options.values == {"frames": "3"}
    settings = options.model()
    assert (settings.output, settings.size) == ("inverse", (64, 32))
    assert (settings.std, settings.engine) == ((0.5, 0.5, 1.0), "opencv")


def test_options_count_before_other_settings(model):
    others = ModelSettings(file="other.onnx", output="log", mean=(0.1, 0.2, 0.3))
    settings = ModelSourceOptions(option=(f"model={model}", "model-output=inverse")).model(others)
    assert (settings.file, settings.output) == (str(model), "inverse")
    assert settings.mean == (0.1, 0.2, 0.3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model-siz=3x3", "no such option of a model; did you mean model-size?"),
        ("model-size=3", "expected WIDTHxHEIGHT in pixels"),
        ("model-size=0x3", "depth.model.size is 0; expected a value from 1"),
        ("model-mean=1,2", "expected three numbers for red, green and blue"),
        ("model-output=metrik", "did you mean metric?"),
        ("model-engine=torch", "expected one of auto, opencv, onnxruntime"),
    ],
)
def test_an_option_that_cannot_be_meant_is_wrong_usage(model, text, said):
    with pytest.raises(UsageError) as caught:
        ModelSourceOptions(option=(f"model={model}", text)).model()
    assert said in str(caught.value)


def test_what_is_said_of_no_model_is_wrong_usage():
    with pytest.raises(UsageError, match="-o model-output says something about a model; name it"):
        ModelSourceOptions(option=("model-output=log",)).model()
    with pytest.raises(UsageError, match="--trust-model says something about a model; name it"):
        ModelSourceOptions(trust_model=True).model()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["-o", "model=MODEL"], "a model fills its holes only with --completion predicted"),
        (["--completion", "predicted"], "give -o model=FILE.onnx"),
    ],
)
def test_a_model_without_use_and_use_without_a_model_are_wrong_usage(
    model, tmp_path, capsys, more, said
):
    beside(model, 'output = "log"')
    words = [word.replace("MODEL", str(model)) for word in more]
    source = ["synthetic:room", "-o", "frames=2", "-o", "scale=0.1"]
    assert cli.run(["depth", *source, "--out", str(tmp_path / "out"), *words]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_misspelt_option_of_a_model_is_asked_for_among_those_of_the_driver(tmp_path, capsys):
    command = ["depth", "synthetic:room", "--out", str(tmp_path / "out")]
    assert cli.run([*command, "-o", "modle=m.onnx"]) == 2
    assert "has no option 'modle'; did you mean model?" in capsys.readouterr().err


def test_commands_that_use_no_model_refuse_one(model, capsys):
    assert cli.run(["info", "synthetic:room", "-o", f"model={model}"]) == 2
    assert "has no option 'model'" in capsys.readouterr().err
