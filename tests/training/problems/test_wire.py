"""Frames between the judge and the solution."""

from __future__ import annotations

import os
import struct

import pytest

from code_t5.training.problems import wire


def test_frames_are_bounded_and_whole():
    end, start = os.pipe()
    wire.write_frame(start, {"a": [1, "é"]})
    assert wire.read_frame(end) == {"a": [1, "é"]}
    os.write(start, struct.pack("<I", wire.MAX_FRAME_BYTES + 1))
    with pytest.raises(wire.WireError, match="the most"):
        wire.read_frame(end)
    os.write(start, struct.pack("<I", 3) + b"[1,")
    with pytest.raises(wire.WireError, match="not JSON"):
        wire.read_frame(end)
    os.write(start, struct.pack("<I", 3) + b"[")
    os.close(start)
    with pytest.raises(EOFError):
        wire.read_frame(end)
    os.close(end)
