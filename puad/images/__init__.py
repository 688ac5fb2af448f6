# SPDX-License-Identifier: Apache-2.0
"""Image formats: how the bytes of a published file become the bytes of an image.

A format is one module here with one subclass of `ImageFormat`; nothing else needs an edit. The
format of an image is a word of its signed manifest and is looked up among the known ones, never
handed to the import machinery.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from puad.core.errors import Code, ImageError
from puad.images.format import REGISTRY, FramedFormat, ImageFormat

__all__ = ["FramedFormat", "ImageFormat", "get", "known"]


@cache
def _load() -> None:
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")


def known() -> tuple[str, ...]:
    """The names of all formats, sorted."""
    _load()
    return tuple(sorted(REGISTRY))


def get(name: str) -> ImageFormat:
    """The format of that name.

    Raises:
        ImageError: `FORMAT_UNKNOWN`.
    """
    _load()
    try:
        return REGISTRY[name]()
    except KeyError:
        raise ImageError(
            Code.FORMAT_UNKNOWN, f"The image has a format that is not one of {', '.join(known())}"
        ) from None
