"""Stand-ins for the CUDA libraries that pip installs: other libraries under their names."""

from __future__ import annotations

import pathlib
import shutil

from code_t5.training.devices import cuda_libraries


def small_library():
    """Returns a shared library of this machine that can be loaded again from a copy."""
    maps = pathlib.Path("/proc/self/maps").read_text().splitlines()
    found = {line.split(maxsplit=5)[5] for line in maps if line.count(" ") > 5 and ".so" in line}
    paths = [pathlib.Path(name) for name in found if pathlib.Path(name).is_file()]
    return min(paths, key=lambda path: (path.stat().st_size, path.name))


def install(folder, *, versions=None, without=()):
    """Writes stand-ins of all distributions but some as pip does.

    Args:
      folder: Where to.
      versions: Versions by distribution that differ from those wanted.
      without: Distributions that are left out.
    """
    library_path = small_library()
    for name, wanted in cuda_libraries.DISTRIBUTIONS.items():
        if name in without:
            continue
        record = []
        for library in cuda_libraries.LIBRARIES:
            if library.distribution == name:
                path = folder / library.folder / library.name
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(library_path, path)
                size = path.stat().st_size
                record.append(f"{library.folder}/{library.name},sha256=unchecked,{size}\n")
        version = (versions or {}).get(name, wanted)
        write_metadata(folder, name, version, record="".join(record))
    return folder


def write_metadata(folder, name, version, *, record="", requires=()):
    """Writes what pip writes of a distribution."""
    about = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    about.mkdir(parents=True, exist_ok=True)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {one}" for one in requires]
    (about / "METADATA").write_text("\n".join(lines) + "\n")
    (about / "RECORD").write_text(record)
    return about
