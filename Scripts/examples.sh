#!/bin/sh
# Builds and runs every package in Examples/ as a user of the library would, in a debug build: examples.sh [NAME...]. Each checks what it
# computes and ends with an error when it is wrong.
set -eu
cd "$(dirname "$0")/.."
swift=${SWIFT:-swift}
if [ $# -eq 0 ]; then set -- $(cd Examples && ls -d */ | tr -d /); fi
for name in "$@"; do
  if [ ! -e "Examples/$name/Package.swift" ]; then continue; fi
  echo "==> Examples/$name"
  "$swift" run --package-path "Examples/$name" --scratch-path .build/examples
done
