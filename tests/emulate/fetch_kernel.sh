#!/usr/bin/env bash
# Fetches the Linux kernel that run.sh boots: downloads the kernel package of Debian or Ubuntu and unpacks it. Nothing
# is installed.
#
#   tests/emulate/fetch_kernel.sh
#
# The kernel is build/emulate/vmlinuz of the source folder. Does nothing when it is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

kernel=build/emulate/vmlinuz
if [ -s "$kernel" ]; then
    exit 0
fi

# The small kernel for virtual machines: the name of the package the current one is in.
kernel_package() {
    apt-cache depends linux-image-cloud-amd64 linux-image-virtual 2>/dev/null |
        sed -n 's/^ *Depends: *\(linux-image-[0-9].*\)/\1/p' | head -n 1
}

package=$(kernel_package)
if [ -z "$package" ] && [ "$(id -u)" -eq 0 ]; then
    apt-get update -qq
    package=$(kernel_package)
fi
if [ -z "$package" ]; then
    echo "fetch_kernel.sh: apt-get knows no kernel package for virtual machines; apt-get update may help" >&2
    exit 1
fi

echo "Downloading $package"
mkdir -p build/emulate
folder=$(mktemp -d build/emulate/kernel.XXXXXX)
trap 'rm -rf "$folder"' EXIT
(cd "$folder" && apt-get download -qq "$package:amd64" && dpkg-deb --fsys-tarfile ./*.deb >package.tar)
tar -xf "$folder/package.tar" -C "$folder" --wildcards './boot/vmlinuz-*'
mv "$folder"/boot/vmlinuz-* "$kernel"
