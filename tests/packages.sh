# Installs Debian and Ubuntu packages. Source this file; it defines functions and runs nothing.
#
#   notch_install build            what building and testing with g++ needs
#   notch_install clang arm        more groups: clang, format, tidy, arm, docs, bench, coverage,
#                                  emulate
#
# With NOTCH_INSTALL=no nothing is installed, and a missing package is an error.

# The packages of a group, one name per word.
notch_packages_of() {
    case $1 in
    build) echo g++ cmake ninja-build libxtensor-dev xtl-dev libxsimd-dev catch2 libtbb-dev libonnx-dev libprotobuf-dev protobuf-compiler libcli11-dev nlohmann-json3-dev libopenblas-dev git ca-certificates ;;
    clang) echo clang libclang-rt-dev libomp-dev ;;
    format) echo clang-format-14 ;;
    tidy) echo clang-tidy ;;
    arm) echo g++-aarch64-linux-gnu qemu-user ;;
    docs) echo doxygen ;;
    bench) echo libbenchmark-dev ;;
    coverage) echo lcov ;;
    emulate) echo bochs bochs-term bochsbios vgabios isolinux syslinux-common xorriso cpio binutils ;;
    *)
        echo "packages.sh: there is no group named $1" >&2
        return 1
        ;;
    esac
}

notch_is_installed() {
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

notch_install() {
    local group package names missing=() as_root=()
    if ! command -v apt-get >/dev/null; then
        echo "packages.sh: this system has no apt-get; install the equivalents of these packages yourself:"
        for group in "$@"; do echo "  $group: $(notch_packages_of "$group")"; done
        return 0
    fi
    for group in "$@"; do
        names=$(notch_packages_of "$group") || return 1
        for package in $names; do
            notch_is_installed "$package" || missing+=("$package")
        done
    done
    if [ ${#missing[@]} -eq 0 ]; then
        return 0
    fi
    if [ "${NOTCH_INSTALL:-yes}" = no ]; then
        echo "packages.sh: these packages are missing: ${missing[*]}" >&2
        return 1
    fi
    if [ "$(id -u)" -ne 0 ]; then
        as_root=(sudo)
    fi
    echo "Installing with apt-get: ${missing[*]}"
    "${as_root[@]}" apt-get update -qq &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}
