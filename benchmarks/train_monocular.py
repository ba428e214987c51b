"""Train the small monocular network that ships, and judge it: ``./run bench train_monocular``.

A network of 0.9 MB sees pictures of simulated rooms and is told their true depth; what it errs by
is what it learns from. It is judged in other rooms, by the ONNX file that was written:

raw
    Mean of abs(z - true) / true (AbsRel) of the metres that it was taught.
one scale
    The same behind the one scale for each picture that its median error asks for: what can be
    expected of it in rooms of another size. Then scale and shift, in inverse depth and in depth.
spread of scales
    Standard deviation of the logarithm of those scales: how far frames disagree on a metre.
mean picture
    The same of a network that says for every picture what the training pictures show on average.

torch is needed to train, not to judge; it is the extra ``train``. Without it the one command that
gets it is printed, which names the index of CPU builds: those for CUDA are gigabytes. ``./run``
takes it away again when the lock changes.

    ./run bench train_monocular --judge recordings/rooms.onnx

It knows the simulated rooms, whose walls are all the same, and the one focal length of
``d435_rig``. Training on other numbers of threads or processors gives another network.
"""

import argparse
import importlib.util
import sys
import time
from pathlib import Path

import numpy as np
import tomli_w
from monocular_rooms import FIRST_TRAINED, HEIGHT, JUDGED, MEAN, WIDTH, Pictures, photograph
from numpy.typing import NDArray

from sensorfusion.config_pictures import ModelSettings
from sensorfusion.depth.model_file import load_model

ROOT = Path(__file__).parents[1]
GET_TORCH = (
    ".venv/bin/python -m pip install --extra-index-url https://download.pytorch.org/whl/cpu "
    "-e '.[train]'"
)
JUDGED_PER_ROOM = 8
WARM_UP = 100

Floats = NDArray[np.floating]


def train(asked: argparse.Namespace, pictures: Pictures, file: Path) -> None:
    """Train on pictures and write the network and its sidecar."""
    import torch
    from monocular_net import DepthNet, exposed, loss, write_onnx

    torch.manual_seed(asked.seed)
    torch.set_num_threads(asked.threads)
    # The order of channels that its convolutions compute in, a fifth faster.
    net = DepthNet().to(memory_format=torch.channels_last)
    colors = torch.from_numpy(pictures.colors).permute(0, 3, 1, 2)
    log_m = torch.from_numpy(np.log(pictures.metres.astype(np.float32)))[:, None]
    optimizer = torch.optim.AdamW(net.parameters(), lr=asked.rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(1.0, (step + 1) / WARM_UP) * (1 + np.cos(np.pi * step / asked.steps)) / 2,
    )
    queue, errors, start = torch.empty(0, dtype=torch.long), [], time.monotonic()
    for step in range(1, asked.steps + 1):
        if len(queue) < asked.batch:
            queue = torch.randperm(len(colors))
        chosen, queue = queue[: asked.batch], queue[asked.batch :]
        error = loss(net(exposed(colors[chosen])), log_m[chosen], asked.edges)
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        schedule.step()
        errors.append(error.item())
        if step % max(1, asked.steps // 40) == 0:
            spent_s = time.monotonic() - start
            print(
                f"step {step} of {asked.steps}, {spent_s:.0f} s: loss {np.mean(errors):.4f}",
                flush=True,
            )
            errors = []
    write_onnx(net, file)
    seeds = f"{FIRST_TRAINED} to {FIRST_TRAINED + asked.rooms - 1}"
    file.with_suffix(".toml").write_text(sidecar(seeds), encoding="utf-8")


def sidecar(seeds: str) -> str:
    """Return what the program must know of the network."""
    about = (
        f"Trained by benchmarks/train_monocular.py on synthetic:room with the seeds {seeds}, and "
        "on nothing else: it knows those rooms and the colour camera of synthetic:room (69 degrees "
        "across). For tests and the demo; Apache-2.0, as the project."
    )
    return tomli_w.dumps(
        {
            "about": about,
            "output": "log",
            "size": [WIDTH, HEIGHT],
            "mean": [MEAN, MEAN, MEAN],
            "std": [1.0, 1.0, 1.0],
        }
    )


def judge(file: Path, pictures: Pictures) -> None:
    """Print how far the network is off, as ``raw``, ``one scale`` and so on; see the module."""
    network = load_model(ModelSettings(file=str(file))).network
    start = time.perf_counter()
    found = np.exp(np.stack([network(color) for color in pictures.colors]))
    spent_ms = 1e3 * (time.perf_counter() - start) / len(found)
    print(f"{file}: {file.stat().st_size} bytes, {spent_ms:.1f} ms a picture")
    show("network", found, pictures.metres.astype(np.float32))


def show(name: str, found: Floats, truth_m: Floats) -> None:
    """Print the figures of depth found (N, H, W) beside the truth."""
    off = np.median(np.log(truth_m / found).reshape(len(found), -1), axis=1)
    scaled = found * np.exp(off)[:, None, None]
    inverse = 1 / np.maximum(lines(1 / found, 1 / truth_m, truth_m), 1e-3)
    depth = lines(found, truth_m, 1 / truth_m)
    print(
        f"{name:13} AbsRel: raw {abs_rel(found, truth_m):.4f}, one scale "
        f"{abs_rel(scaled, truth_m):.4f}, scale and shift of inverse depth "
        f"{abs_rel(inverse, truth_m):.4f}, of depth {abs_rel(depth, truth_m):.4f}; "
        f"spread of scales {np.std(off):.4f}"
    )


def lines(values: Floats, truth: Floats, weights: Floats) -> Floats:
    """Return scale * values + shift for each picture, by weighted least squares."""
    fitted = np.empty_like(truth)
    for number, (value, true, weight) in enumerate(zip(values, truth, weights, strict=True)):
        scale, shift = np.polyfit(value.ravel(), true.ravel(), 1, w=weight.ravel())
        fitted[number] = scale * value + shift
    return fitted


def abs_rel(found: Floats, truth_m: Floats) -> float:
    return float(np.mean(np.abs(found - truth_m) / truth_m))


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./run bench train_monocular", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "rooms.onnx", help="ONNX file")
    parser.add_argument("--judge", type=Path, metavar="FILE", help="only judge this ONNX file")
    parser.add_argument("--rooms", type=int, default=400, help="how many are trained on")
    parser.add_argument("--pictures", type=int, default=12, help="of each room")
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--batch", type=int, default=8, help="pictures of one step")
    parser.add_argument("--rate", type=float, default=3e-3, help="highest learning rate")
    parser.add_argument("--edges", type=float, default=0.5, help="weight of edges in the loss")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Train and judge; return the exit code."""
    asked = parse(arguments)
    if asked.judge is None and importlib.util.find_spec("torch") is None:
        print(
            f"torch is not installed, which training needs; type in {ROOT}: {GET_TORCH}",
            file=sys.stderr,
        )
        return 1
    judged = photograph(JUDGED, JUDGED_PER_ROOM, wild=False)
    if asked.judge is None:
        rooms = range(FIRST_TRAINED, FIRST_TRAINED + asked.rooms)
        pictures = photograph(rooms, asked.pictures, wild=True)
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        train(asked, pictures, asked.out)
        truth_m = judged.metres.astype(np.float32)
        mean_m = np.exp(np.log(pictures.metres.astype(np.float32)).mean(axis=0))
        show("mean picture", np.repeat(mean_m[None], len(truth_m), axis=0), truth_m)
    judge(asked.judge or asked.out, judged)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
