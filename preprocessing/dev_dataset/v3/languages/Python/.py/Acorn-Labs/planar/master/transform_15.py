"""Affine maps of the plane, written as 2x3 matrices.

A point (x, y) goes to (a*x + b*y + tx, c*x + d*y + ty). Maps are joined with
`@`, the right one being applied first, as in linear algebra.
"""

import math

from planar.vector import EPSILON, Vec2


class SingularTransform(ArithmeticError):
    """The map flattens the plane and so cannot be undone."""


class Affine:
    __slots__ = ("a", "b", "tx", "c", "d", "ty")

    def __init__(self, a=1.0, b=0.0, tx=0.0, c=0.0, d=1.0, ty=0.0):
        self.a, self.b, self.tx = a, b, tx
        self.c, self.d, self.ty = c, d, ty

    @classmethod
    def translation(cls, dx, dy):
        return cls(tx=dx, ty=dy)

    @classmethod
    def scale(cls, sx, sy=None):
        return cls(a=sx, d=sx if sy is None else sy)

    @classmethod
    def rotation(cls, angle, center=Vec2(0.0, 0.0)):
        cosine, sine = math.cos(angle), math.sin(angle)
        turn = cls(cosine, -sine, 0.0, sine, cosine, 0.0)
        there = cls.translation(center.x, center.y)
        back = cls.translation(-center.x, -center.y)
        return there @ turn @ back

    @classmethod
    def shear(cls, kx=0.0, ky=0.0):
        return cls(b=kx, c=ky)

    def __matmul__(self, other):
        return Affine(
            self.a * other.a + self.b * other.c,
            self.a * other.b + self.b * other.d,
            self.a * other.tx + self.b * other.ty + self.tx,
            self.c * other.a + self.d * other.c,
            self.c * other.b + self.d * other.d,
            self.c * other.tx + self.d * other.ty + self.ty,
        )

    def __call__(self, point):
        return Vec2(
            self.a * point.x + self.b * point.y + self.tx,
            self.c * point.x + self.d * point.y + self.ty,
        )

    def map(self, points):
        return [self(point) for point in points]

    def determinant(self):
        """The factor by which areas grow; negative when the map mirrors."""
        return self.a * self.d - self.b * self.c

    def inverse(self):
        det = self.determinant()
        if abs(det) < EPSILON:
            raise SingularTransform("determinant is %g" % det)
        a, b, c, d = self.d / det, -self.b / det, -self.c / det, self.a / det
        return Affine(
            a, b, -(a * self.tx + b * self.ty),
            c, d, -(c * self.tx + d * self.ty),
        )

    def almost_equals(self, other, tolerance=1e-6):
        return all(
            abs(getattr(self, name) - getattr(other, name)) <= tolerance
            for name in self.__slots__
        )

    def __repr__(self):
        rows = (self.a, self.b, self.tx, self.c, self.d, self.ty)
        return "Affine(%s)" % ", ".join("%g" % value for value in rows)
