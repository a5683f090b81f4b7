"""What a file holds, whatever it is called: its bytes, expanded, and how they are written.

A file is told by its content: what is gzip is expanded, up to a limit, and what is none of the
kinds that we read is refused by what it is, with the way to make one of them.
"""

from __future__ import annotations

import gzip
import mmap
import shlex
import zlib
from pathlib import Path

from fraudline.errors import InputError

# A gzip of a megabyte may expand to a gigabyte, which has to fit into memory.
MAX_EXPANDED_BYTES = 2 * 1024**3
_PIECE_BYTES = 1024 * 1024
_GZIP = b"\x1f\x8b"
_UTF8_MARK = b"\xef\xbb\xbf"
_OTHER_KINDS = (
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook", "Unpack it, or save it as CSV (UTF-8)."),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook", "Save it as CSV (UTF-8)."),
    (b"BZh", "compressed by bzip2", "Expand it with `bunzip2`."),
    (b"\xfd7zXZ\x00", "compressed by xz", "Expand it with `unxz`."),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "Expand it with `unzstd`."),
    (b"ARROW1", "an Arrow file", "Write it as Parquet."),
)
_ENCODINGS = (  # UTF-32 first: its mark begins with that of UTF-16
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


def kind_of(path: Path, kinds: tuple[str, ...]) -> str:
    """Which of the kinds a file is by its name, in any case, with or without `.gz` behind it.

    Raises:
        InputError: there is no such file, or its name tells none of them.
    """
    if not path.is_file():
        raise InputError(f"there is no file {path}.")
    name = path.name.lower().removesuffix(".gz")
    for kind in kinds:
        if name.endswith(f".{kind}"):
            return kind
    with path.open("rb") as file:
        _refuse_other_kinds(path, file.read(8))
    raise InputError(
        f"{path}: expected a name that ends in {' or '.join(f'.{kind}' for kind in kinds)} "
        f"(or with .gz behind it), found '{path.suffix}'."
    )


def read_content(path: Path) -> memoryview:
    """The bytes of a file, expanded if they are gzip.

    Raises:
        InputError: the file cannot be read, is damaged, expands to too much, or is of another
            kind than any that we read.
    """
    try:
        with path.open("rb") as file:
            begin = file.read(8)
            _refuse_other_kinds(path, begin)
            if begin.startswith(_GZIP):
                return _expanded(path)
            if not begin:
                return memoryview(b"")
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}."
        ) from None


def read_text(path: Path) -> memoryview:
    """The bytes of a file of text in UTF-8, without a mark at their begin.

    Whether each byte is UTF-8 is not looked at: a row that is not is the fault of that row.

    Raises:
        InputError: as `read_content` does, or it is text in another encoding.
    """
    content = read_content(path)
    begin = bytes(content[:4096])
    if begin.startswith(b"PAR1"):
        raise InputError(f"{path} is a Parquet file. Give it a name that ends in .parquet.")
    encoding = next((name for mark, name in _ENCODINGS if begin.startswith(mark)), None)
    if encoding is None and 4 * begin.count(b"\0") > len(begin):
        encoding = "UTF-16LE" if begin[1::2].count(0) > begin[0::2].count(0) else "UTF-16BE"
    if encoding is not None:
        raise InputError(
            f"{path} is {encoding}, expected UTF-8. Convert it: "
            f"`{conversion(f'iconv -f {encoding} -t UTF-8', path, 'utf8-')}`."
        )
    return content[len(_UTF8_MARK) :] if begin.startswith(_UTF8_MARK) else content


def conversion(command: str, path: Path, prefix: str) -> str:
    """The line for a shell that makes another file beside one; of a packed one, an unpacked one.

    Args:
        command: Reads the text on its standard input and writes another.
        path: The file.
        prefix: Before the name of the new one.
    """
    with path.open("rb") as file:
        is_packed = file.read(len(_GZIP)) == _GZIP
    name = path.name[: -len(".gz")] if path.name.lower().endswith(".gz") else path.name
    old, new = (shlex.quote(str(one)) for one in (path, path.with_name(f"{prefix}{name}")))
    return f"gunzip -c < {old} | {command} > {new}" if is_packed else f"{command} < {old} > {new}"


def read_lines(path: Path) -> list[bytes]:
    """The lines of a file, whatever it is called, without line ends, each as it is.

    Raises:
        InputError: as `read_text` does.
    """
    return bytes(read_text(path)).splitlines()


def _refuse_other_kinds(path: Path, begin: bytes) -> None:
    for mark, what, way_out in _OTHER_KINDS:
        if begin.startswith(mark):
            raise InputError(f"{path} is {what}, which is not read here. {way_out}")


def _expanded(path: Path) -> memoryview:
    content = bytearray()
    with gzip.open(path) as file:
        while piece := file.read(_PIECE_BYTES):
            content += piece
            if len(content) > MAX_EXPANDED_BYTES:
                raise InputError(
                    f"{path} expands to more than {MAX_EXPANDED_BYTES:,} bytes, the most that is "
                    "expanded in memory. Expand it with `gunzip`, and give the file that this "
                    "makes."
                )
    return memoryview(content)
