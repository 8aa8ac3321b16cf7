"""Convex hulls and what can be read off them.

The hull is found with the monotone chain method: sort the points, build the
lower chain from left to right and the upper one from right to left, and drop
every point that would make a right turn. O(n log n).
"""

import itertools
import math

from planar.vector import Vec2, orientation


def convex_hull(points):
    """Corners of the hull, counter-clockwise, starting at the leftmost point.

    Points on the border between two corners are left out. One or two distinct
    points are their own hull.
    """
    ordered = sorted(set(Vec2(*point) for point in points))
    if len(ordered) <= 2:
        return ordered
    lower = _chain(ordered)
    upper = _chain(reversed(ordered))
    return lower[:-1] + upper[:-1]


def _chain(points):
    chain = []
    for point in points:
        while len(chain) >= 2 and orientation(chain[-2], chain[-1], point) <= 0:
            chain.pop()
        chain.append(point)
    return chain


def diameter(points):
    """The two points that are farthest apart, and their distance.

    Only corners of the hull can be the ends, so all pairs of those are tried;
    a rotating calliper would be faster but hulls are small in practice.
    """
    hull = convex_hull(points)
    if not hull:
        raise ValueError("no points at all")
    if len(hull) == 1:
        return hull[0], hull[0], 0.0
    best = max(itertools.combinations(hull, 2), key=lambda pair: pair[0].distance_to(pair[1]))
    return best[0], best[1], best[0].distance_to(best[1])


def smallest_box(points):
    """Area and angle of the smallest rectangle, turned as needed, around all points.

    One side of that rectangle lies along an edge of the hull, so it is enough
    to turn the hull by the angle of each edge in turn and measure.
    """
    hull = convex_hull(points)
    if len(hull) < 3:
        return 0.0, 0.0
    best_area, best_angle = math.inf, 0.0
    for index, corner in enumerate(hull):
        following = hull[(index + 1) % len(hull)]
        angle = (following - corner).angle()
        turned = [point.rotated(-angle) for point in hull]
        width = max(p.x for p in turned) - min(p.x for p in turned)
        height = max(p.y for p in turned) - min(p.y for p in turned)
        if width * height < best_area:
            best_area, best_angle = width * height, angle
    return best_area, best_angle % (math.pi / 2)


def is_inside_hull(hull, point):
    """True when the point lies in the hull or on its border."""
    count = len(hull)
    return all(
        orientation(hull[i], hull[(i + 1) % count], point) >= 0 for i in range(count)
    )
