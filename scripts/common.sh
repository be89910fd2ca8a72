# shellcheck shell=sh
# Shared by scripts/demo and scripts/test. POSIX sh, sourced from the root of the checkout.
# A virtual environment in .venv (or $RTKARAOKE_VENV) is made once and used again.

VENV=${RTKARAOKE_VENV:-.venv}

say() { printf '\n== %s\n' "$*"; }
note() { printf '   %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Run as root: directly, or by sudo, which may ask for the password only where somebody can type it.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif ! command -v sudo >/dev/null 2>&1; then return 1
    elif [ -t 0 ]; then sudo "$@"
    else sudo -n "$@"
    fi
}

# A Python from 3.11 to 3.13 that really starts and can make virtual environments.
find_python() {
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
        then
            echo "$candidate"
            return 0
        fi
    done
    return 1
}

missing_packages() {
    find_python >/dev/null || echo python3 python3-venv
    # ldconfig is not on every user's PATH
    PATH=$PATH:/usr/sbin:/sbin ldconfig -p 2>/dev/null | grep -q 'libportaudio\.so\.2' || echo libportaudio2
    [ "$1" != for-tests ] || command -v jackd >/dev/null 2>&1 || echo jackd2
    [ "$1" != for-tests ] || command -v chromium >/dev/null 2>&1 || echo chromium
}

# system_packages [for-tests]: PortAudio for the sound card; for the tests JACK, whose dummy driver is one, and a browser.
system_packages() {
    case $(uname -s) in
        Linux)
            packages=$(missing_packages "${1:-}" | tr '\n' ' ')
            [ -n "$packages" ] || return 0
            say "system packages: $packages"
            # shellcheck disable=SC2086 # one word per package
            if ! command -v apt-get >/dev/null 2>&1; then
                note "no apt here: please install what this system calls $packages"
            elif ! { as_root apt-get update -q && as_root env DEBIAN_FRONTEND=noninteractive \
                    apt-get install -y -q --no-install-recommends $packages; } >"$LOG" 2>&1; then
                tail -n 3 "$LOG" >&2
                note "could not install them. As root: apt-get install --no-install-recommends $packages"
            fi
            ;;
        Darwin)
            [ "${1:-}" != for-tests ] || command -v jackd >/dev/null 2>&1 ||
                note "tests of the live path need JACK: brew install jack (they are skipped without)"
            ;;
    esac
}

# environment EXTRAS: the package, editable, in $VENV. Runs pip only when something changed.
environment() {
    "$VENV/bin/python" -c '' 2>/dev/null || {
        python=$(find_python) ||
            die "no Python 3.11 to 3.13 that can make a virtual environment. Debian, Ubuntu: apt-get install python3 python3-venv; \
macOS: brew install python@3.12. Or name one: PYTHON=/path/to/python3.12 $0"
        say "virtual environment in $VENV ($("$python" --version))"
        rm -rf "$VENV"
        "$python" -m venv "$VENV"
    }
    stamp="$VENV/rtkaraoke$1"
    state="$(pwd) $(cksum <pyproject.toml)"
    [ "$(cat "$stamp" 2>/dev/null)" = "$state" ] && return 0
    say "packages: .$1"
    # torch is wanted by the tests of the training code only. On Linux the build without CUDA is a tenth of the size;
    # where its index cannot be reached, pip goes on without it.
    case $1,$(uname -s) in
        *train*,Linux) "$VENV/bin/python" -m pip install -qq --retries 0 "$TORCH" --extra-index-url https://download.pytorch.org/whl/cpu ;;
        *train*) "$VENV/bin/python" -m pip install -qq "$TORCH" ;;
    esac || return 1
    "$VENV/bin/python" -m pip install -qq -e ".$1" || return 1
    echo "$state" >"$stamp"
}

LOG=$(mktemp)
trap 'rm -f "$LOG"' EXIT
