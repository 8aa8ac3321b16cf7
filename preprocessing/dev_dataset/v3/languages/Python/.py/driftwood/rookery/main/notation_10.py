"""Short algebraic notation: Nf3, exd5, Rad1, O-O, e8=Q#."""

import re

from rookery.board import EMPTY, name_of, square
from rookery.moves import in_check
from rookery.play import Game, IllegalMove, after, legal_moves

SHORT = re.compile(
	r'^(?P<piece>[KQRBN])?(?P<file>[a-h])?(?P<row>[1-8])?x?'
	r'(?P<stop>[a-h][1-8])(=(?P<promotion>[QRBN]))?[+#]?[!?]*$'
)
MOVE_NUMBER = re.compile(r'^\d+\.+')
COMMENT = re.compile(r'\{[^}]*\}|;[^\n]*')
RESULTS = {'1-0': 1, '0-1': 0, '1/2-1/2': 0.5, '*': None}


def is_castling(board, move):
	return board.squares[move.start] in 'Kk' and abs(move.stop - move.start) == 2


def write_move(board, move):
	"""The shortest text that means only this move."""
	new = after(board, move)
	suffix = ''
	if in_check(new):
		suffix = '+' if legal_moves(new) else '#'
	if is_castling(board, move):
		return ('O-O' if move.stop > move.start else 'O-O-O') + suffix

	piece = board.squares[move.start]
	is_pawn = piece in 'Pp'
	takes = board.squares[move.stop] != EMPTY or (is_pawn and move.stop == board.passing)
	here = name_of(move.start)
	if is_pawn:
		prefix = here[0] if takes else ''
	else:
		prefix = piece.upper() + _disambiguate(board, move, piece)
	promotion = '=' + move.promotion.upper() if move.promotion else ''
	return prefix + ('x' if takes else '') + name_of(move.stop) + promotion + suffix


def _disambiguate(board, move, piece):
	rivals = [
		name_of(other.start) for other, _ in legal_moves(board)
		if other.stop == move.stop and other.start != move.start
		and board.squares[other.start] == piece
	]
	here = name_of(move.start)
	if not rivals:
		return ''
	if all(rival[0] != here[0] for rival in rivals):
		return here[0]
	if all(rival[1] != here[1] for rival in rivals):
		return here[1]
	return here


def read_move(board, text):
	"""Find the legal move that a text means.

	Raises IllegalMove when no move fits, or more than one does.
	"""
	bare = text.rstrip('+#!?').replace('0', 'O')
	candidates = [move for move, _ in legal_moves(board)]
	if bare in ('O-O', 'O-O-O'):
		step = 2 if bare == 'O-O' else -2
		fitting = [m for m in candidates if is_castling(board, m) and m.stop - m.start == step]
	else:
		match = SHORT.match(text)
		if match is None:
			raise IllegalMove('can not read %r' % text)
		kind = (match.group('piece') or 'P').lower()
		promotion = match.group('promotion')
		fitting = [
			m for m in candidates
			if m.stop == square(match.group('stop'))
			and board.squares[m.start].lower() == kind
			and m.promotion == (promotion and promotion.lower())
			and match.group('file') in (None, name_of(m.start)[0])
			and match.group('row') in (None, name_of(m.start)[1])
			and not is_castling(board, m)
		]
	if len(fitting) != 1:
		raise IllegalMove('%r fits %d moves' % (text, len(fitting)))
	return fitting[0]


def read_game(text):
	"""Replay the moves of a game; returns (game, score or None)."""
	game = Game()
	for word in COMMENT.sub(' ', text).split():
		if word in RESULTS:
			return game, RESULTS[word]
		word = MOVE_NUMBER.sub('', word)
		if word:
			game.push(read_move(game.board, word))
	return game, None


def write_game(moves, width=72):
	"""Number the moves and wrap the lines."""
	game = Game()
	words = []
	for move in moves:
		if len(game.moves) % 2 == 0:
			words.append('%d.' % (len(game.moves) // 2 + 1))
		words.append(write_move(game.board, move))
		game.push(move)
	lines = ['']
	for word in words:
		if len(lines[-1]) + 1 + len(word) > width:
			lines.append('')
		lines[-1] = (lines[-1] + ' ' + word).strip()
	return '\n'.join(lines)
