"""Tiny ONNX models for tests, written byte by byte: there is no onnx package here.

A tensor is named, a node turns tensors into one more, and an input or output is a name with its
shape, where a word stands for a size that is not fixed. Protocol buffers as
developers.google.com/protocol-buffers describes them, the messages as onnx.proto3 does.
"""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

_FLOAT, _INT64 = 1, 7

Shape = Sequence[int | str]


def node(kind: str, inputs: Sequence[str], output: str, **attributes) -> bytes:
    """Return a node; attributes are whole numbers, lists of them, numbers or texts."""
    texts = [_text(1, name) for name in inputs] + [_text(2, output), _text(4, kind)]
    told = [_field(5, _attribute(name, value)) for name, value in attributes.items()]
    return b"".join(texts + told)


def write_model(
    path: Path,
    nodes: Sequence[bytes],
    inputs: Mapping[str, Shape],
    outputs: Mapping[str, Shape],
    constants: Mapping[str, np.ndarray] | None = None,
) -> Path:
    """Write a model of these nodes, in the order in which they are to be run."""
    graph = b"".join(_field(1, each) for each in nodes) + _text(2, "graph")
    for name, values in (constants or {}).items():
        graph += _field(5, _tensor(name, np.asarray(values)))
    for number, values in ((11, inputs), (12, outputs)):
        graph += b"".join(_field(number, _value(*item)) for item in values.items())
    model = _whole(1, 8) + _text(2, "tests") + _field(7, graph)
    path.write_bytes(model + _field(8, _text(1, "") + _whole(2, 13)))
    return path


def write_luminance(
    path: Path, size: tuple[int, int] | None = None, gain: float = 1.0, shift: float = 0.0
) -> Path:
    """Write a model that says ``gain * (mean of the three channels) + shift`` at each pixel.

    ``size`` is (H, W), or None for a model that takes any.
    """
    height, width = size or ("height", "width")
    weights = np.full((1, 3, 1, 1), gain / 3, np.float32)
    return write_model(
        path,
        [node("Conv", ["picture", "weights", "bias"], "depth", kernel_shape=[1, 1])],
        {"picture": (1, 3, height, width)},
        {"depth": (1, 1, height, width)},
        {"weights": weights, "bias": np.array([shift], np.float32)},
    )


def _varint(value: int) -> bytes:
    value &= 2**64 - 1
    octets = bytearray()
    while value > 127:
        octets.append(value & 127 | 128)
        value >>= 7
    return bytes([*octets, value])


def _whole(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _text(number: int, text: str) -> bytes:
    return _field(number, text.encode())


def _attribute(name: str, value) -> bytes:
    if isinstance(value, str):
        return _text(1, name) + _text(4, value) + _whole(20, 3)
    if isinstance(value, float):
        return _text(1, name) + _varint(2 << 3 | 5) + struct.pack("<f", value) + _whole(20, 1)
    if isinstance(value, int):
        return _text(1, name) + _whole(3, value) + _whole(20, 2)
    return _text(1, name) + b"".join(_whole(8, each) for each in value) + _whole(20, 7)


def _tensor(name: str, values: np.ndarray) -> bytes:
    kind = _INT64 if values.dtype == np.int64 else _FLOAT
    content = values.astype("<i8" if kind == _INT64 else "<f4").tobytes()
    sizes = b"".join(_whole(1, size) for size in values.shape)
    return sizes + _whole(2, kind) + _text(8, name) + _field(9, content)


def _value(name: str, shape: Shape) -> bytes:
    sizes = [_text(2, size) if isinstance(size, str) else _whole(1, size) for size in shape]
    tensor = _whole(1, _FLOAT) + _field(2, b"".join(_field(1, each) for each in sizes))
    return _text(1, name) + _field(2, _field(1, tensor))
