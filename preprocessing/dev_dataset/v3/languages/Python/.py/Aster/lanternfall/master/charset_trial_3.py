"""Texts that have broken a terminal, a font or a tokenizer once.

Each is shown by `python -m lanternfall.charset_trial`; what a player's terminal
cannot show is replaced in the game.
"""

import unicodedata

TEXTS = {
	'dotted capital C': 'Ċ and ċ, not the newline that some vocabularies write so: aĊb ĠĊĠ',
	'lower one eighth block': '▁ at the start, in the▁middle, ▁▁ twice, at the end ▁',
	'looks like a sentinel': '<extra_id_0> <extra_id_99> <extra_id_100> < extra_id_1 > <EXTRA_ID_0>',
	'looks like a piece': '</s> <s> <unk> <pad> <0x0A> <0x00> <0xFF> <mask> [MASK] <|endoftext|>',
	'tabs	and	spaces': '	a		b 	 c    d	',
	'emoji': '🔦🗝️🐉 👩‍👩‍👧‍👦 👍🏽 🏴‍☠️ 🇮🇸',
	'combining marks': 'é ñ ạ̊ Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤',
	'composed and not': 'é é Å Å Å ﬁ fi ½ 1/2 Ａ A',
	'both directions': 'abc אבג def مرحبا ‮back‬ ‏‎',
	'wide and old': '漢字かなカナ 한글 𝔉𝔯𝔞𝔨𝔱𝔲𝔯 𐌰𐌱𐌲 𓀀',
	'spaces': 'a b c​d⁠e　f﻿g h',
	'line ends of other kinds': 'one two threefourfivesix',
	'controls': '',
	'more controls': '',
	'private and unassigned': '󰀀􏿽 � ￿￾􏿿',
}

TRAILING = 'spaces follow this line'    
INDENTED_BY_TAB_AND_SPACE = (
 	 'mixed'
)


def is_plain(text):
	return all(32 <= ord(character) < 127 for character in text)


def without_marks(text):
	"""Drops what combines with the letter before it."""
	spread = unicodedata.normalize('NFD', text)
	return ''.join(c for c in spread if not unicodedata.combining(c))


def shown(text, encoding='ascii'):
	"""The text as a terminal of this encoding can show it."""
	pieces = []
	for character in text:
		try:
			character.encode(encoding)
		except UnicodeEncodeError:
			character = without_marks(character)
			character = character if is_plain(character) else '?'
		pieces.append(character if character.isprintable() else '?')
	return ''.join(pieces)


if __name__ == '__main__':
	for name, text in sorted(TEXTS.items()):
		print('%-26s %s' % (name, shown(text)))
	# no newline after the next line