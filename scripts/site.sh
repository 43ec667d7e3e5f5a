#!/usr/bin/env bash
# The pages of docs/ as a site in target/site, built strictly and judged: scripts/site/build.py says by what.
#   scripts/site.sh [--out FOLDER] [--judge]
source "$(dirname "$0")/setup.sh"
setup_site
exec "$site/bin/python" scripts/site/build.py "$@"
