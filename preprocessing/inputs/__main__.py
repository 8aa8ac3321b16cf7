"""Makes a source tree: code from somewhere, laid out as `preprocessing.build` reads it.

python -m preprocessing.inputs --source python --output_dir DIR
python -m preprocessing.inputs --source archive --archive FILE_OR_URL --select 'A*' --output_dir DIR
python -m preprocessing.inputs --source checkouts --checkouts DIR --output_dir DIR
python -m preprocessing.inputs --source bundled --output_dir DIR
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence

from absl import flags

from code_t5 import command_line, errors
from preprocessing.inputs import archive, bundled, checkouts, python_library, source, tally, unpack

# Flag -> the sources that know it.
_SOURCES_OF_FLAG = {
    "archive": ("archive",),
    "select": ("archive",),
    "downloads_dir": ("archive",),
    "max_total_bytes": ("archive",),
    "max_members": ("archive",),
    "max_unpacked_bytes": ("archive",),
    "checkouts": ("checkouts",),
    "max_file_bytes": ("archive", "checkouts"),
}


def define_flags() -> None:
    """Defines the program's flags."""
    limits = unpack.ArchiveLimits()
    flags.DEFINE_enum(
        "source", None, ["bundled", "python", "archive", "checkouts"], "Where the code comes from.",
        required=True,
    )  # fmt: skip
    flags.DEFINE_string("output_dir", None, "Becomes the source tree.", required=True)
    flags.DEFINE_bool("overwrite", False, "Make the tree again, also from another source.")
    flags.DEFINE_string("archive", None, "Tar file, or its http or https address.")
    flags.DEFINE_list("select", ["*"], "Organisations to take of an archive: shell patterns.")
    flags.DEFINE_string(
        "downloads_dir", None, "Keeps fetched archives; default: downloads, beside --output_dir."
    )
    flags.DEFINE_string("checkouts", None, "Folder that holds repositories.")
    for name, what in (
        ("max_file_bytes", "A larger file is skipped."),
        ("max_total_bytes", "A selection of an archive with more is refused."),
        ("max_members", "An archive with more entries is refused."),
        ("max_unpacked_bytes", "An archive that unpacks to more, wanted or not, is refused."),
    ):
        flags.DEFINE_integer(name, getattr(limits, name), what, lower_bound=1)


def _check_flags(kind: str) -> None:
    """Refuses flags that the source does not know, and misses those that it needs.

    Raises:
      InputError: A flag is missing or has no meaning.
    """
    for name, kinds in _SOURCES_OF_FLAG.items():
        if flags.FLAGS[name].present and kind not in kinds:
            raise errors.InputError(
                f"--{name} means nothing to --source {kind}; wanted with it: --source "
                f"{' or '.join(kinds)}; leave one of the two out"
            )
    if kind in ("archive", "checkouts") and not getattr(flags.FLAGS, kind):
        raise errors.InputError(
            f"--source {kind} says not where; wanted --{kind} as well; add it to the command"
        )
    if not all(flags.FLAGS.select) or not flags.FLAGS.select:
        raise errors.InputError("--select holds an empty pattern; wanted one such as 'A*'")


def _source_from_flags(output_dir: pathlib.Path) -> source.Source:
    values = flags.FLAGS
    _check_flags(values.source)
    if values.source == "bundled":
        return bundled.BundledSource()
    if values.source == "python":
        return python_library.PythonLibrarySource()
    if values.source == "checkouts":
        return checkouts.CheckoutsSource(
            os.path.expanduser(values.checkouts), max_file_bytes=values.max_file_bytes
        )
    downloads_dir = values.downloads_dir or output_dir.parent / "downloads"
    return archive.ArchiveSource(
        values.archive if "://" in values.archive else os.path.expanduser(values.archive),
        selection=values.select,
        downloads_dir=pathlib.Path(downloads_dir).expanduser().absolute(),
        limits=unpack.ArchiveLimits(
            max_file_bytes=values.max_file_bytes,
            max_total_bytes=values.max_total_bytes,
            max_members=values.max_members,
            max_unpacked_bytes=values.max_unpacked_bytes,
        ),
    )


def main(argv: Sequence[str]) -> None:
    """Makes the tree that the flags ask for and prints what is in it.

    Args:
      argv: The program's name; everything else is a flag.

    Raises:
      InputError: Something that is no flag was given.
    """
    if len(argv) > 1:
        raise errors.InputError(f"what is {argv[1]!r}? wanted flags only, such as --source python")
    output_dir = pathlib.Path(flags.FLAGS.output_dir).expanduser().absolute()
    chosen = _source_from_flags(output_dir)
    fields, is_new = source.prepare_tree(
        chosen, output_dir=output_dir, overwrite=flags.FLAGS.overwrite
    )
    if not is_new:
        print(f"{output_dir} is there already and was not made again (--overwrite does)")
    print(f"{fields['description']}: {tally.summary(fields['counts'])}")
    print(f"source tree: {output_dir}")


if __name__ == "__main__":
    define_flags()
    command_line.run(main)
