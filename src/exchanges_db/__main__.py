"""`python -m exchanges_db`: the same as the command `exchanges-db`."""

from exchanges_db.cli.main import main

main()
