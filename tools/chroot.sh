#!/bin/sh
# chroot.sh SUITE [COMMAND...]
# Make a Debian of another suite in .cache/chroots/SUITE, unless it is there, and run a command in it.
# Delete that folder to get a fresh one: nothing is ever mounted in it that other processes see, and
# what the command started ends with it.
set -eu
tools=$(cd "$(dirname "$0")" && pwd)
suite=$1
shift
root=$tools/../.cache/chroots/$suite

[ "$(id -u)" = 0 ] || {
    echo "$0: only root can make and enter a chroot" >&2
    exit 1
}

if [ ! -d "$root" ]; then
    mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' |
        sed -n 's/^Debian //p' | head -n 1)}
    [ -n "$mirror" ] || {
        echo "$0: apt knows no Debian mirror: run 'apt-get update' or set DEBIAN_MIRROR" >&2
        exit 1
    }
    rm -rf "$root.part"
    mkdir -p "$root.part"
    log=$root.log
    echo "Making a Debian $suite in .cache/chroots/$suite"
    debootstrap --variant=minbase "$suite" "$root.part" "$mirror" >"$log" 2>&1 || {
        tail -n 30 "$log" >&2
        exit 1
    }
    printf '#!/bin/sh\nexit 101\n' >"$root.part/usr/sbin/policy-rc.d" # start no services
    chmod +x "$root.part/usr/sbin/policy-rc.d"
    apt-config dump | # what the mirror needs
        sed -n '/^Acquire::\(Check-\|https*::\(.*::\)*Proxy \)/p' >"$root.part/etc/apt/apt.conf.d/host"
    rm "$log"
    mv "$root.part" "$root"
fi
[ $# -gt 0 ] || exit 0

# The machine's network, its proxies, and the certificates that its pip trusts.
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
for name in CI PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_TRUSTED_HOST PIP_DEFAULT_TIMEOUT \
    http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    if value=$(printenv "$name"); then
        set -- "$name=$value" "$@"
    fi
done
certificates=${PIP_CERT:-${REQUESTS_CA_BUNDLE:-${SSL_CERT_FILE:-}}}
if [ -n "$certificates" ]; then
    mkdir -p "$root/etc/ssl"
    cp -L "$certificates" "$root/etc/ssl/host-ca.pem"
    set -- PIP_CERT=/etc/ssl/host-ca.pem "$@"
fi
set -- HOME=/root LANG=C.UTF-8 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore "$@"
set -- PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"

# A shell stays as process 1 of the namespace: that one would not die of signals as others do.
# shellcheck disable=SC2016
exec unshare --mount --pid --fork --kill-child sh -euc '
    mount -t proc proc "$0/proc"
    mount --rbind /dev "$0/dev"
    chroot "$0" env -i "$@"
    exit 0
' "$root" "$@"
