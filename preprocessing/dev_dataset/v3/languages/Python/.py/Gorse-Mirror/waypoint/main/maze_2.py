#!/usr/bin/env python3
"""Draw a random maze and its way out: a small show of the waypoint library.

The maze is a spanning tree of a grid with random weights, so there is exactly
one way between any two cells.
"""

from __future__ import annotations

import argparse
import random
import sys
from typing import Optional, Tuple

from waypoint.graph import Graph
from waypoint.paths import cheapest_between
from waypoint.spanning import spanning_tree_from
from waypoint.traversal import levels

Cell = Tuple[int, int]

WALL = "##"
FLOOR = "  "
TRAIL = "··"


def grid(height: int, width: int, rng: random.Random) -> Graph:
    """All cells, each joined to its neighbours by an edge of random weight."""
    graph = Graph()
    for row in range(height):
        for column in range(width):
            if row:
                graph.add_edge((row - 1, column), (row, column), rng.random())
            if column:
                graph.add_edge((row, column - 1), (row, column), rng.random())
    return graph


def carve(full: Graph, root: Cell) -> Graph:
    maze = Graph()
    maze.add_node(root)
    for edge in spanning_tree_from(full, root):
        maze.add_edge(edge.start, edge.stop)
    return maze


def farthest(maze: Graph, start: Cell) -> Cell:
    """A cell that is as many steps away as possible."""
    last = None
    for last in levels(maze, start):
        pass
    return min(last)


def longest_walk(maze: Graph) -> list:
    """In a tree, the far end of the far end is one end of the longest path."""
    start = farthest(maze, next(iter(maze)))
    goal = farthest(maze, start)

    def steps_left(cell: Cell) -> float:
        return abs(cell[0] - goal[0]) + abs(cell[1] - goal[1])

    path, _ = cheapest_between(maze, start, goal, estimate=steps_left)
    return path


def picture(maze: Graph, height: int, width: int, trail: Optional[list] = None) -> str:
    """Cells are at odd positions, walls and doors at even ones."""
    canvas = [[WALL] * (2 * width + 1) for _ in range(2 * height + 1)]
    for row, column in maze:
        canvas[2 * row + 1][2 * column + 1] = FLOOR
    for (row_a, column_a), (row_b, column_b), _ in maze.edges():
        canvas[row_a + row_b + 1][column_a + column_b + 1] = FLOOR
    for here in trail or []:
        canvas[2 * here[0] + 1][2 * here[1] + 1] = TRAIL
    return "\n".join("".join(line) for line in canvas)


def as_svg(maze: Graph, size: int = 10) -> str:
    """The passages as one path of a drawing; walls are what is left white."""
    moves = []
    for (top, left), (bottom, right), _ in maze.edges():
        moves.append(f"M{left * size} {top * size}L{right * size} {bottom * size}")
    return f'<path d="{"".join(moves)}" stroke-width="{size - 2}"/>'


def main(argv: Optional[list] = None) -> int:
    parser = argparse.ArgumentParser(description="draw a maze")
    parser.add_argument("--height", type=int, default=12)
    parser.add_argument("--width", type=int, default=18)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--solve", action="store_true", help="show the longest walk")
    parser.add_argument("--svg", action="store_true", help="write a drawing")
    options = parser.parse_args(argv)
    if min(options.height, options.width) < 2:
        parser.error("a maze needs at least two rows and columns")

    rng = random.Random(options.seed)
    maze = carve(grid(options.height, options.width, rng), (0, 0))
    trail = longest_walk(maze) if options.solve else None
    if options.svg:
        print(as_svg(maze))
    else:
        print(picture(maze, options.height, options.width, trail))
    print(len(maze), "cells", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
