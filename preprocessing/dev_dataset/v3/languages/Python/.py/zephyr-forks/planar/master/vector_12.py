"""Immutable vectors in the plane.

>>> Vec2(3, 4).length()
5.0
>>> Vec2(1, 0).cross(Vec2(0, 1))
1
"""

import math
from typing import Iterator, NamedTuple

EPSILON = 1e-9


class Vec2(NamedTuple):
    """A point or a direction; which of the two is up to the caller."""

    x: float
    y: float

    def __add__(self, other):
        return Vec2(self.x + other.x, self.y + other.y)

    def __sub__(self, other):
        return Vec2(self.x - other.x, self.y - other.y)

    def __neg__(self):
        return Vec2(-self.x, -self.y)

    def __mul__(self, factor):
        return Vec2(self.x * factor, self.y * factor)

    __rmul__ = __mul__

    def __truediv__(self, divisor):
        return Vec2(self.x / divisor, self.y / divisor)

    def dot(self, other: "Vec2") -> float:
        return self.x * other.x + self.y * other.y

    def cross(self, other: "Vec2") -> float:
        """The z component of the cross product: twice a signed triangle area."""
        return self.x * other.y - self.y * other.x

    def length(self) -> float:
        return math.hypot(self.x, self.y)

    def normalized(self) -> "Vec2":
        length = self.length()
        if length < EPSILON:
            raise ZeroDivisionError("the zero vector has no direction")
        return self / length

    def perpendicular(self) -> "Vec2":
        """The vector turned by a quarter to the left."""
        return Vec2(-self.y, self.x)

    def rotated(self, angle: float) -> "Vec2":
        cosine, sine = math.cos(angle), math.sin(angle)
        return Vec2(self.x * cosine - self.y * sine, self.x * sine + self.y * cosine)

    def angle(self) -> float:
        """Angle to the x axis in (-pi, pi]."""
        return math.atan2(self.y, self.x)

    def distance_to(self, other: "Vec2") -> float:
        return (self - other).length()

    def almost_equals(self, other: "Vec2", tolerance: float = EPSILON) -> bool:
        return abs(self.x - other.x) <= tolerance and abs(self.y - other.y) <= tolerance


ORIGIN = Vec2(0.0, 0.0)


def lerp(start: Vec2, end: Vec2, t: float) -> Vec2:
    """The point a fraction `t` of the way from `start` to `end`."""
    return start + (end - start) * t


def walk(start: Vec2, end: Vec2, steps: int) -> Iterator[Vec2]:
    """Yields `steps + 1` evenly spaced points, both ends included."""
    if steps < 1:
        raise ValueError("at least one step is needed")
    for index in range(steps + 1):
        yield lerp(start, end, index / steps)


def orientation(a: Vec2, b: Vec2, c: Vec2) -> int:
    """1 when a-b-c turns left, -1 when it turns right, 0 on a line."""
    area = (b - a).cross(c - a)
    if abs(area) < EPSILON:
        return 0
    return 1 if area > 0 else -1
