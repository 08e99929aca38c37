#!/bin/sh
# unpack-debs.sh SUITE FOLDER PACKAGE...
# Unpack packages of any Debian suite into FOLDER, without installing or configuring anything.
# apt works on a private state beside the folder and asks the mirror that the machine itself uses.
set -eu
suite=$1 folder=$2
shift 2

mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(LABEL)|$(REPO_URI)' 'Created-By: Packages' |
    sed -n 's/^Debian|//p' | head -n 1)}
[ -n "$mirror" ] || {
    echo "$0: apt knows no Debian mirror: run 'apt-get update' or set DEBIAN_MIRROR" >&2
    exit 1
}

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
state=$folder/.apt
mkdir -p "$state/lists/partial" "$state/archives/partial" "$state/debs"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keyring] $mirror $suite main" >"$state/sources.list"
: >"$state/status"

private_apt() {
    apt-get -qq \
        -o Dir::Etc::SourceList="$state/sources.list" -o Dir::Etc::SourceParts=- \
        -o Dir::State="$state" -o Dir::State::Lists="$state/lists" \
        -o Dir::State::Status="$state/status" -o Dir::Cache="$state" \
        -o Acquire::Languages=none -o APT::Sandbox::User="$(id -un)" "$@"
}
private_apt update
(cd "$state/debs" && private_apt download "$@")
for deb in "$state"/debs/*.deb; do
    dpkg -x "$deb" "$folder"
done
rm -r "$state"
