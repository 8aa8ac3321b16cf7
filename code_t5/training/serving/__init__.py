"""A SavedModel behind HTTP: the REST form of TensorFlow Serving, and a page to try it."""
