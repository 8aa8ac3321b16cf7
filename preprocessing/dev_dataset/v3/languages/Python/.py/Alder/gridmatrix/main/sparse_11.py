# -*- coding: utf-8 -*-
"""
gridmatrix.sparse
~~~~~~~~~~~~~~~~~

Matrices that are mostly zero. :class:`SparseBuilder` collects entries in any
order; :class:`RowMatrix` is the frozen form used for products. The two are
separate because cheap insertion and cheap products want different layouts.
"""

from bisect import bisect_left
from collections import defaultdict

from gridmatrix.matrix import Matrix, ShapeError


class SparseBuilder(object):
    """Collects ``(row, column) -> value``; repeated positions are added up."""

    def __init__(self, height, width):
        self.height = height
        self.width = width
        self._rows = defaultdict(dict)

    def add(self, i, j, value):
        if not (0 <= i < self.height and 0 <= j < self.width):
            raise IndexError('(%d, %d) is outside of %dx%d' % (i, j, self.height, self.width))
        row = self._rows[i]
        row[j] = row.get(j, 0) + value
        return self

    def freeze(self):
        """Drop entries that cancelled out and pack the rest row by row."""
        starts, columns, values = [0], [], []
        for i in range(self.height):
            for j, value in sorted(self._rows.get(i, {}).items()):
                if value != 0:
                    columns.append(j)
                    values.append(value)
            starts.append(len(columns))
        return RowMatrix(self.width, starts, columns, values)


class RowMatrix(object):
    """Compressed rows: ``starts[i]:starts[i + 1]`` are the entries of row i."""

    def __init__(self, width, starts, columns, values):
        self.width = width
        self.height = len(starts) - 1
        self.starts = starts
        self.columns = columns
        self.values = values

    @classmethod
    def from_dense(cls, matrix):
        builder = SparseBuilder(*matrix.shape)
        for i, row in enumerate(matrix):
            for j, value in enumerate(row):
                if value:
                    builder.add(i, j, value)
        return builder.freeze()

    @property
    def count(self):
        """How many entries are stored."""
        return len(self.values)

    @property
    def density(self):
        return self.count / float(self.height * self.width)

    def row(self, i):
        """Pairs ``(column, value)`` of one row."""
        start, stop = self.starts[i], self.starts[i + 1]
        return zip(self.columns[start:stop], self.values[start:stop])

    def __getitem__(self, key):
        i, j = key
        start, stop = self.starts[i], self.starts[i + 1]
        k = bisect_left(self.columns, j, start, stop)
        if k < stop and self.columns[k] == j:
            return self.values[k]
        return 0

    def dot(self, vector):
        """Product with a plain list of numbers."""
        if len(vector) != self.width:
            raise ShapeError('vector of length %d for width %d' % (len(vector), self.width))
        return [sum(value * vector[j] for j, value in self.row(i)) for i in range(self.height)]

    def __matmul__(self, other):
        if self.width != other.height:
            raise ShapeError('inner sizes differ: %d and %d' % (self.width, other.height))
        builder = SparseBuilder(self.height, other.width)
        for i in range(self.height):
            for k, left in self.row(i):
                for j, right in other.row(k):
                    builder.add(i, j, left * right)
        return builder.freeze()

    def transpose(self):
        builder = SparseBuilder(self.width, self.height)
        for i in range(self.height):
            for j, value in self.row(i):
                builder.add(j, i, value)
        return builder.freeze()

    def to_dense(self):
        rows = [[0] * self.width for _ in range(self.height)]
        for i in range(self.height):
            for j, value in self.row(i):
                rows[i][j] = value
        return Matrix(rows)

    def __repr__(self):
        return '<RowMatrix %dx%d, %d entries>' % (self.height, self.width, self.count)
