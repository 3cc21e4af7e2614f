#!/bin/sh
# Installs Ersatz @version@ from the folder of this script, without internet:
#
#     sh install.sh [FOLDER]
#
# FOLDER (./ersatz unless given) becomes a virtual environment with the program and its pretrained weights.
# PYTHON names the Python to use: PYTHON=/opt/python/bin/python3 sh install.sh
set -eu

python=@python@
machine=@machine@
glibc=@glibc@ # the 28 of 2.28
kilobytes=@kilobytes@

fail() {
    echo "$*" >&2
    exit 1
}

[ $# -le 1 ] || fail "$# arguments were given; one is expected at most. Use: sh install.sh [FOLDER]"
bundle=$(cd "$(dirname "$0")" && pwd)
case ${1:-ersatz} in
/*) target=${1:-ersatz} ;;
*) target=$PWD/${1:-ersatz} ;;
esac

# The machine, and its Python
found="$(uname -s) $(uname -m)"
[ "$found" = "Linux $machine" ] ||
    fail "This machine is $found; the bundle is for Linux $machine. Make one with: bundle --machine $(uname -m)"
chosen=${PYTHON:-}
if [ -z "$chosen" ]; then
    for name in "python$python" python3 python; do
        if [ -z "$chosen" ] && command -v "$name" >/dev/null; then chosen=$name; fi
    done
fi
[ -n "$chosen" ] ||
    fail "No Python was found; Python $python is expected. Load its module, or name it: PYTHON=/path/to/python3 sh install.sh"
found=$("$chosen" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) ||
    fail "$chosen does not run; Python $python is expected. Name another: PYTHON=/path/to/python3 sh install.sh"
[ "$found" = "$python" ] ||
    fail "$chosen is Python $found; the bundle is for Python $python. Name another (PYTHON=python$python sh install.sh), or make a bundle with --python $found."
"$chosen" -c 'import venv, ensurepip' 2>/dev/null ||
    fail "$chosen has no module venv or ensurepip, with which an environment is made. Install it (Debian: python$python-venv), or name another Python: PYTHON=/path/to/python3 sh install.sh"
found=$("$chosen" -c 'import platform; print(" ".join(platform.libc_ver()))')
minor=${found#glibc 2.}
case $minor in
'' | *[!0-9]*) minor=0 ;;
esac
[ "$minor" -ge "$glibc" ] ||
    fail "This machine has ${found:-no glibc}; glibc 2.$glibc or newer is expected. Make a bundle with --glibc of this machine, or use a container."

# Room
if [ -e "$target" ] && [ -n "$(ls -A "$target" 2>/dev/null || echo file)" ]; then
    fail "$target holds something already; a new or empty folder is expected. Name another: sh install.sh FOLDER"
fi
above=$target
while [ ! -e "$above" ]; do above=$(dirname "$above"); done
[ -w "$above" ] || fail "$above cannot be written; a writable folder is expected. Name another: sh install.sh FOLDER"
free=$(df -Pk "$above" | awk 'NR == 2 {print $4}')
[ "$free" -ge "$kilobytes" ] ||
    fail "The disk that holds $target has $((free / 1024)) MiB free; $((kilobytes / 1024)) MiB are expected. Free some, or name a folder elsewhere: sh install.sh FOLDER"

# The files of the bundle
echo "Checking the files of the bundle"
if ! sums=$(cd "$bundle" && sha256sum -c SHA256SUMS 2>/dev/null); then
    broken=$(echo "$sums" | sed -n 's/: FAILED.*//p' | tr '\n' ' ')
    fail "These files of the bundle are missing or differ from SHA256SUMS: ${broken:-SHA256SUMS itself }- copy the bundle again."
fi

# From here on, nothing stays of what does not end well
made=
trap '[ -n "$made" ] || rm -rf "$target"' EXIT
trap 'exit 130' INT TERM HUP
"$chosen" -m venv "$target" || fail "$chosen could not make an environment in $target, for the reason above."
# No settings of pip count, each of which could name an index that is not there, and no packages of elsewhere
for name in $(env | sed -n 's/^\(PIP_[A-Z_]*\)=.*/\1/p'); do unset "$name"; done
unset PYTHONPATH
export PIP_CONFIG_FILE=/dev/null
pip() { "$target/bin/python" -m pip --disable-pip-version-check --quiet install --no-index --no-cache-dir "$@"; }
echo "Installing into $target, which takes some minutes"
pip --find-links "$bundle/wheels" --require-hashes -r "$bundle/requirements.lock" ||
    fail "pip could not install the wheels, for the reason above. Look whether the disk is full, and start again."
weights=
for file in "$bundle"/weights/*; do
    case $file in
    *.whl) pip --no-deps "$file" || fail "pip could not install $file, for the reason above." ;;
    *'/*') ;; # there are none
    *)
        weights=$target/weights/hub/checkpoints
        mkdir -p "$weights"
        cp "$file" "$weights/" || fail "$file could not be copied into $weights, for the reason above."
        ;;
    esac
done
if [ -n "$weights" ]; then
    export TORCH_HOME="$target/weights"
fi

# Does it run?
echo "Trying it"
export ERSATZ_HOME="$target/trial"
if (cd "$target" && "$target/bin/python" -m engine --help) >/dev/null; then made=1; fi
[ -n "$made" ] || fail "The program was installed and does not start, for the reason above; it has been removed again."
(cd "$target" && "$target/bin/python" -m engine doctor) || doctor=failed
rm -rf "$ERSATZ_HOME"

echo
echo "Ersatz @version@ is installed: $target/bin/ersatz --help"
if [ -n "$weights" ]; then
    echo "It finds its pretrained weights with this line, also in scripts of jobs:"
    echo "    export TORCH_HOME='$TORCH_HOME'"
fi
[ -z "${doctor:-}" ] || fail "The doctor found that something of this machine fails (above); mend it, and run: $target/bin/ersatz doctor"
