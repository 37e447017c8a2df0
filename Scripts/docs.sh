#!/bin/sh
# Builds the documentation of the library, and checks that every public symbol has some: docs.sh [FOLDER], .build/docs when none is given.
# What docc warns of (a link that leads nowhere) is an error. Serve the folder, or open it with `docc preview`.
set -eu
cd "$(dirname "$0")/.."
folder=${1:-.build/docs}
swift=${SWIFT:-swift}
BUILD_OPTIONS=${BUILD_OPTIONS:-}
graphs=.build/symbol-graphs
module=Tricolor

# BUILD_OPTIONS: to use another debug build than the plain one.
"$swift" build $BUILD_OPTIONS --target $module
products=$("$swift" build $BUILD_OPTIONS --show-bin-path)
mkdir -p "$graphs" "$(dirname "$folder")"
find "$graphs" -name '*.json' -delete
swift-symbolgraph-extract -module-name $module -I "$products/Modules" \
  -Xcc "-fmodule-map-file=$products/CTricolorShims.build/module.modulemap" -Xcc "-fmodule-map-file=Sources/CNUMA/module.modulemap" \
  -target "$("$swift" -print-target-info | sed -n 's/.*"triple" *: *"\([^"]*\)".*/\1/p' | head -n 1)" \
  -minimum-access-level public -skip-synthesized-members -output-dir "$graphs"
Scripts/undocumented.py "$graphs" $module
docc convert Sources/$module/$module.docc --additional-symbol-graph-dir "$graphs" --fallback-display-name $module \
  --fallback-bundle-identifier tricolor --warnings-as-errors --output-path "$folder"
echo "==> documentation in $folder"
