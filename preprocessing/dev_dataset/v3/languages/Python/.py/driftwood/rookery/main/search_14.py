"""Choosing a move: iterative deepening over alpha-beta with a quiet search."""

import time

from rookery.board import BLACK, EMPTY, ON_BOARD, WHITE, colour_of
from rookery.moves import in_check
from rookery.play import legal_moves

VALUES = {'p': 100, 'n': 310, 'b': 325, 'r': 500, 'q': 950, 'k': 0}
MATE = 100000

# Bonus by distance from the middle of the board, 0 in the corners.
CENTRE = [0] * 120
for _index in ON_BOARD:
	_row, _column = _index // 10 - 2, _index % 10 - 1
	CENTRE[_index] = min(_row, 7 - _row) + min(_column, 7 - _column)
CENTRE_WEIGHT = {'p': 3, 'n': 6, 'b': 4, 'r': 1, 'q': 1, 'k': -6}


class OutOfTime(Exception):
	pass


def evaluate(board):
	"""Score in hundredths of a pawn, from the view of the side to move."""
	score = 0
	heavy = sum(board.squares.count(piece) for piece in 'QRqr')
	for index in ON_BOARD:
		piece = board.squares[index]
		if piece == EMPTY:
			continue
		kind = piece.lower()
		weight = CENTRE_WEIGHT[kind]
		if kind == 'k' and heavy <= 2:
			weight = 8  # in the endgame the king belongs in the middle
		value = VALUES[kind] + weight * CENTRE[index]
		if kind == 'p':
			steps = 8 - index // 10 if piece == 'P' else index // 10 - 3
			value += 4 * steps
		score += value if colour_of(piece) == WHITE else -value
	return score if board.turn == WHITE else -score


def capture_order(board, move):
	"""Most valuable victim first, least valuable attacker among equals."""
	victim = board.squares[move.stop]
	gain = 0 if victim == EMPTY else VALUES[victim.lower()]
	if move.promotion:
		gain += VALUES[move.promotion]
	return -10 * gain + VALUES[board.squares[move.start].lower()] // 100


class Searcher(object):

	def __init__(self, seconds=2.0, clock=time.time):
		self.seconds = seconds
		self.clock = clock
		self.nodes = 0
		self.best_replies = {}
		self.deadline = None

	def choose(self, board, max_depth=20):
		"""Return (move, score, depth reached); None when there is no move."""
		self.deadline = self.clock() + self.seconds
		self.best_replies.clear()
		best = None
		for depth in range(1, max_depth + 1):
			try:
				score = self.negamax(board, depth, -MATE, MATE, 0)
			except OutOfTime:
				break
			move = self.best_replies.get(board.to_text())
			if move is None:
				return None
			best = (move, score, depth)
			if abs(score) > MATE - 100:
				break  # a forced mate does not get better
		return best

	def ordered(self, board, moves):
		first = self.best_replies.get(board.to_text())
		return sorted(moves, key=lambda pair: (pair[0] != first, capture_order(board, pair[0])))

	def tick(self, depth):
		# the first round always ends, so that there is a move to fall back on
		self.nodes += 1
		if depth > 1 and self.nodes % 256 == 0 and self.clock() > self.deadline:
			raise OutOfTime()

	def negamax(self, board, depth, alpha, beta, ply):
		self.tick(depth + ply)
		moves = legal_moves(board)
		if not moves:
			return ply - MATE if in_check(board) else 0
		if board.quiet >= 100:
			return 0
		if depth == 0:
			return self.quiet(board, moves, alpha, beta)
		for move, new in self.ordered(board, moves):
			score = -self.negamax(new, depth - 1, -beta, -alpha, ply + 1)
			if score > alpha:
				alpha = score
				self.best_replies[board.to_text()] = move
				if alpha >= beta:
					return beta
		return alpha

	def quiet(self, board, moves, alpha, beta):
		"""Follow captures until the position is calm enough to be judged."""
		alpha = max(alpha, evaluate(board))
		if alpha >= beta:
			return beta
		captures = [pair for pair in moves if board.squares[pair[0].stop] != EMPTY]
		for move, new in sorted(captures, key=lambda pair: capture_order(board, pair[0])):
			self.nodes += 1
			score = -self.quiet(new, legal_moves(new), -beta, -alpha)
			if score >= beta:
				return beta
			alpha = max(alpha, score)
		return alpha


def describe(score, turn):
	"""'+1.25' for white's advantage, 'mate in 3' when it is decided."""
	if abs(score) > MATE - 100:
		return 'mate in %d' % ((MATE - abs(score) + 1) // 2)
	return '%+.2f' % ((-score if turn == BLACK else score) / 100.0)
