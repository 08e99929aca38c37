#!/bin/sh
# apt-packages.sh GROUP...
# Install the system packages of the groups below that are missing. Each is looked for by what it is
# needed for, not by its name: where all is there, nothing is installed and nobody needs to be root.
set -eu
python=${PYTHON:-python3}
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

build() { # to compile the extension, in a virtual environment
    case ${python##*/} in
    python) debian=python3 ;;
    *) debian=${python##*/} ;; # python3, python3.13 and pypy3 are Debian's names too
    esac
    need "$debian" has "$python"
    need "$debian-venv" runs 'import venv, ensurepip'
    need "$debian-dev" runs 'import os, sysconfig; open(os.path.join(sysconfig.get_path("include"), "Python.h"))'
    need gcc has cc
    need libc6-dev compiles '#include <stdio.h>'
}

run() { # to import it
    need libcurl4 runs 'import ctypes; ctypes.CDLL("libcurl.so.4")'
}

test() { # servers and tools of the tests
    need openssl has openssl
    need curl has curl
    need iproute2 has ip
    need nginx has nginx
    need vsftpd has vsftpd
    need openssh-client has ssh-keygen
    need openssh-server has sshd
    need openssh-sftp-server has_file /usr/lib/openssh/sftp-server
    need tftpd-hpa has in.tftpd
    need tinyproxy-bin has tinyproxy
}

valgrind() {
    need valgrind has valgrind
    need libc6-dbg has_file /usr/lib/debug/.build-id # valgrind wants the dynamic linker's symbols
}

bench() { # to compile the C program and pycurl, to count instructions, and a server
    need nginx has nginx
    need openssl has openssl
    need valgrind has valgrind
    need libc6-dbg has_file /usr/lib/debug/.build-id # as above
    need pkg-config has pkg-config
    need libcurl4-openssl-dev pkg-config --exists libcurl
    need libssl-dev pkg-config --exists openssl
}

packaging() { # LIBCURL_LINK=system, and a look into what was built
    need pkg-config has pkg-config
    need libcurl4-openssl-dev pkg-config --exists libcurl
    need binutils has readelf
}

matrix() { # Debian's other suites
    need debootstrap has debootstrap
    need util-linux has unshare
}

ci() { # what .ci/run itself needs
    need make has make
    need git has git
    need ca-certificates has_file /etc/ssl/certs/ca-certificates.crt
}

has() { command -v "$1"; }
has_file() { [ -e "$1" ]; }
runs() { "$python" -c "$1"; }
compiles() { echo "$1" | cc -E -; }

missing=
need() { # PACKAGE TEST...
    package=$1
    shift
    "$@" >/dev/null 2>&1 </dev/null || missing="$missing $package"
}

for group; do
    "$group"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "This is no Debian. Please install what it calls:$missing" >&2
    exit 1
fi
root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || {
        echo "Please run as root: apt-get install --no-install-recommends$missing" >&2
        exit 1
    }
    root=sudo
fi

# The tests start servers of their own: those that Debian would start, now or at the next boot, are
# not wanted.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $root tee "$policy" >/dev/null
    $root chmod +x "$policy"
    trap '$root rm -f "$policy"' EXIT
fi
log=$(mktemp)
echo "Installing:$missing"
apt_get() {
    $root env DEBIAN_FRONTEND=noninteractive apt-get -q "$@" >"$log" 2>&1 </dev/null || {
        cat "$log" >&2
        exit 1
    }
}
apt_get update
# shellcheck disable=SC2086  # a list of words
apt_get install --yes --no-install-recommends $missing
rm "$log"
if [ -d /run/systemd/system ]; then
    for package in $missing; do
        dpkg -L "$package" | sed -n 's,.*/lib/systemd/system/\([^@]*\.service\)$,\1,p' |
            xargs --no-run-if-empty "$root" systemctl --quiet disable
    done
fi
