"""Simple polygons: area, centroid, containment, simplification."""

from typing import Iterable, List, Sequence, Tuple

from planar.vector import EPSILON, Vec2, orientation


class DegeneratePolygon(ValueError):
    """Fewer than three corners, or corners that all lie on one line."""


class Polygon:
    """A closed chain of corners; the last one joins the first by itself."""

    def __init__(self, corners: Iterable[Tuple[float, float]]):
        points = [Vec2(*corner) for corner in corners]
        if len(points) > 1 and points[0].almost_equals(points[-1]):
            points.pop()
        if len(points) < 3:
            raise DegeneratePolygon("%d corners are not enough" % len(points))
        self._corners = points
        if abs(self.signed_area()) < EPSILON:
            raise DegeneratePolygon("the corners lie on one line")

    @classmethod
    def rectangle(cls, left, bottom, right, top):
        return cls([(left, bottom), (right, bottom), (right, top), (left, top)])

    @property
    def corners(self) -> Sequence[Vec2]:
        return tuple(self._corners)

    def edges(self) -> List[Tuple[Vec2, Vec2]]:
        shifted = self._corners[1:] + self._corners[:1]
        return list(zip(self._corners, shifted))

    def signed_area(self) -> float:
        """Positive for corners given counter-clockwise (the shoelace sum)."""
        return sum(a.cross(b) for a, b in self.edges()) / 2.0

    def area(self) -> float:
        return abs(self.signed_area())

    def perimeter(self) -> float:
        return sum(a.distance_to(b) for a, b in self.edges())

    def centroid(self) -> Vec2:
        weight = 6.0 * self.signed_area()
        x = sum((a.x + b.x) * a.cross(b) for a, b in self.edges())
        y = sum((a.y + b.y) * a.cross(b) for a, b in self.edges())
        return Vec2(x / weight, y / weight)

    def bounds(self) -> Tuple[Vec2, Vec2]:
        xs = [corner.x for corner in self._corners]
        ys = [corner.y for corner in self._corners]
        return Vec2(min(xs), min(ys)), Vec2(max(xs), max(ys))

    def is_convex(self) -> bool:
        turns = set()
        count = len(self._corners)
        for index in range(count):
            a, b, c = (self._corners[(index + k) % count] for k in range(3))
            turns.add(orientation(a, b, c))
        return not {1, -1} <= turns

    def contains(self, point: Vec2) -> bool:
        """Counts how often a ray to the right crosses the boundary."""
        inside = False
        for a, b in self.edges():
            if (a.y > point.y) == (b.y > point.y):
                continue
            crossing = a.x + (point.y - a.y) / (b.y - a.y) * (b.x - a.x)
            if point.x < crossing:
                inside = not inside
        return inside

    def simplified(self, tolerance: float = EPSILON) -> "Polygon":
        """Drops corners that hardly leave the line between their neighbours."""
        kept = []
        count = len(self._corners)
        for index, corner in enumerate(self._corners):
            before = self._corners[index - 1]
            after = self._corners[(index + 1) % count]
            base = (after - before).length()
            height = abs((after - before).cross(corner - before)) / max(base, EPSILON)
            if height > tolerance:
                kept.append(corner)
        return Polygon(kept)

    def __repr__(self):
        return "Polygon(%d corners, area %.3f)" % (len(self._corners), self.area())
