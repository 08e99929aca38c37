#!/bin/sh
# libcurls.sh [FOLDER]
# Put the oldest and the newest supported libcurl into FOLDER/<version> (default .cache/libcurl),
# to be run against with LD_LIBRARY_PATH=FOLDER/<version>. The oldest is Debian bullseye's, with
# those of its libraries that later suites lack; the newest is the one in PyPI's pycurl wheel.
# What has been fetched is not asked for again: delete FOLDER/<version> to refresh it.
set -eu
tools=$(cd "$(dirname "$0")" && pwd)
folder=${1:-.cache/libcurl}
python=${PYTHON:-python3}
mkdir -p "$folder"

install() { # install VERSION FILE...: complete or not there at all
    mkdir "$folder/$1.part"
    version=$1
    shift
    cp -P "$@" "$folder/$version.part"
    mv "$folder/$version.part" "$folder/$version"
}

exec 9>"$folder/.lock"
flock 9 # one at a time: the others find there what they came for
rm -rf "$folder"/*.part
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

if [ ! -d "$folder/7.74.0" ]; then
    "$tools/unpack-debs.sh" bullseye "$scratch/debian" libcurl4 libssl1.1 libldap-2.4-2
    find "$scratch/debian/usr/lib" -name '*.so*' ! -path '*/engines-*' >"$scratch/files"
    # shellcheck disable=SC2046  # Debian's file names have no spaces
    install 7.74.0 $(cat "$scratch/files")
fi

if [ ! -d "$folder/8.23.0" ]; then
    "$python" -m pip download -q --disable-pip-version-check --no-deps --only-binary :all: \
        --implementation cp --python-version 3.13 --abi cp313 --dest "$scratch" pycurl==7.49.0
    "$python" -m zipfile -e "$scratch"/pycurl-*.whl "$scratch/wheel"
    libs=$scratch/wheel/pycurl.libs
    ln -s "$(cd "$libs" && ls libcurl-*.so.4.*)" "$libs/libcurl.so.4"
    install 8.23.0 "$libs"/*
fi
