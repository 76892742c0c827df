#!/usr/bin/env bash
# The main job from end to end, on an embedded PostgreSQL and without a network: `make demo` runs it.
# The lists of symbols are samples of our own making, with every oddity that real ones have.
set -euo pipefail
cd "$(dirname "$0")/.."
sample=examples/sample

run() {
    printf '\n$ %s\n' "$*"
    "$@"
}

# A folder of its own, whatever the environment says, because each demo begins with an empty one. For root, the server
# runs as another user, who may not be able to enter this checkout.
folder=$PWD/.demo/postgres
if [ "$(id -u)" -eq 0 ]; then
    folder=/var/lib/exchanges_db/demo
fi
rm -rf .demo "$folder"
mkdir -p .demo
export DATABASE_URL=embedded: EXCHANGES_DB_EMBEDDED_DIR=$folder
run exchanges-db migrate
run exchanges-db list
yesterday=$(python -c 'import datetime as d; print((d.datetime.now(d.UTC) - d.timedelta(days=1)).isoformat(timespec="seconds"))')
run exchanges-db import GATEIO_SPOT "$sample/gateio_spot_yesterday.json" --observed-at "$yesterday"
run exchanges-db symbols list GATEIO_SPOT
between=$(python -c 'import datetime as d; print(d.datetime.now(d.UTC).isoformat())')
run exchanges-db import GATEIO_SPOT "$sample/gateio_spot_today.json"
run exchanges-db symbols diff GATEIO_SPOT --since "$between"
run exchanges-db symbols history GATEIO_SPOT SOL/USDT
run exchanges-db import GATEIO_FUTURES "$sample/gateio_futures_today.json" --list PERPETUAL:USDT
run exchanges-db symbols common GATEIO_SPOT GATEIO_FUTURES
run python examples/quickstart.py
run exchanges-db history MEXC_SPOT
run exchanges-db validate --html .demo/validation.html

cat <<END

The report is in .demo/validation.html. To look around:
  . .venv/bin/activate
  export DATABASE_URL=embedded: EXCHANGES_DB_EMBEDDED_DIR=$folder
END
