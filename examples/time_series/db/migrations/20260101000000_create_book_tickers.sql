-- Best bids and asks, a partition per day of UTC. docs/time-series.md has the reason of each rule.

-- migrate:up
-- The key below locks public.symbols against writers, for milliseconds: better not at all than behind a long import.
SET LOCAL lock_timeout = '200ms';

CREATE SCHEMA IF NOT EXISTS market;

CREATE TABLE market.book_tickers (
    symbol_id INTEGER NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    update_id BIGINT NOT NULL,
    bid NUMERIC NOT NULL,
    bid_quantity NUMERIC NOT NULL,
    ask NUMERIC NOT NULL,
    ask_quantity NUMERIC NOT NULL,
    CONSTRAINT book_tickers_pkey PRIMARY KEY (symbol_id, at, update_id),
    CONSTRAINT book_tickers_symbol_id_fkey FOREIGN KEY (symbol_id) REFERENCES public.symbols (id)
) PARTITION BY RANGE (at);

COMMENT ON TABLE market.book_tickers IS 'Best bid and ask of a symbol, at each change that was seen';
COMMENT ON COLUMN market.book_tickers.at IS 'By the clock of the exchange';
COMMENT ON COLUMN market.book_tickers.update_id IS 'The exchange''s number of the change';

CREATE FUNCTION market.make_book_tickers_day(day date) RETURNS void
LANGUAGE plpgsql
SET lock_timeout = '200ms'
AS $$
DECLARE
    part text := 'book_tickers_' || to_char(day, 'YYYYMMDD');
BEGIN
    IF to_regclass(format('market.%I', part)) IS NULL THEN
        -- Attached rather than made as a partition: that would lock the whole table against readers.
        EXECUTE format('CREATE TABLE market.%I (LIKE market.book_tickers INCLUDING ALL)', part);
        EXECUTE format('ALTER TABLE market.book_tickers ATTACH PARTITION market.%I FOR VALUES FROM (%L) TO (%L)',
                       part, day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
    END IF;
END
$$;

CREATE FUNCTION market.drop_book_tickers_before(day date) RETURNS integer
LANGUAGE plpgsql
SET lock_timeout = '200ms'
AS $$
DECLARE
    part regclass;
    dropped integer := 0;
BEGIN
    FOR part IN
        SELECT i.inhrelid FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'market.book_tickers'::regclass AND c.relname < 'book_tickers_' || to_char(day, 'YYYYMMDD')
    LOOP
        -- Never detached first: both that and dropping it afterwards would lock public.symbols.
        EXECUTE format('DROP TABLE %s', part);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;

-- migrate:down
-- The schema stays: dbmate's own table of what was applied lies in it.
DROP FUNCTION market.drop_book_tickers_before(date);
DROP FUNCTION market.make_book_tickers_day(date);
DROP TABLE market.book_tickers;
