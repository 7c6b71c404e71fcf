#!/bin/sh
# Makes models/default from the data sets that its card names: sh tools/make_model.sh DATA
#
# DATA contains lsif/, fit/ and non_iot/: conn logs, each with its labels.csv. The script first trains
# the recipe on about 70 % of each set's time and evaluates it on the rest, because the shipped
# model's own training part cannot measure it. Then it trains the shipped model on everything.
set -eu

project=$(cd "$(dirname "$0")/.." && pwd)
data=$(cd "$1" && pwd)
out=$project/models/default
before=learned-before
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
ln -s "$data/lsif" "$data/fit" "$data/non_iot" .

# Each set has a time of its own, so the labels contain its border.
border() {
    for column in until since; do
        tr -d '\r' < "$1/labels.csv" | awk -F, -v column=$column -v time="$2" -v only="${3:-}" '
            NR == 1 { print $0 "," column }
            NR > 1 && (only == "" || $1 == only) { print $0 "," time }
        ' > "${4:-$1}-$column.csv"
    done
}
border lsif 2019-07-10
border fit 2021-03-13T15:00
border non_iot 2022-06-13T14:30 147.32.83.165 pc-1
border non_iot 2022-06-14T13:45 147.32.83.234 pc-2

nba-train fit lsif fit non_iot --labels lsif-until.csv --labels fit-until.csv \
    --labels pc-1-until.csv --labels pc-2-until.csv --rolling-days 0 --out $before

nba-train fit lsif fit non_iot --labels lsif/labels.csv --labels fit/labels.csv \
    --labels non_iot/labels.csv --out default

cp default/README.md card.md
nba-train evaluate lsif --labels lsif-since.csv --model $before --json lsif.json --card card.md
nba-train evaluate fit --labels fit-since.csv --model $before --json fit.json --card card.md
nba-train evaluate non_iot --labels pc-1-since.csv --labels pc-2-since.csv --model $before \
    --json non_iot.json --card card.md
cat >> card.md <<'END'

## Sources

The tables of `learned-before` are of a model that the same recipe trained on about the first 70 % of
each set's time, evaluated on the rest; `tools/make_model.sh` makes both. Each data set is one site:
the figures of the mixture are better than within one network, and do not apply to other networks.

- LSIF, "Stevens IoT traces", seven home devices, 2019: github.com/netlab-stevens/LSIF
- FIT, "IoT-Dataset", seven devices of five models, 2021: github.com/tj-oconnor/IoT-Dataset
- Stratosphere Laboratory, security-datasets-for-testing, two Windows PCs, 2022:
  github.com/stratosphereips/security-datasets-for-testing
- ASN data: see `models/ATTRIBUTION`
END
mv card.md default/README.md
rm -rf "$out"
mv default "$out"
