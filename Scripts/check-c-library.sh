#!/usr/bin/env bash
# Checks the C library as it is installed, which the tests of the debug build do not see: exported names, what it needs, programs linked with the shared
# and with the static library, the example, and a run in a bare root folder where there is no Swift. Builds it first.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
folder=$(mktemp -d)
clean() {
  if mountpoint -q "$folder/bare/proc"; then umount "$folder/bare/proc"; fi
  find "$folder" -delete
}
trap clean EXIT
prefix=$folder/prefix
Scripts/c-library.sh "$prefix"
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig

echo "==> only the interface is exported"
foreign=$(nm -D --defined-only "$prefix/lib/libtricolor.so.1" | awk '{ print $3 }' | grep -v -e '^tricolor_.*@@TRICOLOR_1$' -e '^TRICOLOR_1' || true)
foreign+=$(nm --defined-only -g "$prefix/lib/libtricolor.a" 2>/dev/null | awk 'NF == 3 && $3 !~ /^tricolor_/ { print $3 }')
[ -z "$foreign" ] || { echo "check-c-library.sh: also exported: $foreign" >&2; exit 1; }
# The thread's state and what is inline aside, each name of the header is there.
for name in $(sed -n 's/^[a-z].*[ *]\(tricolor_[a-z_]*\)(.*/\1/p' Sources/TricolorC/include/tricolor.h | sort -u); do
  grep -q "static inline.*[ *]$name(" Sources/TricolorC/include/tricolor.h && continue
  grep -qx "$name" .build/c-library/symbols || { echo "check-c-library.sh: $name is declared and not exported" >&2; exit 1; }
done

echo "==> programs with the shared and with the static library"
for program in gcbench wrong finalizers layouts; do
  cc -O2 -o "$folder/shared" "Tests/TricolorCTests/Programs/$program.c" $(pkg-config --cflags --libs tricolor) -Wl,-rpath,"$prefix/lib" -lpthread
  "$folder/shared" >"$folder/out" 2>&1 || { cat "$folder/out" >&2; exit 1; }
  cc -O2 -o "$folder/static" "Tests/TricolorCTests/Programs/$program.c" $(pkg-config --cflags tricolor) "$prefix/lib/libtricolor.a" \
    $(pkg-config --libs --static tricolor | sed 's/-ltricolor//')
  "$folder/static" >"$folder/out" 2>&1 || { cat "$folder/out" >&2; exit 1; }
done
make -s -C Examples/c-list run
find Examples/c-list -name list -type f -delete

if [ "$(id -u)" -eq 0 ]; then
  echo "==> in a bare root folder: the program, the library, the C library, libnuma"
  cc -O2 -o "$folder/shared" Tests/TricolorCTests/Programs/gcbench.c $(pkg-config --cflags --libs tricolor) -Wl,-rpath,"$prefix/lib"
  bare=$folder/bare
  for file in $(ldd "$folder/shared" | grep -o '/[^ ]*'); do
    case $file in *libtricolor*) to=$bare/lib/libtricolor.so.1 ;; *) to=$bare$file ;; esac
    mkdir -p "$(dirname "$to")"
    cp -L "$file" "$to"
  done
  mkdir -p "$bare/proc"
  cp "$folder/shared" "$bare/program"
  if mount -t proc proc "$bare/proc"; then
    LD_LIBRARY_PATH=/lib chroot "$bare" /program
  else
    echo "check-c-library.sh: /proc cannot be mounted here; the bare root folder was not tried" >&2
  fi
else
  echo "check-c-library.sh: not root; the bare root folder was not tried" >&2
fi
cd "$root"
echo "==> the C library is in order"
