"""Where documents come from: the Hub, the disk, prepared data sets, any iterable."""
