#!/usr/bin/env bash
# What the basic operations of the C library cost, in nanoseconds and in instructions: operations.sh. Builds the library first. Times are of this
# machine and moment; instructions are those of callgrind, beyond the loop, refills of runs and the like spread over all.
set -euo pipefail
cd "$(dirname "$0")/../.."
if ! command -v valgrind >/dev/null; then
  echo "operations.sh: no valgrind on PATH; install it (apt-get install valgrind)" >&2
  exit 1
fi
Scripts/c-library.sh >&2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cc -O2 -g -I Sources/TricolorC/include -o "$folder/operations" Benchmarks/CLibrary/operations.c -L .build/c-library -ltricolor -lpthread \
  -Wl,-rpath,"$PWD/.build/c-library"
TIMES=${TIMES:-20000}
export TRICOLOR_RESERVE=1GiB
count() {
  # Clearing a run is one `rep stosb`, which callgrind counts as an instruction a byte: take the loop instead.
  GLIBC_TUNABLES=glibc.cpu.x86_rep_stosb_threshold=0x40000000 valgrind --tool=callgrind --toggle-collect=measured \
    --callgrind-out-file=/dev/null --fair-sched=try "$folder/operations" "$1" "$TIMES" 2>"$folder/log" >/dev/null || { cat "$folder/log" >&2; exit 1; }
  sed -n 's/.*Collected : *\([0-9]*\).*/\1/p' "$folder/log"
}
bare=$(count loop)
printf '%-26s %8s %14s\n' operation ns instructions
while read -r name nanoseconds; do
  awk -v name="$name" -v ns="$nanoseconds" -v all="$(count "$name")" -v bare="$bare" -v times="$TIMES" \
    'BEGIN { printf "%-26s %8.1f %14.1f\n", name, ns, (all - bare) / times }'
done < <("$folder/operations" all)
