"""What the stores share and no framework is needed for.

Text to ids: the vocabularies of data sets, and their quick encoder. Numbers by formula, and the
order in which what is stored is read.
"""
