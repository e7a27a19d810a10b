"""How do 40,000 manifests fit into memory? As compressed JSON, each against the first one of its kind.

Objects that one template made differ little, so the first as a dictionary leaves some hundred bytes of each; as dicts
they take 13,000.
"""

import zlib
from typing import Any, cast

import orjson

Manifest = dict[str, Any]
LEVEL = 1
WINDOW = 32 * 1024
"""Bytes of a dictionary that zlib can look back on."""


class Packed:
    """A manifest, small."""

    __slots__ = ("_bytes", "_dictionary")

    def __init__(self, manifest: Manifest, dictionary: bytes) -> None:
        """`dictionary` is kept by all that share it."""
        press = zlib.compressobj(LEVEL, zdict=dictionary) if dictionary else zlib.compressobj(LEVEL)
        self._bytes = press.compress(orjson.dumps(manifest)) + press.flush()
        self._dictionary = dictionary

    @property
    def manifest(self) -> Manifest:
        """A fresh copy; the caller may change it."""
        opened = zlib.decompressobj(zdict=self._dictionary) if self._dictionary else zlib.decompressobj()
        return cast("Manifest", orjson.loads(opened.decompress(self._bytes) + opened.flush()))

    @property
    def size(self) -> int:
        """Bytes that it takes, without the dictionary."""
        return len(self._bytes)


class Packing:
    """Packs the manifests of one kind; the first is the dictionary of the others."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        self._dictionary = b""

    def __call__(self, manifest: Manifest) -> Packed:
        """Return it packed."""
        if not self._dictionary:
            self._dictionary = orjson.dumps(manifest)[-WINDOW:]
        return Packed(manifest, self._dictionary)
