#!/usr/bin/env bash
# Instructions of single operations of the heap, beyond the loop around them, as callgrind counts them: instructions.sh [OPERATION...],
# all that `tricolor-micro --operations` lists when none is named. Unlike times they are the same on every machine of one kind, busy
# or not. Exits 1 when an operation has more than it should.
#
# Counting is on inside the function `counted` alone, and in the thread that runs it. What an operation does now and then (a
# refill of the run, a flush of the barrier's buffer) is spread over TIMES of it. Valgrind cannot map the usual reserve, and
# valgrind 3.19 cannot read the debug information of Swift 6.3, so that is stripped first.
set -euo pipefail
cd "$(dirname "$0")/.."
TIMES=${TIMES:-20000}
SWIFT=${SWIFT:-swift}

if ! command -v valgrind >/dev/null; then
  echo "instructions.sh: no valgrind on PATH; install it (apt-get install valgrind)" >&2
  exit 1
fi
"$SWIFT" build -c release --product tricolor-micro >&2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
program=$folder/tricolor-micro
strip -g -o "$program" .build/release/tricolor-micro
export TRICOLOR_RESERVE=1GiB
# Clearing a run is one `rep stosb`, which callgrind counts as an instruction a byte: take the loop instead.
export GLIBC_TUNABLES=glibc.cpu.x86_rep_stosb_threshold=0x40000000

count() { # operation: its instructions in all, measured once
  if [ ! -e "$folder/$1" ]; then
    valgrind --tool=callgrind --toggle-collect='*7countedyy*' --callgrind-out-file=/dev/null --fair-sched=try \
      "$program" --instructions "$1" --times "$TIMES" 2>"$folder/log" || { cat "$folder/log" >&2; exit 1; }
    sed -n 's/.*Collected : *\([0-9]*\).*/\1/p' "$folder/log" >"$folder/$1"
  fi
  cat "$folder/$1"
}

tooMany=0
printf '%-24s%14s%14s%10s\n' operation 'in its loop' 'beyond loop' most
while IFS=$'\t' read -r name loop most; do
  if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then continue; fi
  whole=$(count "$name")
  bare=$(count "$loop")
  if ! awk -v name="$name" -v whole="$whole" -v bare="$bare" -v times="$TIMES" -v most="$most" 'BEGIN {
    beyond = (whole - bare) / times
    isOver = most != "-" && beyond > most
    printf "%-24s%14.1f%14.1f%10s%s\n", name, whole / times, beyond, most, isOver ? "  MISSED" : ""
    exit isOver
  }'; then tooMany=1; fi
done < <("$program" --operations)
exit $tooMany
