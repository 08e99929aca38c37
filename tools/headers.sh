#!/bin/sh
# headers.sh [FOLDER]
# Put the curl headers of Debian's suites into FOLDER/<version>/curl (default .cache/headers).
# A suite that has been fetched is not asked again: delete FOLDER/.<suite> to refresh it.
set -eu
tools=$(cd "$(dirname "$0")" && pwd)
folder=${1:-.cache/headers}
mkdir -p "$folder"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

for suite in bullseye bookworm trixie sid; do
    stamp=$folder/.$suite
    [ ! -e "$stamp" ] || continue
    "$tools/unpack-debs.sh" "$suite" "$scratch" libcurl4-openssl-dev
    curl=$(dirname "$(find "$scratch/usr/include" -name curlver.h)")
    version=$(sed -n 's/^#define LIBCURL_VERSION "\([0-9.]*\).*/\1/p' "$curl/curlver.h")
    rm -rf "${folder:?}/$version"
    mkdir "$folder/$version"
    cp -r "$curl" "$folder/$version/curl"
    rm -rf "${scratch:?}"/*
    echo "$version" >"$stamp"
done
