#!/usr/bin/env bash
# Makes the virtual environment of requirements.lock, or leaves it alone where it is up to date.
#
#   [PYTHON=INTERPRETER] scripts/make_environment.sh [DIRECTORY]        (default: .venv)
#
# An environment is up to date when its stamp, written last, names this lock, this place and
# its interpreter. Anything else (half-made, moved, of another lock) is made again from nothing,
# since two of its distributions share a folder and cannot be replaced one by one.
set -euo pipefail
cd "$(dirname "$0")/.."
unset PYTHONHOME PYTHONPATH
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_USER=0

venv=${1:-.venv}
stamp="$venv/.requirements_stamp"      # the lock that is installed
package_stamp="$venv/.package_stamp"   # the setup.py that is installed
marker="$venv/.made_by_code_t5"        # written first: this directory may be removed

fail() { printf '%s\n' "$1" >&2; exit 1; }
version_of() { "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null || true; }
hash_of() { sha256sum "$@" | sha256sum | cut -c1-64; }
stamp_for() { printf '%s %s %s\n' "$(hash_of requirements.lock)" "$1" "$(realpath -m "$venv")"; }

find_python() {
  local candidates=(python3.11 python3.10 python3.9 python3) candidate version seen="no python3"
  [ -z "${PYTHON:-}" ] || candidates=("$PYTHON")
  for candidate in "${candidates[@]}"; do
    version=$(version_of "$candidate")
    case "$version" in
      3.9.* | 3.10.* | 3.11.*) python=$candidate; python_version=$version; return ;;
      ?*) seen="$candidate, which is Python $version" ;;
      *) [ -z "${PYTHON:-}" ] || seen="$PYTHON, which does not run" ;;
    esac
  done
  fail "code_t5 needs Python 3.9, 3.10 or 3.11 (TensorFlow 2.12 has no wheel for others) and found $seen: install python3.11 (Debian 12: apt-get install python3 python3-venv; elsewhere: uv python install 3.11, or pyenv install 3.11) or name one, as in: make demo PYTHON=/path/to/python3.11"
}

check_place() {
  [ "$(uname -sm)" = "Linux x86_64" ] \
    || fail "requirements.lock is for Linux on x86-64 and this is $(uname -sm): run it in a container of that kind."
  "$python" -c 'import ensurepip, venv' 2>/dev/null \
    || fail "$python cannot make virtual environments (no ensurepip): apt-get install python${python_version%.*}-venv, then run the same command again."
  if [ -e "$venv" ] && [ ! -e "$marker" ] && [ ! -e "$venv/pyvenv.cfg" ] && [ -n "$(ls -A "$venv")" ]; then
    fail "$venv holds something that is not a virtual environment: move it away, or name another place (make demo VENV=DIRECTORY)."
  fi
  rm -rf "$venv"
  mkdir -p "$venv"
  local free_gb=$(($(df --output=avail -k "$venv" | tail -n 1) / 1000000))
  [ "$free_gb" -ge 10 ] \
    || fail "The environment takes 8 GB, 10 while it is made, and $venv has $free_gb GB free: make room, or name another place (make demo VENV=DIRECTORY)."
}

install_lock() {
  local pip=("$venv/bin/python" -m pip install --no-deps --no-compile --no-build-isolation)
  printf 'Making %s with %s (Python %s): about 3 GB to download and 3 minutes, once.\n' "$venv" "$python" "$python_version"
  touch "$marker"
  "$python" -m venv "$venv"
  # First what builds the few distributions that come as source.
  "${pip[@]}" --quiet $(grep -E '^(setuptools|wheel)==' requirements.lock)
  "${pip[@]}" --requirement requirements.lock
  stamp_for "$python_version" >"$stamp"
}

exec 9<requirements.lock
flock --nonblock 9 || { echo "Another make works on the environment: waiting for it."; flock 9; }
installed=$(version_of "$venv/bin/python")
wanted=$installed
[ -z "${PYTHON:-}" ] || wanted=$(version_of "$PYTHON")
if [ -z "$installed" ] || [ "$(cat "$stamp" 2>/dev/null)" != "$(stamp_for "$wanted")" ]; then
  find_python
  check_place
  install_lock
fi
if [ "$(cat "$package_stamp" 2>/dev/null)" != "$(hash_of setup.py)" ]; then
  "$venv/bin/python" -m pip install --quiet --no-deps --no-build-isolation --editable .
  hash_of setup.py >"$package_stamp"
fi
