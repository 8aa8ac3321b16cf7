"""The steps of a training: how they are run (session, precision) and what is reported of them."""
