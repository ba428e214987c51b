"""What an ONNX file says of its inputs and outputs, read without running or trusting it."""

from collections.abc import Iterator
from dataclasses import dataclass

from sensorfusion.errors import ModelError

_FLOAT32 = 1
_KINDS = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 10: "float16", 11: "float64"}
_VARINT, _EIGHT_BYTES, _SEQUENCE, _FOUR_BYTES = 0, 1, 2, 5
_EXTERNAL = 1
# A deeper varint is damage: 64 bits take ten bytes.
_LONGEST_VARINT = 10

Fields = Iterator[tuple[int, int | memoryview]]


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output of a model.

    Attributes
    ----------
    name : str
    shape : tuple of int, or None
        0 where a size is not fixed; None where the file says nothing.
    """

    name: str
    shape: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class OnnxHeader:
    """What goes into a model and what comes out, in the file's order."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def read_onnx_header(data: bytes, where: str) -> OnnxHeader:
    """Return the inputs and outputs of a model.

    Parameters
    ----------
    data : bytes
        The whole file.
    where : str
        Its name, for errors.

    Raises
    ------
    ModelError
        If it is no ONNX model, is cut off, keeps its weights in another file, or takes anything
        but float32.

    References
    ----------
    The ONNX project, onnx.proto3; Protocol Buffers, "Encoding".
    """
    try:
        return _header(_sequence(dict(_fields(memoryview(data))).get(7)), where)
    except _DamageError as error:
        msg = (
            f"{where}: is no whole ONNX model ({len(data)} bytes); expected the file that an "
            "export to ONNX wrote, copied to its end"
        )
        raise ModelError(msg) from error


class _DamageError(Exception):
    """The bytes are not fields of a protocol buffer."""


def _header(graph: memoryview, where: str) -> OnnxHeader:
    inputs, outputs, constants = [], [], set()
    for number, value in _fields(graph):
        if number == 5:
            tensor = dict(_fields(_sequence(value)))
            if tensor.get(14) == _EXTERNAL:
                msg = f"{where}: keeps its weights in another file; save the model as one file"
                raise ModelError(msg)
            constants.add(_text(tensor.get(8)))
        elif number == 11:
            inputs.append(_tensor(_sequence(value), where))
        elif number == 12:
            outputs.append(_tensor(_sequence(value), where))
    # Older files list the weights among the inputs.
    taken = tuple(tensor for tensor in inputs if tensor.name not in constants)
    if not taken or not outputs:
        raise _DamageError
    return OnnxHeader(taken, tuple(outputs))


def _tensor(value: memoryview, where: str) -> Tensor:
    fields = dict(_fields(value))
    name = _text(fields.get(1))
    tensor = dict(_fields(_sequence(dict(_fields(_sequence(fields.get(2, b"")))).get(1, b""))))
    kind = tensor.get(1, _FLOAT32)
    if kind != _FLOAT32:
        told = _KINDS.get(kind, f"type {kind}") if isinstance(kind, int) else "nothing known"
        msg = f"{where}: {name!r} is {told}; expected float32: export the model in full precision"
        raise ModelError(msg)
    if 2 not in tensor:
        return Tensor(name, None)
    sizes = [dict(_fields(_sequence(each))).get(1, 0) for _, each in _fields(_sequence(tensor[2]))]
    return Tensor(name, tuple(size if isinstance(size, int) else 0 for size in sizes))


def _fields(data: memoryview) -> Fields:
    """Yield number and value of each field; of a fixed-size one, its bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == _SEQUENCE:
            size, at = _varint(data, at)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            size = 8 if kind == _EIGHT_BYTES else 4
        else:
            raise _DamageError
        if at + size > len(data):
            raise _DamageError
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for place, octet in enumerate(data[at : at + _LONGEST_VARINT]):
        value |= (octet & 127) << 7 * place
        if octet < 128:
            return value, at + place + 1
    raise _DamageError


def _sequence(value: int | memoryview | bytes | None) -> memoryview:
    if value is None or isinstance(value, int):
        raise _DamageError
    return memoryview(value)


def _text(value: int | memoryview | None) -> str:
    return bytes(_sequence(b"" if value is None else value)).decode("utf-8", "replace")
