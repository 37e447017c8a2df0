#!/bin/sh
# Makes sure that what the build needs is there: a Swift toolchain and libnuma's headers. Installs the latter through apt where it
# may, and otherwise prints the one line to type.
set -eu

if ! command -v swift >/dev/null 2>&1; then
  echo "set-up: no swift on PATH; install Swift 6.2 or later from https://www.swift.org/install" >&2
  exit 1
fi
if [ -e /usr/include/numa.h ] || [ -e /usr/local/include/numa.h ]; then
  exit 0
fi
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "==> installing libnuma-dev"
  apt-get install -y libnuma-dev >/dev/null 2>&1 || { apt-get update >/dev/null && apt-get install -y libnuma-dev; }
else
  echo "set-up: libnuma's headers are missing; type: sudo apt-get install libnuma-dev" >&2
  exit 1
fi
