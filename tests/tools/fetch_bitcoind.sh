#!/bin/sh
# usage: fetch_bitcoind.sh DIR
#
# Puts a real bitcoin node (Debian's bitcoin-knots) and all libraries that it needs into DIR, as
# DIR/bitcoind and DIR/bitcoin-cli. Needs no root and installs nothing: packages are downloaded with
# apt (which checks their signatures) from the mirror that this machine's own apt uses, under a
# package database of its own, and unpacked. The node runs with the C library that it came with, so
# it does not matter how old this system's is. Run again: does nothing when DIR is complete.
set -eu

[ $# -eq 1 ] || { sed -n '2p' "$0" >&2; exit 2; }
target=$1
[ -x "$target/bitcoind" ] && exit 0

suite=trixie
package=bitcoin-knots
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

fail() { echo "fetch_bitcoind: $*" >&2; exit 1; }
for tool in apt-get apt-cache dpkg-deb; do
    command -v "$tool" >/dev/null || fail "$tool is missing: this works on Debian and its relatives only"
done
[ -r "$keyring" ] || fail "$keyring is missing (package debian-archive-keyring)"

mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Origin: Debian' 2>/dev/null |
    grep -v security | head -n 1)
[ -n "$mirror" ] || fail "this machine's apt knows no Debian mirror (run apt-get update once)"

mkdir -p "$target"
target=$(cd "$target" && pwd)
work=$(mktemp -d "$target/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial" "$work/debs" "$work/root"
: >"$work/state/status"
for part in "$suite" "$suite-backports"; do
    echo "deb [signed-by=$keyring] $mirror $part main"
done >"$work/sources.list"
cat >"$work/apt.conf" <<CONF
Dir::State "$work/state";
Dir::State::status "$work/state/status";
Dir::Cache "$work/cache";
Dir::Etc::SourceList "$work/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
APT::Sandbox::User "";
APT::Get::List-Cleanup "false";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
Debug::NoLocking "true";
CONF
export APT_CONFIG="$work/apt.conf"

apt-get -qq update || fail "the package lists of $suite cannot be read from this machine's mirror"
libraries=$(apt-cache depends --recurse --no-pre-depends --no-recommends --no-suggests --no-conflicts \
    --no-breaks --no-replaces --no-enhances "$package" 2>/dev/null | grep -E '^lib[a-z0-9.+-]+$' | sort -u)
[ -n "$libraries" ] || fail "$suite-backports has no package $package"
# shellcheck disable=SC2086  # one word is one package
(cd "$work/debs" && apt-get -qq download "$package" $libraries) || fail "the packages cannot be downloaded"
for deb in "$work"/debs/*.deb; do
    dpkg-deb --extract "$deb" "$work/root"
done

loader=$(cd "$work/root" && find . -name 'ld-linux*.so*' | head -n 1)
libs=$(cd "$work/root" && find . -type f -name 'libc.so.6' -exec dirname {} \; | head -n 1)
[ -n "$loader" ] && [ -n "$libs" ] || fail "the C library was not among the packages"
for program in bitcoind bitcoin-cli; do
    cat >"$work/$program" <<RUN
#!/bin/sh
here=\$(cd "\$(dirname "\$0")" && pwd)/root
exec "\$here/$loader" --library-path "\$here/$libs" "\$here/usr/bin/$program" "\$@"
RUN
    chmod +x "$work/$program"
done
rm -rf "$target/root"
mv "$work/root" "$target/root"
mv "$work/bitcoin-cli" "$target/bitcoin-cli"
mv "$work/bitcoind" "$target/bitcoind"
"$target/bitcoind" --version | head -n 1
