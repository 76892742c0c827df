"""The command `exchanges-db` on another folder of migrations, the first argument; the others are the command's."""

import sys
from pathlib import Path

from exchanges_db.cli.main import run
from exchanges_db.schema import migrations

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    migrations.migrations_directory = lambda: folder
    sys.exit(run(sys.argv[2:]))
