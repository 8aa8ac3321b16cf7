"""`env.sh`: what a shell sources so that the libraries find a root, and no network is asked.

The file finds its own place, so that it is the same in every root and goes on working where the
root is copied to. It is for bash and zsh.
"""

from __future__ import annotations

import pathlib

from code_t5.hf_artifacts.cache_root import OFFLINE_FLAGS, CacheRoot
from code_t5.storage import atomic

_HEAD = """\
# shellcheck shell=bash
# Makes Hugging Face's libraries read the cache that this file lies in.
#
#     source env.sh            nothing but what is cached; the network is not asked
#     source env.sh online     the same cache, and the Hub may be asked
#
# For bash and zsh. Written by precache.py of code_t5; it may be copied with its directory. A script
# passes its own first argument on: where that may be "online", write `source env.sh offline`.

if [ -n "${BASH_VERSION:-}" ]; then
  _code_t5_file="${BASH_SOURCE[0]}"
  if [ "$_code_t5_file" = "$0" ]; then
    echo "env.sh was run; wanted to be read by your shell; type: source '$0'" >&2
    exit 1
  fi
elif [ -n "${ZSH_VERSION:-}" ]; then
  eval '_code_t5_file="${(%):-%x}"'
else
  echo "env.sh is read by a shell that is neither bash nor zsh; use one of these" >&2
  # shellcheck disable=SC2317
  return 1 2>/dev/null || exit 1
fi

_code_t5_root="$(command dirname -- "$_code_t5_file")"
_code_t5_root="$(CDPATH='' builtin cd -- "$_code_t5_root" >/dev/null && pwd)"
if [ ! -d "$_code_t5_root/hub" ]; then
  echo "env.sh finds no hub/ beside itself in '$_code_t5_root'; keep it in its cache" >&2
  unset _code_t5_file _code_t5_root
  return 1
fi

# Whoever is logged in stays so: the token lies where HF_HOME was until now.
if [ -z "${HF_TOKEN:-}" ] && [ -z "${HF_TOKEN_PATH:-}" ]; then
  _code_t5_home="${HF_HOME:-${XDG_CACHE_HOME:-${HOME:-}/.cache}/huggingface}"
  if [ "$_code_t5_home" != "$_code_t5_root" ] && [ -r "$_code_t5_home/token" ]; then
    export HF_TOKEN_PATH="$_code_t5_home/token"
  fi
  unset _code_t5_home
fi

if [ "${1:-}" = online ]; then _code_t5_offline=0; else _code_t5_offline=1; fi
"""

_FOOT = """\
export HF_HUB_DISABLE_TELEMETRY=1
unset _code_t5_file _code_t5_root _code_t5_offline
"""

_ROOT = "/ROOT"


def env_text() -> str:
    """Returns what `env.sh` holds: the same for every root."""
    values = CacheRoot(_ROOT).environment(is_offline=True)
    lines = []
    for name, value in values.items():
        shown = value.replace(_ROOT, "$_code_t5_root", 1)
        shown = "$_code_t5_offline" if name in OFFLINE_FLAGS else shown
        lines.append(f'export {name}="{shown}"\n')
    return _HEAD + "".join(lines) + _FOOT


def write_env_file(root: CacheRoot) -> pathlib.Path:
    """Writes `env.sh` into a root, unless it is there already.

    Args:
      root: Where.

    Returns:
      The file.
    """
    wanted = env_text().encode("ascii")
    path = root.env_path
    if not (path.is_file() and path.read_bytes() == wanted):
        atomic.write_file(path, wanted)
    return path
