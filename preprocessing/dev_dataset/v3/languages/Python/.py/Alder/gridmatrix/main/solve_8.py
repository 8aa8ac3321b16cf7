# -*- coding: utf-8 -*-
"""
gridmatrix.solve
~~~~~~~~~~~~~~~~

Elimination with row exchanges and the things that follow from it: rank,
determinant, inverse and the solution of linear systems.

With exact entries (:class:`fractions.Fraction`) the results are exact. With
floats the pivot of largest size is taken and ``tolerance`` decides what is
counted as zero.
"""

from fractions import Fraction

from gridmatrix.matrix import Matrix, ShapeError

DEFAULT_TOLERANCE = 1e-12


class SingularError(ArithmeticError):
    """The system has no unique solution."""


def _exact(value):
    # int / int would silently give a float; fractions keep what we had
    return Fraction(value) if isinstance(value, int) else value


def _is_zero(value, tolerance):
    if isinstance(value, float):
        return abs(value) <= tolerance
    return value == 0


def echelon(matrix, tolerance=DEFAULT_TOLERANCE):
    """Bring a matrix into row echelon form.

    :returns: ``(rows, pivots, sign)``: the rows as lists, the column of the
        pivot of each non-zero row, and +1 or -1 for an even or odd number of
        row exchanges
    """
    rows = [[_exact(entry) for entry in row] for row in matrix]
    pivots = []
    sign = 1
    top = 0
    for column in range(matrix.width):
        if top == len(rows):
            break
        best = max(range(top, len(rows)), key=lambda r: abs(rows[r][column]))
        if _is_zero(rows[best][column], tolerance):
            continue
        if best != top:
            rows[top], rows[best] = rows[best], rows[top]
            sign = -sign
        pivot_row = rows[top]
        for row in rows[top + 1:]:
            factor = row[column] / pivot_row[column]
            if factor == 0:
                continue
            row[column] = 0
            for j in range(column + 1, matrix.width):
                row[j] -= factor * pivot_row[j]
        pivots.append(column)
        top += 1
    return rows, pivots, sign


def rank(matrix, tolerance=DEFAULT_TOLERANCE):
    """Number of linearly independent rows."""
    return len(echelon(matrix, tolerance)[1])


def determinant(matrix):
    """Determinant as the signed product of the pivots."""
    if not matrix.is_square:
        raise ShapeError('only square matrices have a determinant')
    rows, pivots, sign = echelon(matrix)
    if len(pivots) < matrix.height:
        return 0
    product = sign
    for i in range(matrix.height):
        product *= rows[i][i]
    return product


def solve(matrix, right, tolerance=DEFAULT_TOLERANCE):
    """Find ``x`` with ``matrix @ x == right``.

    ``right`` may have several columns; each is solved for.

    :raises SingularError: when there is no solution or more than one
    """
    if matrix.height != right.height:
        raise ShapeError('%d equations but %d right sides' % (matrix.height, right.height))
    size = matrix.width
    joined = Matrix(tuple(a) + tuple(b) for a, b in zip(matrix, right))
    rows, pivots, _ = echelon(joined, tolerance)
    if any(column >= size for column in pivots):
        raise SingularError('the equations contradict each other')
    if len(pivots) < size:
        raise SingularError('only %d of %d unknowns are determined' % (len(pivots), size))

    answer = [None] * size
    for i in reversed(range(size)):
        row = rows[i]
        values = list(row[size:])
        for j in range(i + 1, size):
            values = [v - row[j] * known for v, known in zip(values, answer[j])]
        answer[i] = [v / row[i] for v in values]
    return Matrix(answer)


def inverse(matrix):
    """The matrix that undoes ``matrix``."""
    if not matrix.is_square:
        raise ShapeError('only square matrices have an inverse')
    return solve(matrix, Matrix.identity(matrix.height))


def residual(matrix, x, right):
    """Largest absolute error of a proposed solution, for checking floats."""
    difference = matrix @ x - right
    return max(abs(entry) for entry in difference.entries())
