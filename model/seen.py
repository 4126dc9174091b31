"""Which sequences a model was trained on, by digests in its card: figures on these tell what it knows, no more."""

import base64
import hashlib
from binascii import Error as Base64Error
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["describe_sequences", "is_seen"]

_KIND = "<u4"
"""Of a digest: the first four bytes of a sha256. Of 10,000 sequences one in 400,000 others has a digest by chance."""


def describe_sequences(sequences: Iterable[str]) -> str:
    """What a card tells of training sequences: their digests, sorted, four bytes each, in base64."""
    digests = np.unique(_digests(list(sequences)))
    return base64.b64encode(digests.tobytes()).decode()


def is_seen(card: Mapping[str, Any], sequences: Sequence[str]) -> np.ndarray | None:
    """Which sequences a model was trained on, by its card; bool, shape (n,). None if that is silent.

    The card has digests of them under ``data.sequences``. Letters count as RNA, upper or lower case.
    """
    data = card.get("data")
    told = data.get("sequences") if isinstance(data, Mapping) else None
    if not isinstance(told, str):
        return None
    try:
        content = base64.b64decode(told, validate=True)
    except (Base64Error, ValueError):
        return None
    known = np.frombuffer(content[: len(content) // 4 * 4], _KIND)
    return np.isin(_digests(sequences), known)


def _digests(sequences: Sequence[str]) -> np.ndarray:
    texts = (sequence.upper().replace("T", "U").encode() for sequence in sequences)
    content = b"".join(hashlib.sha256(text).digest()[:4] for text in texts)
    return np.frombuffer(content, _KIND)
