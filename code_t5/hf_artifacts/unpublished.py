"""Takes a commit out of `hub/` again when what was asked of it turned out to be impossible.

Nobody should find a snapshot there that no record speaks of. What was fetched stays among the
blobs: the next request that wants it need not fetch it.
"""

from __future__ import annotations

import contextlib
import pathlib
import shutil
from collections.abc import Iterator

from code_t5 import errors
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.requests import ArtefactRequest
from code_t5.storage import atomic


@contextlib.contextmanager
def removed_on_failure(root: CacheRoot, *, request: ArtefactRequest, commit: str) -> Iterator[None]:
    """Removes the snapshot that the block made if the request fails for good.

    Whoever calls this holds the lock of the repository.

    Args:
      root: Where.
      request: What.
      commit: Of its repository.

    Yields:
      Nothing.

    Raises:
      InputError: As the block raised it: no other try would do better.
    """
    from code_t5.hf_artifacts.fetching import refs, repository_links

    folder = root.hub_dir / repository_links.folder_name(request)
    snapshot, ref = folder / "snapshots" / commit, refs.ref_path(root, request)
    was_there, before = snapshot.exists(), ref.read_bytes() if ref.is_file() else None
    try:
        yield
    except errors.InputError:
        with contextlib.suppress(OSError):
            if not was_there:
                shutil.rmtree(snapshot, ignore_errors=True)
                _put_back(ref, before)
        raise


def _put_back(ref: pathlib.Path, before: bytes | None) -> None:
    if before is None:
        ref.unlink(missing_ok=True)
    else:
        atomic.write_file(ref, before)
