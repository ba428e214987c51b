"""The small network that ``./run bench train_monocular`` trains, its loss, and its way to ONNX.

A U-Net of depthwise separable convolutions (Sandler et al., "MobileNetV2", CVPR 2018; Ronneberger
et al., "U-Net", MICCAI 2015) whose finest features lie four pixels apart: the last layer puts out
the 16 pixels of each such cell (Shi et al., "Real-time single image and video super-resolution",
CVPR 2016), which costs a third of computing at every pixel. It sees the whole picture at once in
its coarsest features, which know their place in it.
"""

import warnings
from pathlib import Path

import torch
from monocular_rooms import HEIGHT, MEAN, WIDTH
from torch import Tensor, nn
from torch.nn import functional

_WIDTHS = (24, 40, 56, 72)
_DEPTHS = (2, 3, 3)
_BACK = (48, 40, 32)
_CELL_PX = 4
_COARSEST = (HEIGHT // 32, WIDTH // 32)
_USUAL_LOG_M = 0.45
_SCALES = 4


class DepthNet(nn.Module):
    """Log of depth in metres from a picture.

    Called with float32 (N, 3, 128, 224), red, green and blue less ``MEAN``; returns float32
    (N, 1, 128, 224).
    """

    def __init__(self) -> None:
        super().__init__()
        first = nn.Conv2d(3, _WIDTHS[0], 2 * _CELL_PX, _CELL_PX, _CELL_PX // 2, bias=False)
        self.cells = nn.Sequential(first, nn.BatchNorm2d(_WIDTHS[0]), nn.ReLU())
        self.down = nn.ModuleList(
            nn.Sequential(
                _Inverted(_WIDTHS[level], wide, stride=2),
                *(_Inverted(wide, wide) for _ in range(_DEPTHS[level] - 1)),
            )
            for level, wide in enumerate(_WIDTHS[1:])
        )
        last = _WIDTHS[-1]
        self.place = nn.Parameter(torch.zeros(1, last, *_COARSEST))
        self.whole = nn.Sequential(nn.Conv2d(last, last, 1), nn.ReLU(), nn.Conv2d(last, last, 1))
        self.up = nn.ModuleList()
        for level, wide in enumerate(_BACK):
            beside = _WIDTHS[-2 - level]
            # Dense where cells are finest, for edges; separable below, for size.
            join = _dense if level == len(_BACK) - 1 else _separable
            mixed = nn.Sequential(join(wide + beside, wide), join(wide, wide))
            self.up.append(nn.ModuleList([_layer(last, wide, 1), mixed]))
            last = wide
        self.out = nn.Conv2d(last, _CELL_PX**2, 3, padding=1)
        nn.init.constant_(self.out.bias, _USUAL_LOG_M)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return log of metres, float32 (N, 1, H, W)."""
        seen = [self.cells(pictures)]
        for down in self.down:
            seen.append(down(seen[-1]))
        found = seen.pop() + self.place
        whole = self.whole(found.mean((2, 3), keepdim=True))
        # Spread out by hand: OpenCV adds only what has the same size.
        found = found + functional.interpolate(whole, size=_COARSEST)
        for narrow, mixed in self.up:
            found = functional.interpolate(narrow(found), scale_factor=2.0)
            found = mixed(torch.cat([found, seen.pop()], 1))
        return functional.pixel_shuffle(self.out(found), _CELL_PX)


class _Inverted(nn.Module):
    """MobileNetV2's block: three times as wide inside; what it finds is added to what it saw."""

    def __init__(self, inside: int, out: int, stride: int = 1) -> None:
        super().__init__()
        wide = 3 * inside
        self.adds = inside == out and stride == 1
        self.layers = nn.Sequential(
            _layer(inside, wide, 1),
            _layer(wide, wide, 3, stride=stride, groups=wide),
            nn.Conv2d(wide, out, 1, bias=False),
            nn.BatchNorm2d(out),
        )

    def forward(self, seen: Tensor) -> Tensor:
        found = self.layers(seen)
        return seen + found if self.adds else found


def _layer(inside: int, out: int, kernel: int, *, stride: int = 1, groups: int = 1) -> nn.Module:
    convolution = nn.Conv2d(inside, out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out), nn.ReLU())


def _dense(inside: int, out: int) -> nn.Module:
    return _layer(inside, out, 3)


def _separable(inside: int, out: int) -> nn.Module:
    apart = nn.Conv2d(inside, inside, 3, padding=1, groups=inside, bias=False)
    return nn.Sequential(apart, nn.BatchNorm2d(inside), _layer(inside, out, 1))


def loss(found: Tensor, log_m: Tensor, edges: float) -> Tensor:
    """Return how far log depths (N, 1, H, W) are from the true ones.

    Half of it is the error, half the error but for one scale for each picture (Eigen et al., "Depth
    map prediction from a single image", NIPS 2014); ``edges`` weighs the errors of differences
    between neighbours at four resolutions (Li and Snavely, "MegaDepth", CVPR 2018).
    """
    off = found - log_m
    relative = off - off.mean((1, 2, 3), keepdim=True)
    total = 0.5 * off.abs().mean() + 0.5 * relative.abs().mean()
    for _ in range(_SCALES):
        across, down = off[..., 1:] - off[..., :-1], off[:, :, 1:] - off[:, :, :-1]
        total = total + edges * (across.abs().mean() + down.abs().mean())
        off = functional.avg_pool2d(off, 2)
    return total


def exposed(colors: Tensor) -> Tensor:
    """Return pictures uint8 (N, 3, H, W) as other exposures and cameras show them, less MEAN."""
    count = len(colors)

    def each(channels: int, most: float) -> Tensor:
        return torch.exp(torch.empty(count, channels, 1, 1).uniform_(-most, most))

    pictures = (colors.float() / 255).clamp(1e-3) ** each(1, 0.2) * each(1, 0.35) * each(3, 0.08)
    return (pictures.clamp(0, 1) + 0.01 * torch.randn_like(pictures)) - MEAN


def write_onnx(net: DepthNet, file: Path) -> None:
    """Write a trained network as ONNX; float32, one picture, 224x128."""
    with warnings.catch_warnings():
        # The exporter that needs no further package calls itself old.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            net.eval(),
            (torch.zeros(1, 3, HEIGHT, WIDTH),),
            str(file),
            input_names=["picture"],
            output_names=["log_depth"],
            opset_version=17,
            dynamo=False,
        )
