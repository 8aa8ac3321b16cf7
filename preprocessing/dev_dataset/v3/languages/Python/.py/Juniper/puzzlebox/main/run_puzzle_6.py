"""Runs one puzzle on inputs from the command line."""

import argparse
import importlib
import json


def find(name):
    """The function of a puzzle, given as `module:function`."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module("puzzlebox." + module), function)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verbose", action="store_true", help="say what is being done")
    parser.add_argument("puzzle", help="for example ladders:longest_climb")
    parser.add_argument("inputs", nargs="*", help="each as JSON")
    options = parser.parse_args()
    inputs = [json.loads(text) for text in options.inputs]
    if options.verbose:
        print("running", options.puzzle, "on", inputs)
    print(json.dumps(find(options.puzzle)(*inputs)))


if __name__ == "__main__":
    main()
