"""Where seqio starts: sources, vocabularies, preprocessors, Tasks and Mixtures."""
