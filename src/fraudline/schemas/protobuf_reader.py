"""Protobuf messages to plain values, by descriptors that are made of a schema once."""

from __future__ import annotations

import base64
import binascii
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, unknown_fields
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message

from fraudline.schemas.avro_values import MOST_VALUES, PRIMITIVES
from fraudline.schemas.plain_values import (
    MOST_SCHEMA_CHARACTERS,
    MalformedError,
    UnusableSchemaError,
    as_bytes,
    as_number,
    as_time,
)

_Convert = Callable[[Any], Any]
_MAIN = "fraudline_main.proto"
_COMPILE_TIMEOUT_S = 30
_KNOWN = re.compile(r"google/(protobuf|type)/[a-z_]+\.proto")
_WRAPPERS = frozenset(
    f"google.protobuf.{kind}Value"
    for kind in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
)
_number = PRIMITIVES["long"]  # as Avro writes it: zigzag, in groups of seven bits


def protobuf_reader(schema: str, references: Mapping[str, str]) -> Callable[[bytes, int], Any]:
    """What reads messages of a schema, each from a place to the end of its bytes.

    Args:
        schema: A .proto file as text, or its descriptor in base64, as some registries keep it.
        references: The files that it imports, by their names, each behind those that it imports.

    Raises:
        UnusableSchemaError: it is none, or imports what is not there.
    """
    texts = {**references, _MAIN: schema}
    if sum(map(len, texts.values())) > MOST_SCHEMA_CHARACTERS:
        raise UnusableSchemaError(f"it has more than {MOST_SCHEMA_CHARACTERS:,} characters")
    files = _described(texts) or _compiled(texts)
    pool = descriptor_pool.DescriptorPool()
    try:
        for file in files:
            pool.Add(file)
        types = [pool.FindFileByName(files[-1].name).message_types_by_name]
    except (TypeError, KeyError) as error:
        raise UnusableSchemaError(f"it is no Protobuf schema: {str(error)[:200]}") from None
    top = [types[0][each.name] for each in files[-1].message_type]
    plain = _PlainMessages()

    def read(message: bytes, start: int) -> Any:
        descriptor, at = _type_at(top, message, start)
        kind = message_factory.GetMessageClass(descriptor)
        try:
            found = kind.FromString(message[at:])
        except DecodeError:
            raise MalformedError(f"it is no '{descriptor.full_name}'") from None
        plain.left = MOST_VALUES
        return plain.values(found)

    return read


def _type_at(top: list[Descriptor], message: bytes, at: int) -> tuple[Descriptor, int]:
    """The type that a message says it is of, by its places in the file, and where it begins."""
    siblings, descriptor = top, top[0] if top else None
    try:
        depth, at = _number(message, at)
        for _ in range(depth):
            place, at = _number(message, at)
            descriptor = siblings[place] if 0 <= place < len(siblings) else None
            siblings = list(descriptor.nested_types) if descriptor is not None else []
    except IndexError:
        raise MalformedError("it ends before it says which type of its schema it is of") from None
    if descriptor is None or depth < 0:
        raise MalformedError("its schema has no type at the place that it names")
    return descriptor, at


class _PlainMessages:
    """Makes dictionaries of messages; what a type needs for that is worked out once.

    Attributes:
        left: How many values there may still be; a type may have many fields that take no byte.
    """

    def __init__(self) -> None:
        self.left = 0
        self._fields: dict[str, list[tuple[str, bool, _Convert | None]]] = {}

    def values(self, message: Message) -> dict[str, Any]:
        """Its fields by name; one that may be absent, and is, is None."""
        descriptor = message.DESCRIPTOR
        fields = self._fields.get(descriptor.full_name)
        if fields is None:
            fields = [(each.name, each.has_presence, self._of(each)) for each in descriptor.fields]
            self._fields[descriptor.full_name] = fields
        self._count(len(fields) + 1)
        for unknown in unknown_fields.UnknownFieldSet(message):
            raise MalformedError(
                f"'{descriptor.full_name}' has a field {unknown.field_number}, which its schema "
                "lacks"
            )
        found: dict[str, Any] = {}
        for name, may_lack, convert in fields:
            if may_lack and not message.HasField(name):
                found[name] = None
                continue
            value = getattr(message, name)
            found[name] = value if convert is None else convert(value)
        return found

    def _count(self, values: int) -> None:
        self.left -= values
        if self.left < 0:
            raise MalformedError(f"it has more than {MOST_VALUES:,} values")

    def _of(self, field: FieldDescriptor) -> _Convert | None:
        """What makes a plain value of a field's; None: it is one."""
        kind = field.message_type
        if kind is not None and kind.GetOptions().map_entry:
            convert = self._single(kind.fields_by_name["value"])
            return lambda values: self._map(values, convert)
        convert = self._single(field)
        if field.is_repeated:
            return lambda values: self._list(values, convert)
        return convert

    def _list(self, values: Any, convert: _Convert | None) -> list[Any]:
        self._count(len(values))
        return list(values) if convert is None else [convert(each) for each in values]

    def _map(self, values: Any, convert: _Convert | None) -> dict[str, Any]:
        self._count(len(values))
        pairs = values.items()
        return {str(key): each if convert is None else convert(each) for key, each in pairs}

    def _single(self, field: FieldDescriptor) -> _Convert | None:
        if field.message_type is not None:
            return self._of_message(field.message_type)
        if field.enum_type is not None:
            names = {each.number: each.name for each in field.enum_type.values}
            return lambda number: names.get(number, number)
        if field.type == FieldDescriptor.TYPE_BYTES:
            return as_bytes
        is_float = field.cpp_type in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT)
        return as_number if is_float else None

    def _of_message(self, kind: Descriptor) -> _Convert:
        if kind.full_name == "google.protobuf.Timestamp":
            return lambda time: as_time(time.seconds * 1_000_000_000 + time.nanos, 1_000_000_000)
        if kind.full_name in _WRAPPERS:
            inner = self._single(kind.fields_by_name["value"])
            return lambda held: held.value if inner is None else inner(held.value)
        return self.values


def _described(texts: Mapping[str, str]) -> list[descriptor_pb2.FileDescriptorProto] | None:
    """Files that are descriptors in base64 already, each behind those that it imports."""
    files: dict[str, descriptor_pb2.FileDescriptorProto] = {}
    for name, text in texts.items():
        try:
            file = descriptor_pb2.FileDescriptorProto.FromString(
                base64.b64decode(text, validate=True)
            )
        except (binascii.Error, ValueError, DecodeError):
            return None
        if name != _MAIN:
            file.name = name  # as others import it
        for imported in file.dependency:
            _add_known(imported, files)
        files.pop(file.name, None)
        files[file.name] = file
    return list(files.values())


def _add_known(name: str, files: dict[str, descriptor_pb2.FileDescriptorProto]) -> None:
    """Add a file that everybody has, such as that of time stamps."""
    if name in files:
        return
    module = None
    with suppress(ImportError):
        if _KNOWN.fullmatch(name):
            module = import_module(name.removesuffix(".proto").replace("/", ".") + "_pb2")
    if module is None:
        raise UnusableSchemaError(f"it imports '{name[:200]}', which is not there")
    file = descriptor_pb2.FileDescriptorProto()
    module.DESCRIPTOR.CopyToProto(file)
    for imported in file.dependency:
        _add_known(imported, files)
    files[name] = file


def _compiled(texts: Mapping[str, str]) -> list[descriptor_pb2.FileDescriptorProto]:
    """Compile files, in a process of its own."""
    with tempfile.TemporaryDirectory() as place:
        for name, text in texts.items():
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts:
                raise UnusableSchemaError(f"it imports '{name[:200]}', which is no name of a file")
            file = Path(place, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        out = Path(place, "descriptors")
        compiler = [sys.executable, "-m", "grpc_tools.protoc", "-I.", "--include_imports"]
        try:
            done = subprocess.run(  # noqa: S603 - the command is ours, no shell reads it
                [*compiler, f"--descriptor_set_out={out}", _MAIN],
                check=False,
                cwd=place,
                capture_output=True,
                text=True,
                timeout=_COMPILE_TIMEOUT_S,
            )
        except subprocess.TimeoutExpired:
            raise UnusableSchemaError("it could not be compiled in time") from None
        if done.returncode:
            said = done.stderr.strip().splitlines()[-1:] or ["no reason is given"]
            raise UnusableSchemaError(f"it is no Protobuf schema: {said[0][:200]}")
        files = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    return list(files.file)
