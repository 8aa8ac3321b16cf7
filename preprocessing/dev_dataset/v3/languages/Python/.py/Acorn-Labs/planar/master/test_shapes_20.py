import math
import random

import pytest

from planar.hull import convex_hull, diameter, is_inside_hull, smallest_box
from planar.intersect import circle_circle, clip_to_box, segment_intersection
from planar.polygon import DegeneratePolygon, Polygon
from planar.quadtree import Box, QuadTree
from planar.transform import Affine, SingularTransform
from planar.vector import Vec2

SQUARE = Polygon.rectangle(0, 0, 2, 2)
ARROW = Polygon([(0, 0), (4, 0), (4, 3), (2, 1), (0, 3)])


def test_area_and_centroid_of_a_square():
    assert SQUARE.area() == 4
    assert SQUARE.centroid() == Vec2(1, 1)
    assert SQUARE.perimeter() == 8


def test_orientation_flips_the_sign_only():
    mirrored = Polygon(reversed(SQUARE.corners))
    assert mirrored.signed_area() == -SQUARE.signed_area()


@pytest.mark.parametrize(
    "point, expected",
    [((2, 0.5), True), ((2, 2), False), ((0.5, 2), True), ((9, 9), False)],
)
def test_containment_in_a_concave_polygon(point, expected):
    assert ARROW.contains(Vec2(*point)) is expected
    assert not ARROW.is_convex()


def test_collinear_corners_are_refused():
    with pytest.raises(DegeneratePolygon):
        Polygon([(0, 0), (1, 1), (2, 2)])


def test_simplification_drops_points_on_an_edge():
    noisy = Polygon([(0, 0), (1, 0), (2, 0), (2, 2), (0, 2)])
    assert len(noisy.simplified().corners) == 4


def test_hull_encloses_a_random_cloud():
    rng = random.Random(11)
    cloud = [Vec2(rng.gauss(0, 1), rng.gauss(0, 1)) for _ in range(200)]
    hull = convex_hull(cloud)
    assert all(is_inside_hull(hull, point) for point in cloud)
    assert diameter(cloud)[2] == pytest.approx(
        max(a.distance_to(b) for a in cloud for b in cloud)
    )


def test_smallest_box_finds_a_tilted_rectangle():
    tilted = [corner.rotated(0.3) for corner in Polygon.rectangle(0, 0, 5, 2).corners]
    area, angle = smallest_box(tilted)
    assert area == pytest.approx(10)
    assert angle == pytest.approx(0.3)


def test_inverse_undoes_a_map():
    there = Affine.rotation(1.1, Vec2(3, -2)) @ Affine.scale(2, 0.5)
    assert (there @ there.inverse()).almost_equals(Affine())
    with pytest.raises(SingularTransform):
        Affine.scale(0).inverse()


def test_crossing_segments_and_circles():
    assert segment_intersection(Vec2(0, 0), Vec2(2, 2), Vec2(0, 2), Vec2(2, 0)) == Vec2(1, 1)
    upper, lower = sorted(circle_circle(Vec2(0, 0), 1, Vec2(1, 0), 1), key=lambda p: -p.y)
    assert upper.y == pytest.approx(math.sqrt(3) / 2)
    assert lower.x == pytest.approx(0.5)


def test_clipping_keeps_the_common_area():
    clipped = clip_to_box(list(SQUARE.corners), Vec2(1, 1), Vec2(5, 5))
    assert Polygon(clipped).area() == pytest.approx(1)


def test_quadtree_agrees_with_brute_force():
    rng = random.Random(5)
    points = [Vec2(rng.uniform(-1, 1), rng.uniform(-1, 1)) for _ in range(300)]
    tree = QuadTree(Box(Vec2(0, 0), 1, 1))
    assert all(tree.insert(point, index) for index, point in enumerate(points))
    target = Vec2(0.2, -0.4)
    expected = sorted(points, key=target.distance_to)[:5]
    assert [point for point, _ in tree.nearest(target, 5)] == expected
    window = Box(Vec2(0.5, 0.5), 0.25, 0.1)
    assert {p for p, _ in tree.query(window)} == {p for p in points if window.holds(p)}
