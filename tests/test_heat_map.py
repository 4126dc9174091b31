"""Heat maps: the pixels that an independent reader of PNG finds in the picture."""

import base64
import re
import zlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mirsweep.jobs.sequences.heat_map import Panel, heat_map


def pixels_of(png: bytes) -> np.ndarray:
    """RGB of an 8-bit palette's PNG without filters; each chunk's checksum is checked."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, at = {}, 8
    while at < len(png):
        size, kind = int.from_bytes(png[at : at + 4], "big"), png[at + 4 : at + 8]
        chunks[kind] = png[at + 8 : at + 8 + size]
        assert int.from_bytes(png[at + 8 + size : at + 12 + size], "big") == zlib.crc32(kind + chunks[kind])
        at += size + 12
    assert list(chunks) == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    width, height = (int.from_bytes(chunks[b"IHDR"][i : i + 4], "big") for i in (0, 4))
    assert chunks[b"IHDR"][8:] == bytes([8, 3, 0, 0, 0])
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, width + 1)
    assert not lines[:, 0].any()
    return np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)[lines[:, 1:]]


def pictures_in(svg: str) -> list[np.ndarray]:
    return [pixels_of(base64.b64decode(data)) for data in re.findall(r"data:image/png;base64,([^\"]+)", svg)]


@given(arrays.arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.floats(-2, 2, width=32)))
def test_sign_and_size_of_a_value_show_in_its_colour(values):
    (found,) = pictures_in(heat_map([Panel("x", values)], title="t", x_label="%", band=(20, 50)))
    assert found.shape == (*values.shape, 3)
    red, blue = found[..., 0].astype(int), found[..., 2].astype(int)
    assert (red >= blue)[values > 0].all()
    assert (red <= blue)[values < 0].all()
    assert (found[np.abs(values) < 0.01] == 255).all()
    size = np.abs(np.clip(values, -1, 1)).ravel()
    for sign in (values.ravel() > 0, values.ravel() < 0):
        order = np.argsort(size[sign])
        paleness = found.reshape(-1, 3)[sign][order].sum(axis=1).astype(int)
        assert (np.diff(paleness) <= 0).all()


def test_a_panel_without_rows_stands_without_a_picture():
    panels = [Panel("none < 0.5", np.zeros((0, 100))), Panel("one", np.ones((1, 100)))]
    svg = heat_map(panels, title="t", x_label="%", band=(20, 50))
    assert len(pictures_in(svg)) == 1
    assert "none &lt; 0.5" in svg
