"""Playing moves: the board afterwards, legality, and how a game ends."""

from collections import Counter

from rookery.board import Board, EMPTY, ON_BOARD, WHITE, other, square
from rookery.moves import CASTLING_SQUARES, FORWARD, in_check, pseudo_moves

ROOK_HOPS = {
	(square('e1'), square('g1')): (square('h1'), square('f1')),
	(square('e1'), square('c1')): (square('a1'), square('d1')),
	(square('e8'), square('g8')): (square('h8'), square('f8')),
	(square('e8'), square('c8')): (square('a8'), square('d8')),
}


class IllegalMove(ValueError):
	pass


def after(board, move):
	"""The position after a move; the given board stays as it is."""
	new = board.copy()
	squares = new.squares
	piece = squares[move.start]
	captured = squares[move.stop]
	is_pawn = piece in 'Pp'

	squares[move.start] = EMPTY
	squares[move.stop] = piece
	if move.promotion:
		white = board.turn == WHITE
		squares[move.stop] = move.promotion.upper() if white else move.promotion
	if is_pawn and move.stop == board.passing:
		squares[move.stop - FORWARD[board.turn]] = EMPTY
	if piece in 'Kk' and (move.start, move.stop) in ROOK_HOPS:
		corner, landing = ROOK_HOPS[move.start, move.stop]
		squares[landing] = squares[corner]
		squares[corner] = EMPTY

	lost = CASTLING_SQUARES.get(move.start, '') + CASTLING_SQUARES.get(move.stop, '')
	new.castling = ''.join(c for c in board.castling if c not in lost)
	new.passing = None
	if is_pawn and abs(move.stop - move.start) == 20:
		new.passing = (move.start + move.stop) // 2
	new.quiet = 0 if is_pawn or captured != EMPTY else board.quiet + 1
	new.turn = other(board.turn)
	new.number = board.number + (board.turn != WHITE)
	return new


def legal_moves(board):
	"""Every legal move as a list of (move, board afterwards)."""
	result = []
	for move in pseudo_moves(board):
		new = after(board, move)
		if not in_check(new, board.turn):
			result.append((move, new))
	return result


def perft(board, depth):
	"""Number of games of `depth` half moves: the classic test of a generator."""
	if depth == 0:
		return 1
	if depth == 1:
		return len(legal_moves(board))
	return sum(perft(new, depth - 1) for _, new in legal_moves(board))


def divide(board, depth):
	"""perft for each first move, to find the branch where two programs differ."""
	return {str(move): perft(new, depth - 1) for move, new in legal_moves(board)}


def too_few_pieces(board):
	"""Can nobody give mate any more? Bare kings, or one knight or bishop."""
	pieces = Counter(board.squares[i].lower() for i in ON_BOARD)
	if any(pieces[kind] for kind in 'pqr'):
		return False
	return pieces['n'] + pieces['b'] <= 1


class Game(object):
	"""A board together with its history."""

	def __init__(self, board=None):
		self.board = board or Board.from_text()
		self.moves = []
		self.seen = Counter([self.key()])

	def key(self):
		# the counters of moves are no part of what repeats
		return ' '.join(self.board.to_text().split()[:4])

	def push(self, move):
		for legal, new in legal_moves(self.board):
			if legal == move:
				self.board = new
				self.moves.append(move)
				self.seen[self.key()] += 1
				return
		raise IllegalMove('%s is not legal here' % (move,))

	def result(self):
		"""None while the game goes on, else (score for white, reason)."""
		if not legal_moves(self.board):
			if in_check(self.board):
				return (0 if self.board.turn == WHITE else 1), 'mate'
			return 0.5, 'stalemate'
		if self.seen[self.key()] >= 3:
			return 0.5, 'repetition'
		if self.board.quiet >= 100:
			return 0.5, 'fifty moves'
		if too_few_pieces(self.board):
			return 0.5, 'material'
		return None
