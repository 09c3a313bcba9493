#!/usr/bin/env bash
# Gives this compiler the standard library of a wasm target where rustup's server cannot be reached: builds it from
# Debian's rust-src of the same version. A no-op when the target is there. Usage: wasm32-std.sh TARGET
set -euo pipefail

target=$1
sysroot=$(rustc --print sysroot)
lib=$sysroot/lib/rustlib/$target/lib
version=$(rustc --version | awk '{print $2}')
case $(find "$lib" -name 'libstd-*.rlib' 2>/dev/null | wc -l) in
    0) ;;
    1) exit 0 ;;
    *) # Rustup's library beside one built here: rustc would find two candidates for `std`.
       rustup target remove "$target" >/dev/null 2>&1 || true
       rm -rf "$sysroot/lib/rustlib/$target" ;;
esac
rustup target add "$target" && exit 0
command -v apt-get >/dev/null || { echo "there is no rustup with network, and no apt-get to build it from rust-src" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

mirror=$(awk '/^URIs:/ {print $2; exit}' /etc/apt/sources.list.d/debian.sources 2>/dev/null \
      || awk '/^deb / {print $2; exit}' /etc/apt/sources.list)
mkdir -p lists/partial
printf 'deb [trusted=yes] %s %s main\n' "$mirror" trixie-backports "$mirror" sid > sources.list
apt=(-o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::State::Lists="$work/lists")
apt-get "${apt[@]}" update -qq
package=$(apt-cache "${apt[@]}" madison rust-src | awk -v v="^$version[+]" '$3 ~ v {print $3; exit}')
[ -n "$package" ] || { echo "Debian has no rust-src for rustc $version" >&2; exit 1; }
apt-get "${apt[@]}" download -qq "rust-src=$package"
dpkg -x rust-src_*.deb src

# cargo's build-std looks for the sources in the sysroot.
mkdir -p "$sysroot/lib/rustlib/src/rust"
rm -rf "$sysroot/lib/rustlib/src/rust/library"
cp -r "src/usr/src/rustc-$version/library" "$sysroot/lib/rustlib/src/rust/"

cargo init -q --lib --name std_probe probe
printf '[profile.release]\npanic = "abort"\n' >> probe/Cargo.toml
(cd probe && CARGO_TARGET_DIR="$work/target" RUSTC_BOOTSTRAP=1 \
    cargo build -q --release -Z build-std=std,panic_abort --target "$target")
mkdir -p "$lib"
find "$work/target/$target/release/deps" -name '*.rlib' ! -name 'libstd_probe*' -exec cp {} "$lib/" \;
