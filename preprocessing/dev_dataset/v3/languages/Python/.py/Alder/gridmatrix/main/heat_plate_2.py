#!/usr/bin/env python
# -*- coding: utf-8 -*-
"""Steady temperature of a square plate whose edges are held at fixed values.

Each inner point is the mean of its four neighbours. That gives one sparse
equation per point, which we relax in place until nothing moves any more, and
print as a picture made of characters.

    python heat_plate.py --size 20 --top 100
"""

import argparse
import sys

from gridmatrix.sparse import SparseBuilder

SHADES = ' .:-=+*#%@'


def plate_system(size, edges):
    """Build matrix and right side for the ``size * size`` inner points.

    ``edges`` maps 'top', 'bottom', 'left' and 'right' to temperatures (°C).
    """
    builder = SparseBuilder(size * size, size * size)
    right = [0.0] * (size * size)

    def number(i, j):
        return i * size + j

    for i in range(size):
        for j in range(size):
            here = number(i, j)
            builder.add(here, here, 4.0)
            for side, (a, b) in (
                ('top', (i - 1, j)),
                ('bottom', (i + 1, j)),
                ('left', (i, j - 1)),
                ('right', (i, j + 1)),
            ):
                if 0 <= a < size and 0 <= b < size:
                    builder.add(here, number(a, b), -1.0)
                else:
                    right[here] += edges[side]
    return builder.freeze(), right


def relax(matrix, right, tolerance=1e-6, max_sweeps=10000, omega=1.7):
    """Over-relaxed sweeps; returns ``(solution, number of sweeps)``."""
    x = [0.0] * matrix.height
    for sweep in range(1, max_sweeps + 1):
        largest = 0.0
        for i in range(matrix.height):
            total = right[i]
            pivot = None
            for j, value in matrix.row(i):
                if j == i:
                    pivot = value
                else:
                    total -= value * x[j]
            step = omega * (total / pivot - x[i])
            x[i] += step
            largest = max(largest, abs(step))
        if largest < tolerance:
            return x, sweep
    raise RuntimeError('no convergence after %d sweeps' % max_sweeps)


def draw(temperatures, size, stream=sys.stdout):
    low, high = min(temperatures), max(temperatures)
    span = (high - low) or 1.0
    for i in range(size):
        row = temperatures[i * size:(i + 1) * size]
        picks = [int((t - low) / span * (len(SHADES) - 1)) for t in row]
        stream.write(''.join(SHADES[p] * 2 for p in picks) + '\n')


def main(argv=None):
    parser = argparse.ArgumentParser(description='steady temperature of a plate')
    parser.add_argument('--size', type=int, default=16)
    for side, default in (('top', 100.0), ('bottom', 0.0), ('left', 25.0), ('right', 25.0)):
        parser.add_argument('--' + side, type=float, default=default)
    args = parser.parse_args(argv)
    edges = {side: getattr(args, side) for side in ('top', 'bottom', 'left', 'right')}

    matrix, right = plate_system(args.size, edges)
    solution, sweeps = relax(matrix, right)
    draw(solution, args.size)
    error = max(abs(a - b) for a, b in zip(matrix.dot(solution), right))
    print('%d sweeps, largest error %.2g' % (sweeps, error))


if __name__ == '__main__':
    main()
