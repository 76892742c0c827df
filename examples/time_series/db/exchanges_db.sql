-- What this project's migrations and queries use of exchanges_db, for sqlc alone: no database is made of it.
-- `exchanges-db schema` prints the whole, which does as well; then models.py has a class for each of its tables, too.
CREATE TABLE public.exchanges (
    id SMALLINT NOT NULL PRIMARY KEY,
    enum_value VARCHAR(50) NOT NULL
);

CREATE TABLE public.symbols (
    id INTEGER NOT NULL PRIMARY KEY,
    exchange_id SMALLINT NOT NULL REFERENCES public.exchanges (id),
    native_symbol TEXT NOT NULL,
    price_tick NUMERIC
);
