"""Stages of a build as steps of an Apache Beam runner, for `preprocessing.beam_build`."""
