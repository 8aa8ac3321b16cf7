# -*- coding: utf-8 -*-
'''What `tabulon --explain WORD` prints; each text is one line, because the terminal wraps it.'''

EXPLANATIONS = {
    'delimiter': 'The character between two cells. Tabulon looks at the first twenty lines and takes the candidate that splits most of them into the same number of cells; when a file mixes commas in numbers with semicolons between cells this goes well, and when it does not you can say --delimiter yourself.',
    'missing': 'A cell that says nothing: it is empty, or holds a dash, a question mark, n/a, null or none. Missing cells are left out of every sum, mean and median, they are not counted by count, and they come last when rows are sorted, whatever the direction.',
    'kind': 'What a column holds: yes and no, numbers, dates or text. A column is of the first of these kinds that can read every one of its cells; up to five in a hundred unreadable cells are forgiven when a column is summed, since people write remarks such as "see below" between their numbers.',
    'pivot': 'Turns long tables into wide ones. The values of one column become the titles of new columns, the values of another stay at the left, and each crossing shows the sum, or whatever you asked for, of the rows that fall there. A crossing without rows stays empty unless --fill gives a value.',
    'share': 'What part of the column each row makes up, in percent, with one digit after the point. Shares are rounded each by itself, so that a column of shares may add up to 99.9 or 100.1; no row is changed to make the total look better, because that row would then be wrong.',
    'period': 'Weeks, months, quarters or years to which dates are cut before rows are grouped. Weeks follow the international rule: they begin on a Monday, and the first week of a year is the one that holds its first Thursday, so that the last days of December may belong to week one of the next year.',
    'warnings': 'What had to be mended while the file was read, such as rows with too few or too many cells. Warnings go to the standard error stream and do not change the exit status; use --strict to turn every one of them into an error, which is what you want in a nightly job.',
}


def explain(word):
    return EXPLANATIONS.get(word.lower(), 'Nothing is known about %r. Known words: %s.' % (word, ', '.join(sorted(EXPLANATIONS))))
