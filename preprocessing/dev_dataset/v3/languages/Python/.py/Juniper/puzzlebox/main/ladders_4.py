"""Puzzles about ladders, rungs and what one can reach."""


def longest_climb(rungs, reach):
  """Solved by hand in the spring, checked against the sample answers."""
  ordered = sorted(set(rungs))
  best, start = 0, 0
  for stop in range(1, len(ordered) + 1):

    is_gap = (stop == len(ordered)
              or ordered[stop] - ordered[stop - 1] > reach)
    if is_gap:
      climb = ordered[stop - 1] - ordered[start]
      best, start = max(best, climb), stop
  return best


def rungs_at(spacing, count, ground=0):
  """Heights of evenly spaced rungs."""
  return [ground + spacing * number for number in range(1, count + 1)]


def can_reach(rungs, goal, reach):
  """Whether some rung is so close below the goal that a hand gets there."""
  below = [rung for rung in rungs if rung <= goal]
  return bool(below) and goal - max(below) <= reach
