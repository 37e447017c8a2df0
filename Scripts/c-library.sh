#!/usr/bin/env bash
# Makes the C library from a release build: libtricolor.so and libtricolor.a in .build/c-library, and with a prefix installs them,
# headers and pkg-config files: c-library.sh [PREFIX] (DESTDIR is put before it).
#
# Both libraries carry Swift's runtime and the C++ runtime under it, so that a program needs neither where it is compiled or run; libnuma and the
# C library are the system's. Everything is first linked into one object of which only the interface's symbols stay global: Swift code and runtimes elsewhere
# in the program never meet those in here.
set -euo pipefail
cd "$(dirname "$0")/.."
SWIFT=${SWIFT:-swift}
version=1.0
out=.build/c-library

"$SWIFT" build -c release --product TricolorC
build=$("$SWIFT" build -c release --show-bin-path)
runtime=$(dirname "$(readlink -f "$(command -v "$SWIFT")")")/../lib/swift_static/linux
if [ ! -e "$runtime/libswiftCore.a" ]; then
  echo "c-library.sh: this toolchain has no $runtime/libswiftCore.a; install a Swift toolchain with the static standard library" >&2
  exit 1
fi
mkdir -p "$out"

objects=()
for module in TricolorC Tricolor TricolorPlatform TricolorPacing CTricolorShims; do objects+=("$build/$module.build"/*.o); done
# The interface: what TricolorC defines for C, and the thread's state, which inline functions of the header read.
nm "$build/TricolorC.build"/*.o | awk '$2 == "T" && $3 ~ /^tricolor_/ { print $3 }' | sort -u >"$out/symbols"
echo tricolor_thread >>"$out/symbols"

libraries=(swiftCore swift_Concurrency swift_StringProcessing swift_RegexParser swiftSynchronization swiftGlibc dispatch BlocksRuntime)
ld -r --force-group-allocation -o "$out/all.o" "$runtime/$(uname -m)/swiftrt.o" "${objects[@]}" \
  --start-group "${libraries[@]/#/-l}" -L"$runtime" -l:libstdc++.a --end-group \
  $(c++ -print-search-dirs | sed -n 's/^libraries: =//p' | tr ':' '\n' | sed 's/^/-L/')
objcopy --strip-debug --keep-global-symbols="$out/symbols" "$out/all.o" "$out/tricolor.o"
# Symbols of the C++ runtime that are to be one in a process (STB_GNU_UNIQUE) stay global unless they are made weak first.
nm --defined-only -g "$out/tricolor.o" | awk '$3 !~ /^tricolor_/ { print $3 }' >"$out/unique"
objcopy --weaken-symbols="$out/unique" "$out/tricolor.o"
objcopy --localize-symbols="$out/unique" "$out/tricolor.o"
rm -f "$out/libtricolor.a"
ar rcs "$out/libtricolor.a" "$out/tricolor.o"

{
  echo "TRICOLOR_1 {"
  echo "  global:"
  sed 's/.*/    &;/' "$out/symbols"
  echo "  local: *;"
  echo "};"
} >"$out/tricolor.map"
cc -shared -o "$out/libtricolor.so.$version" "$out/tricolor.o" -Wl,--version-script="$out/tricolor.map" -Wl,-soname,libtricolor.so.1 \
  -Wl,--gc-sections -Wl,-z,defs -Wl,-z,relro -static-libgcc -lnuma -lm -lpthread -ldl
strip --strip-unneeded "$out/libtricolor.so.$version"
ln -sf "libtricolor.so.$version" "$out/libtricolor.so.1"
ln -sf libtricolor.so.1 "$out/libtricolor.so"
echo "==> $out/libtricolor.so.$version: $(stat -c %s "$out/libtricolor.so.$version") bytes, $out/libtricolor.a: $(stat -c %s "$out/libtricolor.a") bytes"

[ $# -gt 0 ] || exit 0
prefix=$1
to=${DESTDIR:-}$prefix
install -d "$to/lib/pkgconfig" "$to/include/tricolor-gc/gc"
install -m 755 "$out/libtricolor.so.$version" "$to/lib/"
ln -sf "libtricolor.so.$version" "$to/lib/libtricolor.so.1"
ln -sf libtricolor.so.1 "$to/lib/libtricolor.so"
install -m 644 "$out/libtricolor.a" "$to/lib/"
install -m 644 Sources/TricolorC/include/tricolor.h "$to/include/"
install -m 644 Sources/TricolorC/include/tricolor-gc/gc.h "$to/include/tricolor-gc/"
install -m 644 Sources/TricolorC/include/tricolor-gc/gc/gc.h "$to/include/tricolor-gc/gc/"
package() { # name, description, further flags, what it requires
  cat >"$to/lib/pkgconfig/$1.pc" <<END
prefix=$prefix
libdir=\${prefix}/lib
includedir=\${prefix}/include

Name: $1
Description: $2
Version: $version
Requires: $4
Cflags: $3
END
}
package tricolor "A garbage-collected heap with a concurrent collector and a memory limit" '-I${includedir}' ''
printf 'Libs: -L${libdir} -ltricolor\nLibs.private: -lnuma -lm -lpthread -ldl\n' >>"$to/lib/pkgconfig/tricolor.pc"
package tricolor-gc "The interface of the Boehm-Demers-Weiser collector over Tricolor" '-D_GNU_SOURCE -I${includedir}/tricolor-gc' tricolor
printf 'Libs: -lpthread\n' >>"$to/lib/pkgconfig/tricolor-gc.pc"
echo "==> installed in $to"
