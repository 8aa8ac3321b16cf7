#!/usr/bin/env bash
# Puts code into the layout that the build reads, and builds the data set from it. See --help.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
  cat <<'HELP'
usage: build_dev_dataset.sh [--data_dir DIR] [--name NAME] [SOURCE] [--overwrite] [-- FLAGS]

Makes a data set that T5 can be trained on: a source tree in DATA_DIR/sources/NAME, then TFDS
records in DATA_DIR/flcc/NAME. Run again, it goes on where it stopped.

SOURCE is one of
  --from_python            the standard library of the Python that runs; nothing is downloaded (default)
  --bundled                the small data set that comes with the project
  --archive FILE_OR_URL    a published archive in FLCC layout (.tar.gz, .tar.bz2, .tar.xz or .tar)
      [--select 'A*,B*']   of it, the organisations that match; all if left out
  --checkouts DIR          a folder of repositories: DIR/REPOSITORY or DIR/ORGANISATION/REPOSITORY

  --data_dir DIR   where everything goes (default: $CODE_T5_DATA_DIR, else data in the current folder)
  --name NAME      name of the data set (default: dev_python, dev_bundled, dev, dev_checkouts)
  --overwrite      make the source tree and the data set again
  -- FLAGS         handed to preprocessing.build, for example: -- --language all --vocab_size 4000

PYTHON names the interpreter (default: .venv/bin/python of the project if there, else python3).
HELP
}

fail() {
  printf 'error: %s\n' "$1" >&2
  exit 1
}

absolute() {
  case "$1" in
    /*) printf '%s' "$1" ;;
    '~/'*) printf '%s' "$HOME/${1#'~/'}" ;;
    *) printf '%s' "$PWD/$1" ;;
  esac
}

# A command as it could be typed; what an address may hold of secrets is left out.
show() {
  local word line=""
  for word in "$@"; do
    case "$word" in
      *://*) word=$(printf '%s' "$word" | sed -E 's#://[^/?\#]*@#://...@#; s#[?\#].*#?...#') ;;
    esac
    printf -v word '%q' "$word"
    line+=" $word"
  done
  printf '\n+%s\n' "$line" >&2
}

run() {
  show "$@"
  "$@"
}

data_dir=${CODE_T5_DATA_DIR:-$PWD/data}
name="" source="" archive="" checkouts="" select=""
overwrite=()
build_flags=()

choose() {
  [ -z "$source" ] || fail "two sources, $source and $1; wanted one"
  source=$1
}

while [ $# -gt 0 ]; do
  flag=$1
  shift
  # --flag=value is --flag value.
  case "$flag" in
    --*=*) set -- "${flag#*=}" "$@"; flag=${flag%%=*} ;;
  esac
  case "$flag" in
    --data_dir | --name | --archive | --select | --checkouts)
      [ $# -gt 0 ] && [ -n "$1" ] || fail "$flag needs a value; see --help" ;;
  esac
  case "$flag" in
    --data_dir) data_dir=$1; shift ;;
    --name) name=$1; shift ;;
    --bundled) choose bundled ;;
    --from_python) choose python ;;
    --archive) choose archive; archive=$1; shift ;;
    --select) select=$1; shift ;;
    --checkouts) choose checkouts; checkouts=$1; shift ;;
    --overwrite) overwrite=(--overwrite) ;;
    --) build_flags=("$@"); break ;;
    -h | --help | -help) usage; exit 0 ;;
    *) fail "unknown argument ${flag@Q}; see --help" ;;
  esac
done

: "${source:=python}"
[ -z "$select" ] || [ "$source" = archive ] || fail "--select goes with --archive only; see --help"
if [ -z "$name" ]; then
  name=dev_$source
  [ "$source" != archive ] || name=dev
fi
[[ $name =~ ^[A-Za-z][A-Za-z0-9_]*$ ]] \
  || fail "--name ${name@Q} cannot name a data set; wanted a letter, then letters, digits and underscores"
data_dir=$(absolute "$data_dir")

python=${PYTHON:-}
if [ -z "$python" ]; then
  python=python3
  [ ! -x "$root/.venv/bin/python" ] || python=$root/.venv/bin/python
elif [[ $python == */* ]]; then
  python=$(absolute "$python")
fi
command -v "$python" >/dev/null || fail "there is no interpreter $python; wanted Python 3.9 to 3.11; set PYTHON"

source_flags=()
case "$source" in
  archive)
    [[ $archive == *://* ]] || archive=$(absolute "$archive")
    source_flags=(--archive "$archive" --downloads_dir "$data_dir/downloads")
    [ -z "$select" ] || source_flags+=(--select "$select")
    ;;
  checkouts) source_flags=(--checkouts "$(absolute "$checkouts")") ;;
esac

# The project's own packages come first, wherever this was called from.
cd -- "$root"
"$python" -c 'import absl, numpy, pyarrow, requests, sentencepiece, tqdm' 2>/dev/null \
  || fail "$python lacks what code_t5 needs; run 'make environment' in $root, or set PYTHON"

printf 'two commands make the data set %s; they run in %s\n' "$name" "$root" >&2
tree="$data_dir/sources/$name"
run "$python" -m preprocessing.inputs --source "$source" ${source_flags[@]+"${source_flags[@]}"} \
  --output_dir "$tree" ${overwrite[@]+"${overwrite[@]}"}
run "$python" -m preprocessing.build --input_dir "$tree" --data_dir "$data_dir" \
  --name "$name" ${overwrite[@]+"${overwrite[@]}"} ${build_flags[@]+"${build_flags[@]}"}
