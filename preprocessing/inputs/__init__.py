"""Getting code into the FLCC v3 layout, which `preprocessing.build` reads.

A *source* is where the code comes from: the bundled data set, the running interpreter's standard
library, a published archive or a folder of checkouts. A *source tree* is the folder made from it:
`v3/` beside a manifest and a completion marker, so that a half-made one is never taken for whole.
"""
