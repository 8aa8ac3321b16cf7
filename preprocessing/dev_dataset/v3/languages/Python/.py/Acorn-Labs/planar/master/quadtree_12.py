"""A quadtree over points, for fast "what is near here?" questions."""

import heapq
import itertools

from planar.vector import Vec2

NODE_CAPACITY = 8
MAX_DEPTH = 24


class Box(object):
    """An axis-parallel rectangle given by its middle and half sizes."""

    def __init__(self, center, half_width, half_height):
        self.center = center
        self.half_width = half_width
        self.half_height = half_height

    def holds(self, point):
        return (abs(point.x - self.center.x) <= self.half_width
                and abs(point.y - self.center.y) <= self.half_height)

    def overlaps(self, other):
        gap = other.center - self.center
        return (abs(gap.x) <= self.half_width + other.half_width
                and abs(gap.y) <= self.half_height + other.half_height)

    def distance_to(self, point):
        dx = max(0.0, abs(point.x - self.center.x) - self.half_width)
        dy = max(0.0, abs(point.y - self.center.y) - self.half_height)
        return (dx * dx + dy * dy) ** 0.5

    def quarters(self):
        w, h = self.half_width / 2.0, self.half_height / 2.0
        for sx, sy in itertools.product((-1, 1), repeat=2):
            yield Box(self.center + Vec2(sx * w, sy * h), w, h)


class QuadTree(object):
    """Stores (point, payload) pairs; payloads may be anything."""

    def __init__(self, box, _depth=0):
        self.box = box
        self._depth = _depth
        self._items = []
        self._children = None
        self._count = 0

    def __len__(self):
        return self._count

    def insert(self, point, payload=None):
        """Returns False, and stores nothing, for a point outside of the box."""
        if not self.box.holds(point):
            return False
        self._count += 1
        if self._children is None:
            self._items.append((point, payload))
            if len(self._items) > NODE_CAPACITY and self._depth < MAX_DEPTH:
                self._split()
            return True
        # A point on a common border goes to the first child that takes it.
        return any(child.insert(point, payload) for child in self._children)

    def _split(self):
        self._children = [QuadTree(box, self._depth + 1) for box in self.box.quarters()]
        items, self._items = self._items, []
        for point, payload in items:
            any(child.insert(point, payload) for child in self._children)

    def query(self, box):
        """Yields every stored pair within the box."""
        if not self.box.overlaps(box):
            return
        for point, payload in self._items:
            if box.holds(point):
                yield point, payload
        for child in self._children or ():
            for pair in child.query(box):
                yield pair

    def nearest(self, target, count=1):
        """The `count` stored pairs closest to a point, closest first.

        Boxes and points wait in one heap, ordered by distance; a point that
        comes out before every box must be the next nearest.
        """
        ticket = itertools.count()
        heap = [(self.box.distance_to(target), next(ticket), self, None)]
        found = []
        while heap and len(found) < count:
            _, _, node, payload = heapq.heappop(heap)
            if isinstance(node, Vec2):
                found.append((node, payload))
                continue
            for point, value in node._items:
                heapq.heappush(heap, (point.distance_to(target), next(ticket), point, value))
            for child in node._children or ():
                heapq.heappush(heap, (child.box.distance_to(target), next(ticket), child, None))
        return found
