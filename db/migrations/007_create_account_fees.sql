-- Migration 007: what an account pays, which no list of an exchange tells.
--
-- A fee is a fact of the user's. The table is its own history: nothing is changed or deleted, the newest row of an
-- exchange, account and symbol holds. It refers to exchanges and symbols without a foreign key, so that it stands in the
-- way of nothing there. What is gone takes its fees along: ids of symbols are never given again, and a row that is
-- older than the exchange or symbol that has its id now belongs to another one, and counts for nothing.

-- migrate:up
SET LOCAL lock_timeout = '200ms';
-- Before all else, so that the down part knows whose transaction it is in.
DO $$ BEGIN PERFORM set_config('exchanges_db.direction', 'up', true); END $$;

-- psql goes on after an error, unless it is told not to: where this file was applied before, or its name is taken, nothing
-- more is written in this session, such as triggers on a table of somebody else's.
DO $$
BEGIN
    IF to_regclass('public.account_fees') IS NOT NULL THEN
        PERFORM set_config('default_transaction_read_only', 'on', false), set_config('transaction_read_only', 'on', false);
    END IF;
END
$$;

DO $$
DECLARE
    taken text;
BEGIN
    SELECT string_agg('public.' || own.name, ', ' ORDER BY own.name) INTO taken
    FROM (VALUES ('account_fees')) AS own (name)
    WHERE to_regclass('public.' || own.name) IS NOT NULL;
    IF taken IS NOT NULL THEN
        RAISE EXCEPTION '% is there already and was not made by migration 007 of exchanges_db: rename or move it, or give exchanges_db a database of its own', taken
            USING ERRCODE = 'duplicate_table';
    END IF;
END
$$;

CREATE TABLE public.account_fees (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    exchange_id SMALLINT NOT NULL,
    account TEXT NOT NULL,
    symbol_id INTEGER,
    maker NUMERIC,
    taker NUMERIC,
    set_at TIMESTAMPTZ NOT NULL,
    set_by TEXT NOT NULL,
    application_name TEXT NOT NULL,
    CONSTRAINT account_fees_pkey PRIMARY KEY (id),
    -- Every look-up reads the index of this: the newest row of a key, and the fees of one exchange or account.
    CONSTRAINT account_fees_one_at_a_time UNIQUE NULLS NOT DISTINCT (exchange_id, account, symbol_id, set_at),
    CONSTRAINT account_fees_account_printable
        CHECK (account <> '' AND length(account) <= 100 AND account !~ '^ | $|[\x01-\x1f\x7f]'),
    CONSTRAINT account_fees_both_or_neither CHECK ((maker IS NULL) = (taker IS NULL)),
    -- A fee given in percent is a hundred times too high and, unless it is tiny, does not fit.
    CONSTRAINT account_fees_are_fractions CHECK (abs(maker) <= 0.05 AND abs(taker) <= 0.05)
);

COMMENT ON TABLE public.account_fees IS 'What accounts pay, as their owner has set it, and what they paid before. Append-only: the newest row of an exchange, account and symbol holds';
COMMENT ON COLUMN public.account_fees.account IS 'The user''s own name for it';
COMMENT ON COLUMN public.account_fees.symbol_id IS 'NULL: of the whole exchange, where a symbol has no fees of its own';
COMMENT ON COLUMN public.account_fees.maker IS 'Fraction of the notional: 0.002 is 0.2 percent; negative is a rebate. NULL, with taker: forgotten';
COMMENT ON COLUMN public.account_fees.set_at IS 'Stamped by the database; rises strictly per exchange, account and symbol';
COMMENT ON COLUMN public.account_fees.set_by IS 'session_user: who logged in, whatever role was taken on later';

-- With the owner's rights: whoever may insert here need not be allowed to read what it is compared with.
CREATE FUNCTION public.account_fees_stamp() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    beginning timestamptz;
    latest_maker numeric;
    latest_taker numeric;
    latest_at timestamptz;
BEGIN
    -- One setter of an account at a time, until its transaction ends: so the later one has the later time. Not one lock
    -- per symbol: a transaction that sets the fees of thousands would fill the server's table of locks.
    PERFORM pg_advisory_xact_lock(hashtextextended(
        format('exchanges_db.account_fees %s %s', NEW.exchange_id, NEW.account), 0));
    IF NEW.symbol_id IS NULL THEN
        SELECT e.created_at INTO beginning FROM public.exchanges AS e WHERE e.id = NEW.exchange_id;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'there is no exchange with the id %', NEW.exchange_id
                USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'account_fees_exchange_known';
        END IF;
    ELSE
        SELECT s.created_at INTO beginning
        FROM public.symbols AS s
        WHERE s.id = NEW.symbol_id AND s.exchange_id = NEW.exchange_id;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'exchange % has no symbol with the id %', NEW.exchange_id, NEW.symbol_id
                USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'account_fees_symbol_known';
        END IF;
    END IF;
    SELECT f.maker, f.taker, f.set_at INTO latest_maker, latest_taker, latest_at
    FROM public.account_fees AS f
    WHERE f.exchange_id = NEW.exchange_id AND f.account = NEW.account
      AND (f.symbol_id = NEW.symbol_id OR (f.symbol_id IS NULL AND NEW.symbol_id IS NULL))
    ORDER BY f.set_at DESC
    LIMIT 1;
    IF latest_at < beginning THEN
        latest_maker := NULL;
        latest_taker := NULL;
    END IF;
    -- What holds already is no change; neither is it one to forget what is not known.
    IF (NEW.maker, NEW.taker) IS NOT DISTINCT FROM (latest_maker, latest_taker) THEN
        RETURN NULL;
    END IF;
    NEW.set_by := session_user::text;
    NEW.application_name := current_setting('application_name');
    -- A clock that was set back must not put a row before what it follows.
    NEW.set_at := greatest(clock_timestamp(), beginning, latest_at + interval '1 microsecond');
    RETURN NEW;
END
$$;

CREATE FUNCTION public.account_fees_refuse() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'account_fees is append-only: % refused', TG_OP
        USING ERRCODE = 'insufficient_privilege', HINT = 'Insert a row with the new fees: the newest one holds.';
END
$$;

-- PUBLIC could otherwise hang them on a table of its own.
REVOKE ALL ON FUNCTION public.account_fees_stamp() FROM PUBLIC;
REVOKE ALL ON FUNCTION public.account_fees_refuse() FROM PUBLIC;

CREATE TRIGGER account_fees_stamp BEFORE INSERT ON public.account_fees
    FOR EACH ROW EXECUTE FUNCTION public.account_fees_stamp();
CREATE TRIGGER account_fees_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON public.account_fees
    FOR EACH STATEMENT EXECUTE FUNCTION public.account_fees_refuse();

-- ALWAYS: also where session_replication_role = 'replica' switches ordinary triggers off.
ALTER TABLE public.account_fees ENABLE ALWAYS TRIGGER account_fees_stamp;
ALTER TABLE public.account_fees ENABLE ALWAYS TRIGGER account_fees_refuse;

-- migrate:down
SET LOCAL lock_timeout = '200ms';
-- One statement that undoes nothing unless dbmate runs it. Another program runs this file from end to end: then the up
-- part stands in the same transaction, or this statement has a transaction of its own; dbmate begins one before it.
DO $$
BEGIN
    IF current_setting('exchanges_db.direction', true) = 'up' OR transaction_timestamp() = statement_timestamp() THEN
        RAISE WARNING 'migration 007 was not undone: only dbmate runs its down part, by dbmate rollback';
        RETURN;
    END IF;
    DROP TABLE public.account_fees;
    DROP FUNCTION public.account_fees_refuse();
    DROP FUNCTION public.account_fees_stamp();
END
$$;
