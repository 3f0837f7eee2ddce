"""The file of a backup: blocks compressed by zstd, each with a checksum, or encrypted with a passphrase.

First a line of JSON that says what it is. Then blocks: the length in 4 bytes, 16 bytes of BLAKE2b or nothing (an
encrypted block has its own tag), the block. A block of length 0 ends the file, and says how many there were; so a file
that was cut off is known for one. A passphrase is made a key by scrypt, and blocks are encrypted by AES-256-GCM under
their number, so that none can be left out, doubled or moved.
"""

import os
import secrets
import struct
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAGIC = "switchboard ledger"
VERSION = 1
LEVEL = 3  # zstd's own default
DIGEST = 16
LONGEST = 256 * 1024 * 1024  # bytes of a block; one holds 1 MB, or one key that is larger
MAX_HEADER = 64 * 1024
SCRYPT = {"n": 2**15, "r": 8, "p": 1}  # 32 MB and 0.1 s for each guess
_LENGTH = struct.Struct(">I")


class BadArchiveError(Exception):
    """Raised when a file is no backup, is damaged, was cut off, or the passphrase is not its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a backup says of itself before anything else; never encrypted."""

    format: int
    """Of the ledger."""
    epoch: str
    taken_ms: int
    version: str
    """Of the code that wrote it."""
    encrypted: bool = False


class _Seal(Protocol):
    def close(self, block: bytes, number: int) -> bytes: ...

    def open(self, sealed: bytes, number: int) -> bytes: ...


class _Checksum:
    """Shows damage, not forgery."""

    def close(self, block: bytes, number: int) -> bytes:
        return _digest(block, number) + block

    def open(self, sealed: bytes, number: int) -> bytes:
        block = sealed[DIGEST:]
        if _digest(block, number) != sealed[:DIGEST]:
            raise BadArchiveError(f"block {number} is damaged")
        return block


class _Encryption:
    def __init__(self, passphrase: bytes, salt: bytes) -> None:
        self._cipher = AESGCM(Scrypt(salt=salt, length=32, **SCRYPT).derive(passphrase))

    def close(self, block: bytes, number: int) -> bytes:
        return self._cipher.encrypt(_nonce(number), block, None)

    def open(self, sealed: bytes, number: int) -> bytes:
        try:
            return self._cipher.decrypt(_nonce(number), sealed, None)
        except InvalidTag:
            raise BadArchiveError(
                "the passphrase is not that of the file" if number == 0 else f"block {number} is damaged"
            ) from None


def _digest(block: bytes, number: int) -> bytes:
    return blake2b(block, digest_size=DIGEST, salt=number.to_bytes(16, "big")).digest()


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")  # the key is of this file alone, by its salt


class ArchiveWriter(AbstractContextManager["ArchiveWriter"]):
    """Writes beside the file, which takes its name when all of it is on the disk; readable by its owner alone."""

    def __init__(self, path: Path, header: Header, *, passphrase: bytes | None) -> None:
        self._path = path
        self._beside = path.with_name(f".{path.name}.{os.getpid()}.part")
        salt = secrets.token_bytes(16)
        self._seal: _Seal = _Checksum() if passphrase is None else _Encryption(passphrase, salt)
        self._number = 0
        self.size = 0
        handle = os.open(self._beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        self._file = os.fdopen(handle, "wb")
        values: dict[str, Any] = {
            "is": MAGIC, "file": VERSION, "format": header.format, "epoch": header.epoch, "taken_ms": header.taken_ms,
            "version": header.version, **({} if passphrase is None else {"salt": salt.hex(), "scrypt": SCRYPT}),
        }  # fmt: skip
        self._line = orjson.dumps(values) + b"\n"
        self._file.write(self._line)
        self.add(blake2b(self._line, digest_size=DIGEST).digest())  # the line is covered by the first block

    def add(self, block: bytes) -> None:
        """Append a block; raises ``OSError``."""
        sealed = self._seal.close(zstd.compress(block, level=LEVEL), self._number)
        self._file.write(_LENGTH.pack(len(sealed)))
        self._file.write(sealed)
        self._number += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._file.close()
            self._beside.unlink(missing_ok=True)

    def _finish(self) -> None:
        sealed = self._seal.close(orjson.dumps({"blocks": self._number}), self._number)
        self._file.write(_LENGTH.pack(0) + _LENGTH.pack(len(sealed)) + sealed)
        self._file.flush()
        os.fsync(self._file.fileno())
        self.size = self._file.tell()
        self._beside.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@dataclass(slots=True)
class ArchiveReader:
    """Reads a backup; the header at once, the blocks one by one."""

    file: BinaryIO
    passphrase: bytes | None = field(default=None, repr=False)
    header: Header = field(init=False)
    _line: bytes = field(init=False, repr=False)
    _seal: _Seal = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Read the header; raises ``BadArchiveError``."""
        self._line = self.file.readline(MAX_HEADER)
        try:
            values = orjson.loads(self._line)
            if values["is"] != MAGIC:
                raise BadArchiveError("it is no backup of a ledger")
            version = values["file"]
            salt = bytes.fromhex(values["salt"]) if "salt" in values else None
            self.header = Header(
                format=values["format"], epoch=values["epoch"], taken_ms=values["taken_ms"], version=values["version"],
                encrypted=salt is not None,
            )  # fmt: skip
        except (ValueError, KeyError, TypeError):
            raise BadArchiveError("it is no backup of a ledger") from None
        if version != VERSION:
            raise BadArchiveError(f"its form is {version}, and this version reads {VERSION}")
        if salt is None:
            self._seal = _Checksum()
        elif self.passphrase is None:
            raise BadArchiveError("it is encrypted: give its --passphrase-file")
        elif values.get("scrypt") != SCRYPT:
            raise BadArchiveError("it was encrypted in a way that this version does not know")
        else:
            self._seal = _Encryption(self.passphrase, salt)

    def blocks(self) -> Iterator[bytes]:
        """Return the blocks, each checked; raises ``BadArchiveError``, at the latest where the file was cut off."""
        for number, sealed in enumerate(self._sealed()):
            decompressor = zstd.ZstdDecompressor()
            try:
                block = decompressor.decompress(self._seal.open(sealed, number), max_length=LONGEST)
            except zstd.ZstdError:
                raise BadArchiveError(f"block {number} is damaged") from None
            if not decompressor.eof:
                raise BadArchiveError(f"block {number} is damaged")
            if number == 0:
                if block != blake2b(self._line, digest_size=DIGEST).digest():
                    raise BadArchiveError("its first line was changed")
                continue
            yield block

    def _sealed(self) -> Iterator[bytes]:
        number = 0
        while length := self._length():
            yield self._exactly(length)
            number += 1
        end = self._seal.open(self._exactly(self._length()), number)
        if orjson.loads(end) != {"blocks": number} or self.file.read(1):
            raise BadArchiveError("it does not end where it should")

    def _length(self) -> int:
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        if length > LONGEST:
            raise BadArchiveError("it is damaged")
        return int(length)

    def _exactly(self, count: int) -> bytes:
        found = self.file.read(count)
        if len(found) != count:
            raise BadArchiveError("it was cut off")
        return found
