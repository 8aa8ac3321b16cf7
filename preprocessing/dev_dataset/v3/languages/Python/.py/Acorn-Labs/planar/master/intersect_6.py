"""Where things meet: segments, circles and clipped polygons."""

import math
from typing import List, Optional, Tuple

from planar.vector import EPSILON, Vec2, lerp


def segment_intersection(a: Vec2, b: Vec2, c: Vec2, d: Vec2) -> Optional[Vec2]:
    """The point that segments a-b and c-d share, or None.

    Parallel segments give None even when they overlap, because then there is
    no single point to return.
    """
    r, s = b - a, d - c
    denominator = r.cross(s)
    if abs(denominator) < EPSILON:
        return None
    t = (c - a).cross(s) / denominator
    u = (c - a).cross(r) / denominator
    if -EPSILON <= t <= 1 + EPSILON and -EPSILON <= u <= 1 + EPSILON:
        return lerp(a, b, t)
    return None


def distance_to_segment(point: Vec2, a: Vec2, b: Vec2) -> float:
    along = b - a
    squared = along.dot(along)
    if squared < EPSILON:
        return point.distance_to(a)
    t = max(0.0, min(1.0, (point - a).dot(along) / squared))
    return point.distance_to(lerp(a, b, t))


def circle_line(center: Vec2, radius: float, a: Vec2, b: Vec2) -> List[Vec2]:
    """Points (none, one or two) where the line through a and b cuts a circle."""
    direction = (b - a).normalized()
    nearest = a + direction * (center - a).dot(direction)
    gap = nearest.distance_to(center)
    if gap > radius + EPSILON:
        return []
    if abs(gap - radius) <= EPSILON:
        return [nearest]
    half_chord = math.sqrt(radius * radius - gap * gap)
    return [nearest - direction * half_chord, nearest + direction * half_chord]


def circle_circle(c1: Vec2, r1: float, c2: Vec2, r2: float) -> List[Vec2]:
    gap = c1.distance_to(c2)
    if gap < EPSILON or gap > r1 + r2 + EPSILON or gap < abs(r1 - r2) - EPSILON:
        return []
    along = (gap * gap + r1 * r1 - r2 * r2) / (2 * gap)
    height = math.sqrt(max(0.0, r1 * r1 - along * along))
    foot = lerp(c1, c2, along / gap)
    offset = (c2 - c1).perpendicular().normalized() * height
    if height < EPSILON:
        return [foot]
    return [foot + offset, foot - offset]


def clip_to_box(corners: List[Vec2], low: Vec2, high: Vec2) -> List[Vec2]:
    """Cuts a polygon to an axis-parallel box, one side of the box at a time."""
    sides: List[Tuple[int, float, int]] = [
        (0, low.x, 1),
        (0, high.x, -1),
        (1, low.y, 1),
        (1, high.y, -1),
    ]
    for axis, limit, sign in sides:
        corners = _clip_side(corners, axis, limit, sign)
        if not corners:
            break
    return corners


def _clip_side(corners: List[Vec2], axis: int, limit: float, sign: int) -> List[Vec2]:
    result = []
    for index, current in enumerate(corners):
        previous = corners[index - 1]
        current_in = sign * (current[axis] - limit) >= 0
        previous_in = sign * (previous[axis] - limit) >= 0
        if current_in != previous_in:
            t = (limit - previous[axis]) / (current[axis] - previous[axis])
            result.append(lerp(previous, current, t))
        if current_in:
            result.append(current)
    return result
