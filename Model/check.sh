#!/bin/sh
# Checks the model of the cycle with spin.
#
#   sh Model/check.sh quick            bounded sizes, every mutation must be caught (minutes)
#   sh Model/check.sh full             quick, then larger sizes up to five operations on one mutator and three on the other; MINUTES=10 SEED=1
#   sh Model/check.sh mutation NAME    one mutation
#
# PATIENCE=4 gives every search four times as long: for a machine that does other things beside.
# Exit status 0: the model holds and every mutation was caught. Memory: less than 6 GiB; full less than 14 GiB.
set -eu

model=$(cd "$(dirname "$0")" && pwd)/cycle.pml
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
failures=0
correct=

for tool in spin gcc; do
  if ! command -v "$tool" >/dev/null 2>&1; then
    echo "check: no $tool; type: sudo apt-get install -y spin gcc" >&2
    exit 1
  fi
done

# build NAME "SPIN DEFINITIONS" "COMPILER FLAGS": makes $work/NAME/pan.
build() {
  mkdir -p "$work/$1"
  # Word splitting is meant: both are lists of flags.
  # shellcheck disable=SC2086
  (cd "$work/$1" && spin $2 -a "$model" >spin.log 2>&1 && gcc -w $3 -o pan pan.c) ||
    { cat "$work/$1/spin.log" >&2; exit 1; }
}

# search NAME "PAN FLAGS" SECONDS: runs it, output in $work/NAME/out.
search() {
  # shellcheck disable=SC2086
  (cd "$work/$1" && timeout "$(($3 * ${PATIENCE:-1}))" ./pan $2 >out 2>&1) || true
}

errors() { sed -n 's/.*errors: \([0-9]*\).*/\1/p' "$work/$1/out" | tail -1; }
states() { sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$work/$1/out" | tail -1; }
seconds() { sed -n 's/.*elapsed time \([0-9.e+]*\) seconds.*/\1/p' "$work/$1/out" | tail -1; }
megabytes() { sed -n 's/^ *\([0-9.]*\).*total actual memory.*/\1/p' "$work/$1/out" | tail -1; }
verdict() { sed -n 's/^pan:1: \(.*\) (at depth.*/\1/p' "$work/$1/out" | head -1; }

# Whether the search of NAME went through everything: spin says when it did not.
complete() { ! grep -q 'Search not completed\|max search depth too small\|out of memory\|memory limit' "$work/$1/out"; }

# holds NAME "DEFINITIONS" "COMPILER" "PAN" SECONDS: the correct model must have no error.
holds() {
  correct="$correct $1"
  build "$1" "$2" "$3"
  search "$1" "$4" "$5"
  result=$(errors "$1")
  if [ "$result" = 0 ] && complete "$1"; then
    printf '%-26s holds       %10s states %7s MB %7s s   %s\n' "$1" "$(states "$1")" "$(megabytes "$1")" "$(seconds "$1")" "$2"
  else
    failures=$((failures + 1))
    printf '%-26s FAILED: %s   %s\n' "$1" "$(verdict "$1") (${result:-no} errors, $5 s at most)" "$2"
  fi
}

safety="-O2 -DSAFETY -DCOLLAPSE -DMEMLIM=5500"
young="-DYOUNG -DCLAIM -DALLOCATE -DFRESH_BLOCK"
ending="-O1 -DCOLLAPSE -DNFAIR=5 -DMEMLIM=5500"

# Every mutation: its name, what runs it, and the features in which it shows.
mutations='
NO_DELETION 2 2
NO_INSERTION 3 1
NO_SETTLE 3 1
BLACK_TOO_EARLY 3 1 -DALLOCATE
NO_QUIET_ROUND 2 2
NO_FLUSH_AT_FINISH 2 2
REGISTERS_NOT_SPILLED 1 1
PARKED_NOT_SCANNED 1 1 -DAWAY
RUN_RETIRED_WITHOUT_CELLS 3 1 -DALLOCATE -DAWAY -DFRESH_BLOCK
WEAK_LOAD_NOT_SHADING 2 1 -DWEAK
SWEEP_BEFORE_BARRIER_OFF 2 0 -DALLOCATE
ATTACH_TAKES_NO_MODE 1 3 -DAWAY
ROUND_LOOK_NOT_ATOMIC 3 0 -DWEAK -DSHAPES
WEAK_SLOT_CLEARED_BEFORE_DECISION 2 1 -DWEAK
NO_WEAK_RECHECK 2 1 -DWEAK
DENIED_AFTER_SWEEP_POSTED 2 1 -DWEAK -DALLOCATE -DFRESH_BLOCK
DROPPED_ROOT_NOT_SHADED 2 2 -DAWAY
RUN_RETIRED_WITH_MARKS 2 1 -DALLOCATE
UNALLOCATED_CELL_SCANNED 1 1 -DALLOCATE -DSTALE
MARKING_BEFORE_ROOTS_ANSWERED 2 0 -DALLOCATE -DSTALE
POLL_NOT_RECHECKED 1 1 -DHANDSHAKE
CARD_NOT_DIRTIED 2 0 -DYOUNG -DCYCLES=2 -DALLOCATE -DFRESH_BLOCK -DLATE
REMEMBERED_FROM_SWEEP_ON 2 2 -DYOUNG -DCYCLES=2 -DALLOCATE -DFRESH_BLOCK -DLATE -DBETWEEN
BLACK_RUN_NOT_DIRTIED 2 2 -DYOUNG -DCYCLES=2 -DALLOCATE -DFRESH_BLOCK -DLATE -DBETWEEN
CARDS_CLEANED_BEFORE_ARM 2 0 -DYOUNG -DCYCLES=2 -DALLOCATE -DFRESH_BLOCK -DLATE
CARDS_CLEANED_AFTER_SWEEP 2 0 -DYOUNG -DCYCLES=2 -DALLOCATE -DFRESH_BLOCK -DLATE
OLD_MARKED_AFTER_ROOTS 2 0 -DYOUNG -DCYCLES=2 -DALLOCATE -DFRESH_BLOCK -DLATE
ADDITIONS_NEVER_FORGOTTEN 1 1 -DENDS
'

# mutate NAME OPS0 OPS1 FEATURES...: the mutation must be caught.
mutate() {
  name=$1
  definitions="-DOPS0=$2 -DOPS1=$3"
  shift 3
  case " $* " in
  *" -DENDS "*) compiler=$ending flags="-m100000 -w22 -a -f" ;;
  *) compiler="-O1 -DSAFETY -DCOLLAPSE -DMEMLIM=5500" flags="-m5000 -w22" ;;
  esac
  build "$name" "$definitions $* -D$name" "$compiler"
  search "$name" "$flags" 120
  if [ "$(errors "$name")" = 1 ]; then
    printf '%-34s caught  %9s states %6s s  by: %s   %s\n' "$name" "$(states "$name")" "$(seconds "$name")" \
      "$(verdict "$name")" "$definitions $*"
  else
    failures=$((failures + 1))
    printf '%-34s NOT CAUGHT   %s\n' "$name" "$definitions $*"
  fi
  rm -rf "${work:?}/$name"
}

mutateAll() {
  while read -r line; do
    # shellcheck disable=SC2086
    [ -z "$line" ] || mutate $line
  done <<END
$mutations
END
  printf '%-34s not modelled: pacing\n' ASSIST_CREDIT_LOST
}

quick() {
  echo "==> the model holds"
  holds operations "-DOPS0=3 -DOPS1=1" "$safety" "-m5000 -w24" 200
  holds weak "-DOPS0=3 -DOPS1=1 -DWEAK" "$safety" "-m5000 -w24" 200
  holds together "-DOPS0=2 -DOPS1=1 -DALLOCATE -DWEAK -DAWAY" "$safety" "-m5000 -w24" 200
  holds stale "-DOPS0=1 -DOPS1=1 -DALLOCATE -DSTALE -DEARLY_FLUSH" "$safety" "-m5000 -w24" 200
  holds store-buffer "-DOPS0=2 -DOPS1=1 -DSTORE_BUFFER -DWEAK" "$safety" "-m5000 -w24" 200
  holds handshake "-DOPS0=1 -DOPS1=1 -DHANDSHAKE -DAWAY" "$safety" "-m5000 -w24" 200
  holds two-cycles "-DOPS0=2 -DOPS1=0 -DCYCLES=2 -DALLOCATE -DWEAK -DFRESH_BLOCK" "$safety" "-m5000 -w24" 200
  holds young "-DOPS0=2 -DOPS1=1 $young -DCYCLES=2 -DWEAK -DAWAY" "$safety" "-m8000 -w24" 200
  holds young-late "-DOPS0=2 -DOPS1=2 $young -DCYCLES=2 -DLATE" "$safety" "-m8000 -w24" 200
  holds young-stale "-DOPS0=2 -DOPS1=0 $young -DCYCLES=2 -DSTALE -DEARLY_FLUSH" "$safety" "-m8000 -w24" 200
  holds young-three-cycles "-DOPS0=2 -DOPS1=0 $young -DCYCLES=3" "$safety" "-m8000 -w24" 200
  holds ends "-DOPS0=1 -DOPS1=1 -DENDS -DWEAK -DAWAY" "$ending" "-m100000 -w22 -a -f" 200
  holds young-ends "-DOPS0=1 -DOPS1=0 -DENDS -DYOUNG -DCYCLES=2 -DALLOCATE -DFRESH_BLOCK" "$ending" "-m100000 -w22 -a -f" 200
  reached
  echo "==> every mutation is caught"
  mutateAll
}

# A model that cannot do anything holds too: every alternative of mutators, markers and collector must have been taken in a run.
reached() {
  awk '/^#define/ { macro = 1 } !macro && /:: d_step {/ { print NR } !/\\$/ { macro = 0 }' "$model" | while read -r line; do
    for run in $correct; do
      if grep -q "cycle.pml:$line - " "$work/$run/pan.m" && ! grep -q "cycle.pml:$line, state" "$work/$run/out"; then
        continue 2
      fi
    done
    echo "never reached: line $line: $(sed -n "${line}p" "$model")"
  done >"$work/never"
  cat "$work/never"
  if [ -s "$work/never" ]; then failures=$((failures + 1)); else echo "every operation was reached"; fi
}

# samples NAME "DEFINITIONS": what no memory holds, by bit state: three bits a state in 2 GiB, so it may miss states, for MINUTES at most. The
# order is random: an interrupted search has been through one part of the states, with another SEED through another. Prints the coverage.
samples() {
  build "$1" "$2" "-O2 -DSAFETY -DBITSTATE -DT_RAND -DP_RAND"
  (cd "$work/$1" && timeout -s INT "$((minutes * 60))" ./pan -m5000 -w34 "-RS$seed" >out 2>&1) || true
  ended=exhausted
  complete "$1" && ! grep -q Interrupted "$work/$1/out" || ended="stopped after $minutes minutes"
  if [ "$(errors "$1")" = 0 ]; then
    printf '%-26s no error    %10s states, %s   %s\n' "$1" "$(states "$1")" "$ended" "$2"
    sed -n 's/^hash factor: \(.*\)/  hash factor \1/p; s/^\(.*transitions.*\)/  \1/p; s/^bits set.*/  &/p' "$work/$1/out"
  else
    failures=$((failures + 1))
    printf '%-26s FAILED: %s   %s\n' "$1" "$(verdict "$1")" "$2"
  fi
}

# The large sizes: exhaustive where 14 GiB hold all states, sampled beyond. About an hour with MINUTES=10.
full() {
  quick
  echo "==> larger sizes, every state"
  large="-O2 -DSAFETY -DCOLLAPSE -DMEMLIM=14000"
  holds operations-3-2 "-DOPS0=3 -DOPS1=2" "$large" "-m5000 -w26" 3600
  holds weak-3-2 "-DOPS0=3 -DOPS1=2 -DWEAK" "$large" "-m5000 -w26" 3600
  holds weak-shapes "-DOPS0=2 -DOPS1=1 -DWEAK -DSHAPES" "$large" "-m5000 -w26" 3600
  holds stale-2-1 "-DOPS0=2 -DOPS1=1 -DALLOCATE -DSTALE -DEARLY_FLUSH" "$large" "-m5000 -w26" 3600
  holds young-3-2 "-DOPS0=3 -DOPS1=2 $young -DCYCLES=2 -DLATE -DBETWEEN" "$large" "-m8000 -w26" 3600
  holds young-2-2 "-DOPS0=2 -DOPS1=2 $young -DCYCLES=2" "$large" "-m8000 -w26" 3600
  holds young-stale-2-1 "-DOPS0=2 -DOPS1=1 $young -DCYCLES=2 -DLATE -DSTALE -DEARLY_FLUSH" "$large" "-m8000 -w26" 3600
  holds young-three-2-1 "-DOPS0=2 -DOPS1=1 $young -DCYCLES=3 -DLATE" "$large" "-m8000 -w26" 3600
  minutes=${MINUTES:-10}
  seed=${SEED:-$(date +%s)}
  echo "==> beyond memory, by bit state, SEED=$seed, $minutes minutes each at most"
  samples store-buffer-3-2 "-DOPS0=3 -DOPS1=2 -DSTORE_BUFFER"
  samples together-2-2 "-DOPS0=2 -DOPS1=2 -DALLOCATE -DWEAK -DAWAY"
  samples young-3-3 "-DOPS0=3 -DOPS1=3 $young -DCYCLES=3 -DWEAK -DAWAY"
  samples five-three "-DOPS0=5 -DOPS1=3 -DALLOCATE -DWEAK -DAWAY"
}

one() {
  line=$(echo "$mutations" | grep "^$1 ") || {
    echo "check: no mutation $1; there are:" $(echo "$mutations" | cut -d' ' -f1) >&2
    exit 64
  }
  # shellcheck disable=SC2086
  mutate $line
}

case "${1:-}" in
quick) quick ;;
full) full ;;
mutation) one "${2:-}" ;;
*) echo "usage: sh Model/check.sh quick | full | mutation NAME" >&2; exit 64 ;;
esac
[ "$failures" = 0 ] || { echo "check: $failures failed" >&2; exit 1; }
