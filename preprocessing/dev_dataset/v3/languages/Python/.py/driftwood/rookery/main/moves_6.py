"""Generating legal moves.

Moves come in two steps. `pseudo_moves` follows how pieces walk, `legal_moves`
plays each of them and throws away those that leave the own king attacked. That
is slower than tracking pins but hard to get wrong; see tests/test_perft.py.
"""

from collections import namedtuple

from rookery.board import (
	BLACK, DIAGONALS, EAST, EMPTY, KNIGHT_JUMPS, NORTH, OFF, ON_BOARD, SOUTH, STRAIGHTS,
	WEST, WHITE, colour_of, name_of, other, square,
)

SLIDERS = {'b': DIAGONALS, 'r': STRAIGHTS, 'q': DIAGONALS + STRAIGHTS}
FORWARD = {WHITE: NORTH, BLACK: SOUTH}
HOME_ROW = {WHITE: 8, BLACK: 3}
LAST_ROW = {WHITE: 2, BLACK: 9}

# Touching one of these squares ends the right to castle.
CASTLING_SQUARES = {
	square('e1'): 'KQ', square('a1'): 'Q', square('h1'): 'K',
	square('e8'): 'kq', square('a8'): 'q', square('h8'): 'k',
}


class Move(namedtuple('Move', 'start stop promotion')):
	__slots__ = ()

	def __str__(self):
		return name_of(self.start) + name_of(self.stop) + (self.promotion or '')

	@classmethod
	def from_text(cls, text):
		if len(text) not in (4, 5) or text[4:] not in ('', 'q', 'r', 'b', 'n'):
			raise ValueError('not a move: %r' % text)
		return cls(square(text[:2]), square(text[2:4]), text[4:] or None)


def is_attacked(board, target, by):
	"""Does any piece of colour `by` attack the square?"""
	squares = board.squares

	def has(index, kind):
		return squares[index] == (kind.upper() if by == WHITE else kind)

	back = -FORWARD[by]
	if has(target + back + WEST, 'p') or has(target + back + EAST, 'p'):
		return True
	if any(has(target + jump, 'n') for jump in KNIGHT_JUMPS):
		return True
	for rays, kind in ((DIAGONALS, 'b'), (STRAIGHTS, 'r')):
		for step in rays:
			index = target + step
			if has(index, 'k'):
				return True
			while squares[index] == EMPTY:
				index += step
			if has(index, kind) or has(index, 'q'):
				return True
	return False


def in_check(board, colour=None):
	colour = colour or board.turn
	return is_attacked(board, board.king_of(colour), other(colour))


def pawn_moves(board, start):
	squares, colour = board.squares, board.turn
	ahead = FORWARD[colour]
	stops = []
	if squares[start + ahead] == EMPTY:
		stops.append(start + ahead)
		if start // 10 == HOME_ROW[colour] and squares[start + 2 * ahead] == EMPTY:
			stops.append(start + 2 * ahead)
	for stop in (start + ahead + WEST, start + ahead + EAST):
		piece = squares[stop]
		if stop == board.passing:
			stops.append(stop)
		elif piece not in (EMPTY, OFF) and colour_of(piece) != colour:
			stops.append(stop)
	for stop in stops:
		if stop // 10 == LAST_ROW[colour]:
			for promotion in 'qrbn':
				yield Move(start, stop, promotion)
		else:
			yield Move(start, stop, None)


def castling_moves(board, king):
	squares = board.squares
	enemy = other(board.turn)
	for right, step, gap in (('k', EAST, 2), ('q', WEST, 3)):
		letter = right.upper() if board.turn == WHITE else right
		if letter not in board.castling:
			continue
		if any(squares[king + step * i] != EMPTY for i in range(1, gap + 1)):
			continue
		# the king may not pass through check, but the rook may
		if not any(is_attacked(board, king + step * i, enemy) for i in range(3)):
			yield Move(king, king + 2 * step, None)


def pseudo_moves(board):
	squares, colour = board.squares, board.turn
	for start in ON_BOARD:
		piece = squares[start]
		if piece == EMPTY or colour_of(piece) != colour:
			continue
		kind = piece.lower()
		if kind == 'p':
			for move in pawn_moves(board, start):
				yield move
			continue
		steps = KNIGHT_JUMPS if kind == 'n' else SLIDERS.get(kind, DIAGONALS + STRAIGHTS)
		for step in steps:
			stop = start + step
			while squares[stop] == EMPTY:
				yield Move(start, stop, None)
				if kind in 'nk':
					break
				stop += step
			else:
				if squares[stop] != OFF and colour_of(squares[stop]) != colour:
					yield Move(start, stop, None)
		if kind == 'k':
			for move in castling_moves(board, start):
				yield move
