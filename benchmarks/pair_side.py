"""One side of a pair: the look-up of one checkout in a process of its own, which makes its turns when it is told to.

`python -m benchmarks.pair_side LOOP`, with DATABASE_URL set and the checkout's src and src/generated in PYTHONPATH.
Reads the name of a turn from each line of standard input, and answers with a line of JSON: the median of
its calls, the time within which the fastest tenth ended, and the processor time of one; of throughput, calls a second.
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import sys
import time

import uvloop

import exchanges_db
from benchmarks import with_asyncpg
from benchmarks.figures import BASELINE, OURS, percentile
from benchmarks.look_up import Contender
from benchmarks.measure import calls_of_many_tasks, calls_one_by_one, opened
from exchanges_db.database.settings import load_dsn

SIDES = (
    Contender(OURS, "get_exchange_by_enum", with_asyncpg.open_ours),
    Contender(BASELINE, "asyncpg, one connection", with_asyncpg.open_connection),
)
THROUGHPUT = "throughput"
CALLS, TASKS, CALLS_OF_A_TASK = 50, 32, 10
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


async def _serve() -> None:
    async with opened(SIDES, load_dsn()) as look_ups:
        _say(exchanges_db.__file__)
        one_by_one, many = calls_one_by_one(CALLS), calls_of_many_tasks(TASKS, CALLS_OF_A_TASK)
        for line in sys.stdin:
            turn = line.strip()
            gc.collect()
            begin = time.process_time()
            if turn == THROUGHPUT:
                rate = await many(look_ups[OURS])
                _say([rate, rate, (time.process_time() - begin) / TASKS / CALLS_OF_A_TASK])
            else:
                times = await one_by_one(look_ups[turn])
                processor = (time.process_time() - begin) / CALLS
                _say([statistics.median(times), percentile(times, 0.1), processor])


def _say(answer: object) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=LOOPS[sys.argv[1]]) as runner:
        runner.run(_serve())
