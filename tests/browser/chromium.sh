#!/bin/sh
# Makes sure that there is a Chromium: one on PATH, or else Debian's.

is_there() {
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        command -v "$name" > /dev/null && return 0
    done
    return 1
}

fail() {
    echo "The browser tests need Chromium: $1" >&2
    exit 1
}

is_there && exit 0
command -v apt-get > /dev/null || fail "install chromium or google-chrome, so that it is on PATH."
as_root="env"
if [ "$(id -u)" != 0 ]; then
    sudo -n true 2> /dev/null || fail "as root, run: apt-get install chromium"
    as_root="sudo -n env"
fi
echo "Installing Chromium; this takes a minute."
$as_root apt-get -qq update \
    && $as_root DEBIAN_FRONTEND=noninteractive \
        apt-get -qq install -y --no-install-recommends chromium > /dev/null \
    || fail "apt-get could not install the package chromium."
is_there || fail "the package chromium has brought no program of that name."
