#!/usr/bin/env bash
# Runs tests under a tool that watches them: sanitize.sh address|thread|undefined|valgrind. Each builds in a folder of its own.
#
#   address    AddressSanitizer over the tests of heap, protocol, platform and pacing. Options, with their reasons:
#              detect_stack_use_after_return=0: it moves locals into frames of its own on the heap, where the conservative scan
#                does not look, so that live objects would be lost.
#              detect_leaks=0: Swift's runtime and the tests' processes that end by exit leave metadata and globals behind.
#   thread     ThreadSanitizer over the tests of protocol, threads, roots and cycles, but for the one of the hard limit: its shadow memory,
#              several times the heap's, counts against the limit. Data races fail; "Swift access races" are counted
#              and passed over: they say that two mutating methods of one value ran at once, which methods that take a lock inside do
#              (Mutex of the standard library, the grey pool), while what the methods load and store is checked all the same.
#              Scripts/thread.supp lists what else is passed over, with the reason of each entry.
#   undefined  every function of the C shims under clang's undefined behaviour sanitizer.
#   valgrind   memcheck on the C shims and on a run with one client and one marker, in a reserve that valgrind can map, with
#              Scripts/valgrind.supp. It cannot see a cell that is used after its sweep: the heap's cells are not malloc's.
#              valgrind 3.19 cannot read the debug information of Swift 6.3, so that is stripped first.
#
# FILTER replaces the tests that are run.
set -euo pipefail
cd "$(dirname "$0")/.."
export SWIFT_BACKTRACE=enable=no
SWIFT=${SWIFT:-swift}
CLANG=${CLANG:-$(dirname "$(readlink -f "$(command -v "$SWIFT")")")/clang}

run_tests() { # kind, folder, filter, options
  echo "==> building the tests with the $1 sanitizer"
  "$SWIFT" build --build-tests --sanitize="$1" --scratch-path ".build-$2"
  echo "==> running them: $3"
  "$SWIFT" test --skip-build --sanitize="$1" --scratch-path ".build-$2" --filter "$3" "${@:4}"
}

build_shims() { # output, flags
  mkdir -p .build-shims
  "$CLANG" -std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Werror -gdwarf-4 "${@:2}" -ISources/CTricolorShims/include \
    Sources/CTricolorShims/*.c Tests/Shims/main.c -o ".build-shims/$1"
}

case "${1:-}" in
address)
  export ASAN_OPTIONS=detect_stack_use_after_return=0:detect_leaks=0
  # Skipped: that an object dies which no word names, or only one beside it. In whole runs it stays alive; alone the tests pass. Most
  # likely large instrumented frames leave words of earlier threads on reused stacks, which are addresses in the next heap too.
  run_tests address asan "${FILTER:-TricolorTests|ProtocolTests|TricolorPlatformTests|TricolorPacingTests}" \
    --skip 'ConservativeTests/(interior|nothing)'
  ;;
thread)
  reports=$(mktemp -d)
  trap 'rm -rf "$reports"' EXIT
  export TSAN_OPTIONS="suppressions=$PWD/Scripts/thread.supp log_path=$reports/report exitcode=0 history_size=4"
  run_tests thread tsan "${FILTER:-ProtocolTests|TricolorTests.(ThreadTests|CollectTests|RootTests|SweepTests|BlockingTests)}" \
    --skip 'CollectTests/hardLimit'
  echo "==> $(cat "$reports"/report* 2>/dev/null | grep -c '^SUMMARY.*Swift access race') Swift access races passed over"
  if cat "$reports"/report* 2>/dev/null | grep '^SUMMARY' | grep -v 'Swift access race' | sort | uniq -c; then
    echo "==> data races" >&2
    exit 1
  fi
  ;;
undefined)
  echo "==> the C shims under the undefined behaviour sanitizer"
  build_shims undefined -O1 -fsanitize=undefined -fno-sanitize-recover=all
  .build-shims/undefined
  ;;
valgrind)
  echo "==> the C shims under memcheck"
  build_shims plain -O1
  valgrind --quiet --error-exitcode=1 --child-silent-after-fork=yes --suppressions=Scripts/valgrind.supp .build-shims/plain
  echo "==> a single-threaded run under memcheck"
  "$SWIFT" build -c release --product tricolor
  strip -g -o .build-shims/tricolor .build/release/tricolor
  TRICOLOR_RESERVE=1GiB TRICOLOR_MIN_HEAP=262144 GOMAXPROCS=1 valgrind --quiet --error-exitcode=1 \
    --suppressions=Scripts/valgrind.supp .build-shims/tricolor run linked-list --threads 1 --nodes 2000 --lists 100 --quiet
  ;;
*)
  echo "usage: Scripts/sanitize.sh address|thread|undefined|valgrind" >&2
  exit 64
  ;;
esac
