#!/bin/sh
# Makes models/background/counts.json from the data sets that its README names: sh tools/make_background.sh DATA
set -eu

project=$(cd "$(dirname "$0")/.." && pwd)
data=$(cd "$1" && pwd)
work=$(mktemp -d)
with=
for source in sentinel lsif fit uclfirewall iot23-benign thingscope non_iot; do
    # shellcheck disable=SC2086  # several words
    nba-train background "$data/$source" --labels "$data/$source/labels.csv" --source $source \
        $with --out "$work/$source.json"
    with="--with $work/$source.json"
done
cp "$work/non_iot.json" "$project/models/background/counts.json"
rm -rf "$work"
