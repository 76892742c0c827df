"""A program that looks up, imports and asks for ages, and has an SDK write what it collects to a file.

The SDK is set up last: a library is often used before its program has got that far.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import exchanges_db


def loaded() -> bool:
    """Return whether OpenTelemetry has been imported."""
    return any(name.partition(".")[0] == "opentelemetry" for name in sys.modules)


async def main(url: str, payload: bytes, written: Path) -> None:
    """Do it."""
    assert not loaded(), "importing the package must not cost what OpenTelemetry does"
    database = exchanges_db.Database(url)
    assert not loaded(), "nor must a Database that is not opened"
    async with database:
        await exchanges_db.get_exchange_by_enum("MEXC_SPOT", db=database)
        await exchanges_db.import_symbols("GATEIO_SPOT", payload, db=database)
        await exchanges_db.get_freshness(db=database)
        assert not any(name.startswith("opentelemetry.sdk") for name in sys.modules), "only the API is ours"
        from opentelemetry import metrics
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader

        with written.open("w", encoding="utf-8") as out:
            exporter = ConsoleMetricExporter(out=out, formatter=lambda data: data.to_json(indent=None) + "\n")
            provider = MeterProvider([PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)])
            metrics.set_meter_provider(provider)
            await asyncio.to_thread(provider.force_flush)
            provider.shutdown()


asyncio.run(main(sys.argv[1], Path(sys.argv[2]).read_bytes(), Path(sys.argv[3])))
