# -*- coding: utf-8 -*-
"""
gridmatrix.matrix
~~~~~~~~~~~~~~~~~

The :class:`Matrix` itself: storage, indexing and arithmetic. Everything that
solves equations lives in :mod:`gridmatrix.solve`.

Entries may be ints, floats or :class:`fractions.Fraction`; nothing is ever
converted behind the caller's back.
"""

from __future__ import division

from itertools import chain


class ShapeError(ValueError):
    """Two matrices do not fit together."""


class Matrix(object):
    """A dense, immutable, two-dimensional array of numbers.

    :param rows: an iterable of rows, each an iterable of numbers
    :raises ShapeError: when the rows differ in length or there are none
    """

    __slots__ = ('_data', 'height', 'width')

    def __init__(self, rows):
        data = tuple(tuple(row) for row in rows)
        if not data or not data[0]:
            raise ShapeError('a matrix needs at least one entry')
        if len(set(len(row) for row in data)) != 1:
            raise ShapeError('the rows differ in length')
        self._data = data
        self.height = len(data)
        self.width = len(data[0])

    # -- other ways to make one ---------------------------------------------

    @classmethod
    def identity(cls, size):
        return cls([[int(i == j) for j in range(size)] for i in range(size)])

    @classmethod
    def diagonal(cls, entries):
        rows = cls.identity(len(entries))
        return cls([entry * one for one in row] for entry, row in zip(entries, rows))

    @classmethod
    def column(cls, entries):
        return cls([entry] for entry in entries)

    # -- looking inside -----------------------------------------------------

    @property
    def shape(self):
        return self.height, self.width

    @property
    def is_square(self):
        return self.height == self.width

    def __getitem__(self, key):
        """``m[i, j]`` is an entry, ``m[i]`` a row as a tuple."""
        if isinstance(key, tuple):
            i, j = key
            return self._data[i][j]
        return self._data[key]

    def __iter__(self):
        return iter(self._data)

    def entries(self):
        return chain.from_iterable(self._data)

    def __eq__(self, other):
        return isinstance(other, Matrix) and self._data == other._data

    def __hash__(self):
        return hash(self._data)

    def __repr__(self):
        return 'Matrix(%r)' % ([list(row) for row in self._data],)

    def __str__(self):
        cells = [[str(entry) for entry in row] for row in self._data]
        widths = [max(map(len, column)) for column in zip(*cells)]
        return '\n'.join(
            '[' + '  '.join(cell.rjust(width) for cell, width in zip(row, widths)) + ']'
            for row in cells
        )

    # -- arithmetic ---------------------------------------------------------

    def _zip_with(self, other, function):
        if self.shape != other.shape:
            raise ShapeError('%dx%d against %dx%d' % (self.shape + other.shape))
        return Matrix(map(function, a, b) for a, b in zip(self, other))

    def map(self, function):
        """Apply ``function`` to every entry."""
        return Matrix([function(entry) for entry in row] for row in self)

    def __add__(self, other):
        return self._zip_with(other, lambda a, b: a + b)

    def __sub__(self, other):
        return self._zip_with(other, lambda a, b: a - b)

    def __mul__(self, scalar):
        return self.map(lambda entry: entry * scalar)

    __rmul__ = __mul__

    def __matmul__(self, other):
        if self.width != other.height:
            raise ShapeError('inner sizes differ: %d and %d' % (self.width, other.height))
        columns = list(zip(*other))
        return Matrix([sum(a * b for a, b in zip(row, col)) for col in columns] for row in self)

    def __pow__(self, exponent):
        """Power by repeated squaring; only for square matrices."""
        if not self.is_square:
            raise ShapeError('only square matrices have powers')
        if exponent < 0:
            raise ValueError('negative powers need gridmatrix.solve.inverse')
        result, base = Matrix.identity(self.height), self
        while exponent:
            if exponent & 1:
                result = result @ base
            base = base @ base
            exponent >>= 1
        return result

    def transpose(self):
        return Matrix(zip(*self))
