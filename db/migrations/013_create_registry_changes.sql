-- Migration 013: the log of changes, from which a registry in memory is kept up to date.
--
-- Each statement that changes what a registry serves leaves one row in registry_changes. When its transaction commits, a
-- deferred trigger gives all rows of the transaction the next epoch and a token, under a lock that is held for the
-- commit alone: the order of epochs is the order in which transactions become visible. After a failover that lost the
-- last commits epochs are given again, with other tokens. NOTIFY carries the epoch, as a hint that there is something new.

-- migrate:up
SET LOCAL lock_timeout = '200ms';
-- Before all else, so that the down part knows whose transaction it is in.
DO $$ BEGIN PERFORM set_config('exchanges_db.direction', 'up', true); END $$;

-- psql goes on after an error, unless it is told not to: where this file was applied before, or one of its names is taken,
-- nothing more is written in this session.
DO $$
BEGIN
    IF to_regclass('public.registry_changes') IS NOT NULL OR to_regclass('public.registry_commit_order') IS NOT NULL
       OR to_regclass('public.registry_symbols') IS NOT NULL OR to_regclass('public.registry_fees') IS NOT NULL
       OR to_regclass('public.registry_log') IS NOT NULL THEN
        PERFORM set_config('default_transaction_read_only', 'on', false), set_config('transaction_read_only', 'on', false);
    END IF;
END
$$;

DO $$
DECLARE
    taken text;
BEGIN
    SELECT string_agg('public.' || own.name, ', ' ORDER BY own.name) INTO taken
    FROM (VALUES ('registry_changes'), ('registry_commit_order'), ('registry_symbols'), ('registry_fees'),
                 ('registry_log')) AS own (name)
    WHERE to_regclass('public.' || own.name) IS NOT NULL;
    IF taken IS NOT NULL THEN
        RAISE EXCEPTION '% is there already and was not made by migration 013 of exchanges_db: rename or move it, or give exchanges_db a database of its own', taken
            USING ERRCODE = 'duplicate_table';
    END IF;
END
$$;

CREATE TABLE public.registry_changes (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    changed TEXT NOT NULL,
    ids INTEGER[],
    versions INTEGER[],
    transaction_id XID8 NOT NULL,
    epoch BIGINT,
    token UUID,
    committed_at TIMESTAMPTZ,
    CONSTRAINT registry_changes_pkey PRIMARY KEY (id),
    CONSTRAINT registry_changes_changed_known CHECK (changed IN ('EVERYTHING', 'EXCHANGES', 'SYMBOLS', 'HOLDS', 'FEES', 'LISTS')),
    CONSTRAINT registry_changes_all_or_ids CHECK ((ids IS NULL) = (changed = 'EVERYTHING') AND (versions IS NULL OR cardinality(versions) = cardinality(ids))),
    CONSTRAINT registry_changes_stamped_whole CHECK ((epoch IS NULL) = (token IS NULL) AND (epoch IS NULL) = (committed_at IS NULL))
)
-- Each row is updated once, and the oldest are deleted: vacuum after some thousand commits, not after some ten thousand.
WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

CREATE INDEX idx_registry_changes_epoch ON public.registry_changes (epoch) WHERE epoch IS NOT NULL;
-- By which a commit finds its own rows, and looks at no other's: among many since it began, and where it is SERIALIZABLE,
-- to which reading what another wrote is a conflict.
CREATE INDEX idx_registry_changes_transaction ON public.registry_changes (transaction_id);

COMMENT ON TABLE public.registry_changes IS 'What a registry in memory must read again, one row per statement. Written by trigger; the oldest epochs are deleted';
COMMENT ON COLUMN public.registry_changes.changed IS 'What changed; EVERYTHING: all of it, as after TRUNCATE';
COMMENT ON COLUMN public.registry_changes.ids IS 'Of symbols for SYMBOLS, else of exchanges';
COMMENT ON COLUMN public.registry_changes.versions IS 'Where specifications changed: spec_version of each of ids before; 0: it had no rules, or was not there';
COMMENT ON COLUMN public.registry_changes.epoch IS 'The same for all rows of a transaction; rises in the order in which transactions became visible. NULL: not yet committed';
COMMENT ON COLUMN public.registry_changes.token IS 'At random, the same for all rows of a transaction: epochs are given again after a failover that lost the last of them';
COMMENT ON COLUMN public.registry_changes.committed_at IS 'Just before the commit, by the clock of the server';

-- Has no rows, ever, so that no vacuum comes to it and keeps a commit waiting.
CREATE TABLE public.registry_commit_order ();

COMMENT ON TABLE public.registry_commit_order IS 'Locked by whoever gives the next epoch, until the commit is over. Without columns and rows';

-- Two that go on together. No snapshot hides what a sequence has given: the one that was set back goes on with the other.
CREATE SEQUENCE public.registry_epoch_seq OWNED BY public.registry_changes.epoch;
CREATE SEQUENCE public.registry_epoch_witness_seq OWNED BY public.registry_changes.epoch;

-- The first epoch, so that the log is never empty: whoever knows less than this reads everything.
INSERT INTO public.registry_changes (changed, transaction_id, epoch, token, committed_at)
VALUES ('EVERYTHING', pg_current_xact_id(), nextval('public.registry_epoch_seq'), gen_random_uuid(), clock_timestamp());

-- What a registry holds of a symbol that has rules, under the names of its fields.
CREATE VIEW public.registry_symbols AS
SELECT s.id, s.exchange_id, e.enum_value AS exchange, s.price_decimals, s.quantity_decimals, s.spec_version,
       s.created_at, s.updated_at, s.source, s.observed_at, s.native_symbol, s.symbol, s.base, s.quote, s.settle,
       s.kind, s.direction, s.contract_size, s.strike, s.option_type, s.price_tick, s.tick_assumed,
       s.quantity_step, s.step_assumed, s.min_quantity, s.max_quantity, s.min_notional, s.max_notional,
       s.market_min_quantity, s.market_max_quantity, s.market_min_notional, s.market_max_notional, s.price_band_up,
       s.price_band_down, s.price_band_of, s.market_slip_ratio, s.order_types, s.leverage_min, s.leverage_max,
       s.initial_margin_rate, s.maintenance_margin_rate, s.funding_interval, s.funding_cap, s.max_open_orders,
       s.margin_allowed, s.full_name, s.contract_address, s.is_risky, s.is_premarket, s.asset_class,
       s.list_maker_fee, s.list_taker_fee, s.status, s.sides, s.api_tradable, s.buy_opens_at, s.sell_opens_at,
       s.delisting_at, s.delisted_at, s.expires_at, s.exchange_changed_at, d.since AS doubtful_since
FROM public.symbols AS s
JOIN public.exchanges AS e ON e.id = s.exchange_id
LEFT JOIN public.symbol_doubts AS d ON d.symbol_id = s.id AND d.ended_at IS NULL
WHERE s.status IS NOT NULL;

COMMENT ON VIEW public.registry_symbols IS 'Each symbol that has rules, as a registry in memory holds it';

-- Fees that were set and not forgotten, of exchanges and symbols that are the ones they were set for.
CREATE VIEW public.registry_fees AS
SELECT latest.exchange_id, latest.account, latest.symbol_id, latest.maker::text AS maker, latest.taker::text AS taker,
       latest.set_at
FROM (
    SELECT DISTINCT ON (f.exchange_id, f.account, f.symbol_id)
           f.exchange_id, f.account, f.symbol_id, f.maker, f.taker, f.set_at
    FROM public.account_fees AS f
    ORDER BY f.exchange_id, f.account, f.symbol_id, f.set_at DESC
) AS latest
JOIN public.exchanges AS e ON e.id = latest.exchange_id
LEFT JOIN public.symbols AS s ON s.id = latest.symbol_id AND s.exchange_id = e.id
WHERE latest.maker IS NOT NULL
  AND CASE WHEN latest.symbol_id IS NULL THEN latest.set_at >= e.created_at ELSE latest.set_at >= s.created_at END;

COMMENT ON VIEW public.registry_fees IS 'What accounts pay now, as a registry holds it';

-- For the tables of few rows. Its arguments: what changed, and the column that says of which exchange or symbol.
CREATE FUNCTION public.registry_note_rows() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO public.registry_changes (changed, ids, transaction_id)
    SELECT TG_ARGV[0], array_agg(DISTINCT (to_jsonb(r) ->> TG_ARGV[1])::integer), pg_current_xact_id()
    FROM changed_rows AS r
    HAVING count(*) > 0;
    RETURN NULL;
END
$$;

-- The same for an update, of which rows that stayed as they were are no part.
CREATE FUNCTION public.registry_note_updated_rows() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO public.registry_changes (changed, ids, transaction_id)
    SELECT TG_ARGV[0], array_agg(DISTINCT (differing.r ->> TG_ARGV[1])::integer), pg_current_xact_id()
    FROM ((SELECT to_jsonb(n) FROM changed_rows AS n EXCEPT SELECT to_jsonb(o) FROM old_rows AS o)
          UNION ALL
          (SELECT to_jsonb(o) FROM old_rows AS o EXCEPT SELECT to_jsonb(n) FROM changed_rows AS n)) AS differing (r)
    HAVING count(*) > 0;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.registry_note_symbols() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO public.registry_changes (changed, ids, versions, transaction_id)
    SELECT 'SYMBOLS', array_agg(r.id),
           array_agg(CASE WHEN TG_OP = 'INSERT' OR r.status IS NULL THEN 0 ELSE r.spec_version END),
           pg_current_xact_id()
    FROM changed_rows AS r
    HAVING count(*) > 0;
    RETURN NULL;
END
$$;

-- A plan that is kept after an update of one row must not compare each row of the next update with each.
CREATE FUNCTION public.registry_note_symbol_updates() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_nestloop = off
AS $$
BEGIN
    INSERT INTO public.registry_changes (changed, ids, versions, transaction_id)
    SELECT 'SYMBOLS', array_agg(n.id), array_agg(CASE WHEN o.status IS NULL THEN 0 ELSE o.spec_version END),
           pg_current_xact_id()
    FROM old_rows AS o JOIN changed_rows AS n USING (id)
    -- What an import notes for the next one, such as a digest of what was read, is no change.
    WHERE n.updated_at <> o.updated_at OR n.created_at <> o.created_at OR n.spec_version <> o.spec_version
    HAVING count(*) > 0;
    RETURN NULL;
END
$$;

-- The trigger beside it, of 012, has the same: after an update of one row, one of 2,000 took 2 s and not 0.2 s.
ALTER FUNCTION public.symbols_record_update() SET enable_nestloop = off;

CREATE FUNCTION public.registry_note_truncate() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO public.registry_changes (changed, transaction_id) VALUES ('EVERYTHING', pg_current_xact_id());
    RETURN NULL;
END
$$;

-- Runs once per row, at the commit; the first does it for all rows of the transaction. Plans that it keeps are made when
-- the table is small, and must use the indexes when it is not.
CREATE FUNCTION public.registry_stamp() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
    own_epoch bigint;
    own_token uuid;
    newest bigint;
    witnessed bigint;
BEGIN
    -- Whoever commits next waits here until this transaction is visible. A lock on a row would not do: a transaction of
    -- REPEATABLE READ could not take one that another has changed since it began. No role but the owner can take this.
    -- Before all that reads: what is read before another commits would be a conflict with it where both are SERIALIZABLE.
    LOCK TABLE public.registry_commit_order IN EXCLUSIVE MODE;
    PERFORM FROM public.registry_changes AS c WHERE c.id = NEW.id AND c.epoch IS NULL;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    -- It has an epoch already where SET CONSTRAINTS made this trigger immediate, or where another that is deferred has
    -- changed something after this one had run. By its time, too: a restored log has numbers of another server's transactions.
    SELECT c.epoch, c.token INTO own_epoch, own_token
    FROM public.registry_changes AS c
    WHERE c.transaction_id = pg_current_xact_id() AND c.committed_at >= transaction_timestamp()
    LIMIT 1;
    IF FOUND THEN
        UPDATE public.registry_changes AS c
        SET epoch = own_epoch, token = own_token, committed_at = clock_timestamp()
        WHERE c.id = NEW.id;
        RETURN NULL;
    END IF;
    own_epoch := nextval('public.registry_epoch_seq');
    witnessed := nextval('public.registry_epoch_witness_seq');
    IF own_epoch < witnessed THEN
        own_epoch := setval('public.registry_epoch_seq', witnessed);
    ELSIF own_epoch > witnessed THEN
        PERFORM setval('public.registry_epoch_witness_seq', own_epoch);
    END IF;
    -- No registry would ever see an epoch that is behind the log: sequences that were not restored with it, or were both
    -- set back, go on after the log. Where all is SERIALIZABLE, to read the newest would be a conflict with each other commit.
    -- REPEATABLE READ does not see what was committed since it began: it goes on after as much as the log keeps.
    IF current_setting('transaction_isolation') <> 'serializable' THEN
        SELECT c.epoch INTO newest FROM public.registry_changes AS c WHERE c.epoch >= own_epoch ORDER BY c.epoch DESC LIMIT 1;
        IF FOUND THEN
            own_epoch := setval('public.registry_epoch_seq', newest
                + CASE current_setting('transaction_isolation') WHEN 'read committed' THEN 1 ELSE 100000 END);
            PERFORM setval('public.registry_epoch_witness_seq', own_epoch);
        END IF;
    END IF;
    own_token := gen_random_uuid();
    UPDATE public.registry_changes AS c
    SET epoch = own_epoch, token = own_token, committed_at = clock_timestamp()
    WHERE c.transaction_id = pg_current_xact_id() AND c.epoch IS NULL;
    -- As many are kept as are of use to whoever was away for a while. Not at each commit: where an old snapshot keeps
    -- deleted rows from being removed, each would step over all of them. What another transaction has deleted meanwhile
    -- would be an error in the other kinds of isolation.
    IF own_epoch % 100 = 0 AND current_setting('transaction_isolation') = 'read committed' THEN
        DELETE FROM public.registry_changes AS c WHERE c.epoch <= own_epoch - 100000;
    END IF;
    -- A hint and no more: where somebody who listens and does not read lets the queue fill up, the commit must not fail.
    IF pg_notification_queue_usage() < 0.5 THEN
        PERFORM pg_notify('exchanges_db_changed', own_epoch || ':' || own_token);
    END IF;
    RETURN NULL;
END
$$;

-- PUBLIC could otherwise hang them on a table of its own.
REVOKE ALL ON FUNCTION public.registry_note_rows() FROM PUBLIC;
REVOKE ALL ON FUNCTION public.registry_note_updated_rows() FROM PUBLIC;
REVOKE ALL ON FUNCTION public.registry_note_symbols() FROM PUBLIC;
REVOKE ALL ON FUNCTION public.registry_note_symbol_updates() FROM PUBLIC;
REVOKE ALL ON FUNCTION public.registry_note_truncate() FROM PUBLIC;
REVOKE ALL ON FUNCTION public.registry_stamp() FROM PUBLIC;

CREATE CONSTRAINT TRIGGER registry_changes_stamp AFTER INSERT ON public.registry_changes
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.registry_stamp();

CREATE TRIGGER exchanges_note_insert AFTER INSERT ON public.exchanges
    REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_rows('EXCHANGES', 'id');
CREATE TRIGGER exchanges_note_update AFTER UPDATE ON public.exchanges
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_updated_rows('EXCHANGES', 'id');
CREATE TRIGGER exchanges_note_delete AFTER DELETE ON public.exchanges
    REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_rows('EXCHANGES', 'id');
CREATE TRIGGER exchanges_note_truncate AFTER TRUNCATE ON public.exchanges
    FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_truncate();
CREATE TRIGGER holds_note_insert AFTER INSERT ON public.holds
    REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_rows('HOLDS', 'exchange_id');
CREATE TRIGGER holds_note_update AFTER UPDATE ON public.holds
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_updated_rows('HOLDS', 'exchange_id');
CREATE TRIGGER holds_note_delete AFTER DELETE ON public.holds
    REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_rows('HOLDS', 'exchange_id');
CREATE TRIGGER holds_note_truncate AFTER TRUNCATE ON public.holds
    FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_truncate();
CREATE TRIGGER account_fees_note_insert AFTER INSERT ON public.account_fees
    REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_rows('FEES', 'exchange_id');
CREATE TRIGGER symbol_lists_note_insert AFTER INSERT ON public.symbol_lists
    REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_rows('LISTS', 'exchange_id');
CREATE TRIGGER symbol_lists_note_update AFTER UPDATE ON public.symbol_lists
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_updated_rows('LISTS', 'exchange_id');
CREATE TRIGGER symbol_lists_note_delete AFTER DELETE ON public.symbol_lists
    REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_rows('LISTS', 'exchange_id');
CREATE TRIGGER symbol_lists_note_truncate AFTER TRUNCATE ON public.symbol_lists
    FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_truncate();
CREATE TRIGGER symbol_doubts_note_insert AFTER INSERT ON public.symbol_doubts
    REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_rows('SYMBOLS', 'symbol_id');
CREATE TRIGGER symbol_doubts_note_update AFTER UPDATE ON public.symbol_doubts
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_updated_rows('SYMBOLS', 'symbol_id');
CREATE TRIGGER symbol_doubts_note_delete AFTER DELETE ON public.symbol_doubts
    REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_rows('SYMBOLS', 'symbol_id');
CREATE TRIGGER symbol_doubts_note_truncate AFTER TRUNCATE ON public.symbol_doubts
    FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_truncate();
CREATE TRIGGER symbols_note_insert AFTER INSERT ON public.symbols
    REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_symbols();
CREATE TRIGGER symbols_note_update AFTER UPDATE ON public.symbols
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_symbol_updates();
CREATE TRIGGER symbols_note_delete AFTER DELETE ON public.symbols
    REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_symbols();
CREATE TRIGGER symbols_note_truncate AFTER TRUNCATE ON public.symbols
    FOR EACH STATEMENT EXECUTE FUNCTION public.registry_note_truncate();

-- ALWAYS: also where session_replication_role = 'replica' switches ordinary triggers off.
ALTER TABLE public.registry_changes ENABLE ALWAYS TRIGGER registry_changes_stamp;
ALTER TABLE public.exchanges ENABLE ALWAYS TRIGGER exchanges_note_insert;
ALTER TABLE public.exchanges ENABLE ALWAYS TRIGGER exchanges_note_update;
ALTER TABLE public.exchanges ENABLE ALWAYS TRIGGER exchanges_note_delete;
ALTER TABLE public.exchanges ENABLE ALWAYS TRIGGER exchanges_note_truncate;
ALTER TABLE public.holds ENABLE ALWAYS TRIGGER holds_note_insert;
ALTER TABLE public.holds ENABLE ALWAYS TRIGGER holds_note_update;
ALTER TABLE public.holds ENABLE ALWAYS TRIGGER holds_note_delete;
ALTER TABLE public.holds ENABLE ALWAYS TRIGGER holds_note_truncate;
ALTER TABLE public.account_fees ENABLE ALWAYS TRIGGER account_fees_note_insert;
ALTER TABLE public.symbol_lists ENABLE ALWAYS TRIGGER symbol_lists_note_insert;
ALTER TABLE public.symbol_lists ENABLE ALWAYS TRIGGER symbol_lists_note_update;
ALTER TABLE public.symbol_lists ENABLE ALWAYS TRIGGER symbol_lists_note_delete;
ALTER TABLE public.symbol_lists ENABLE ALWAYS TRIGGER symbol_lists_note_truncate;
ALTER TABLE public.symbol_doubts ENABLE ALWAYS TRIGGER symbol_doubts_note_insert;
ALTER TABLE public.symbol_doubts ENABLE ALWAYS TRIGGER symbol_doubts_note_update;
ALTER TABLE public.symbol_doubts ENABLE ALWAYS TRIGGER symbol_doubts_note_delete;
ALTER TABLE public.symbol_doubts ENABLE ALWAYS TRIGGER symbol_doubts_note_truncate;
ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_note_insert;
ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_note_update;
ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_note_delete;
ALTER TABLE public.symbols ENABLE ALWAYS TRIGGER symbols_note_truncate;

-- A change of which nobody was told must not be taken for none: a restore makes the triggers of a table after its rows, one
-- table after another, and an owner may switch them off, for one transaction too. Each of that gives a row of the catalogue
-- the number of the transaction that did it. Two of earlier migrations are among them: without symbols_stamp the notes
-- would take no update for one, and while account_fees_refuse is on nothing there is deleted, of which there is no note.
-- And the tables, by name and as the very ones that the views are of: another one that was renamed to the name of one of
-- them has no such triggers, or is not what the views show. None may be a partition, inherit, or be inherited from: what is
-- written by way of the other table fires no trigger per statement. That it was so tell the numbers of the columns' own
-- rows, as they tell of ALTER COLUMN ... TYPE ... USING, which changes rows and fires no trigger.
CREATE VIEW public.registry_log AS
SELECT (
    (SELECT CASE count(*) WHEN 24 THEN sum(t.xmin::text::bigint) END
     FROM pg_catalog.pg_trigger AS t
     WHERE t.tgenabled = 'A'
       AND t.tgrelid IN ('public.account_fees'::regclass, 'public.exchanges'::regclass, 'public.holds'::regclass,
                         'public.registry_changes'::regclass, 'public.symbol_doubts'::regclass,
                         'public.symbol_lists'::regclass, 'public.symbols'::regclass)
       AND t.tgname IN ('account_fees_note_insert', 'account_fees_refuse',
                        'exchanges_note_delete', 'exchanges_note_insert', 'exchanges_note_truncate', 'exchanges_note_update',
                        'holds_note_delete', 'holds_note_insert', 'holds_note_truncate', 'holds_note_update',
                        'registry_changes_stamp',
                        'symbol_doubts_note_delete', 'symbol_doubts_note_insert', 'symbol_doubts_note_truncate', 'symbol_doubts_note_update',
                        'symbol_lists_note_delete', 'symbol_lists_note_insert', 'symbol_lists_note_truncate', 'symbol_lists_note_update',
                        'symbols_note_delete', 'symbols_note_insert', 'symbols_note_truncate', 'symbols_note_update',
                        'symbols_stamp'))
    + (SELECT CASE count(*) WHEN 7 THEN 0 END
       FROM pg_catalog.pg_class AS c
       WHERE c.relnamespace = 'public'::regnamespace
         AND c.relname IN ('account_fees', 'exchanges', 'holds', 'registry_changes', 'symbol_doubts', 'symbol_lists', 'symbols')
         AND c.oid IN ('public.account_fees'::regclass, 'public.exchanges'::regclass, 'public.holds'::regclass,
                       'public.registry_changes'::regclass, 'public.symbol_doubts'::regclass,
                       'public.symbol_lists'::regclass, 'public.symbols'::regclass)
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = c.oid)
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = c.oid))
    + (SELECT sum(a.xmin::text::bigint)
       FROM pg_catalog.pg_attribute AS a
       WHERE a.attnum > 0
         AND a.attrelid IN ('public.account_fees'::regclass, 'public.exchanges'::regclass, 'public.holds'::regclass,
                            'public.registry_changes'::regclass, 'public.symbol_doubts'::regclass,
                            'public.symbol_lists'::regclass, 'public.symbols'::regclass))
)::bigint AS version;

COMMENT ON VIEW public.registry_log IS 'Another number whenever one of the triggers that write the log of changes was made or switched, or a column of their tables changed; NULL while not all are there and fire always, or a table inherits';

-- It has no primary key, because native_symbol may be NULL. Where all tables are published, as by tools that read the
-- stream of changes, no hold could be replaced or released otherwise. Last, because who reads holds waits for this.
ALTER TABLE public.holds REPLICA IDENTITY FULL;

-- migrate:down
SET LOCAL lock_timeout = '200ms';
-- One statement that undoes nothing unless dbmate runs it. Another program runs this file from end to end: then the up
-- part stands in the same transaction, or this statement has a transaction of its own; dbmate begins one before it.
DO $down$
BEGIN
    IF current_setting('exchanges_db.direction', true) = 'up' OR transaction_timestamp() = statement_timestamp() THEN
        RAISE WARNING 'migration 013 was not undone: only dbmate runs its down part, by dbmate rollback';
        RETURN;
    END IF;
    -- Before all else, as registries do, which read this and then the others: each would wait for what the other has.
    LOCK TABLE public.registry_changes IN ACCESS EXCLUSIVE MODE;
    ALTER TABLE public.holds REPLICA IDENTITY DEFAULT;
    DROP TRIGGER exchanges_note_insert ON public.exchanges;
    DROP TRIGGER exchanges_note_update ON public.exchanges;
    DROP TRIGGER exchanges_note_delete ON public.exchanges;
    DROP TRIGGER exchanges_note_truncate ON public.exchanges;
    DROP TRIGGER holds_note_insert ON public.holds;
    DROP TRIGGER holds_note_update ON public.holds;
    DROP TRIGGER holds_note_delete ON public.holds;
    DROP TRIGGER holds_note_truncate ON public.holds;
    DROP TRIGGER account_fees_note_insert ON public.account_fees;
    DROP TRIGGER symbol_lists_note_insert ON public.symbol_lists;
    DROP TRIGGER symbol_lists_note_update ON public.symbol_lists;
    DROP TRIGGER symbol_lists_note_delete ON public.symbol_lists;
    DROP TRIGGER symbol_lists_note_truncate ON public.symbol_lists;
    DROP TRIGGER symbol_doubts_note_insert ON public.symbol_doubts;
    DROP TRIGGER symbol_doubts_note_update ON public.symbol_doubts;
    DROP TRIGGER symbol_doubts_note_delete ON public.symbol_doubts;
    DROP TRIGGER symbol_doubts_note_truncate ON public.symbol_doubts;
    DROP TRIGGER symbols_note_insert ON public.symbols;
    DROP TRIGGER symbols_note_update ON public.symbols;
    DROP TRIGGER symbols_note_delete ON public.symbols;
    DROP TRIGGER symbols_note_truncate ON public.symbols;
    ALTER FUNCTION public.symbols_record_update() RESET enable_nestloop;
    DROP VIEW public.registry_log;
    DROP VIEW public.registry_fees;
    DROP VIEW public.registry_symbols;
    DROP TABLE public.registry_changes;
    DROP TABLE public.registry_commit_order;
    DROP FUNCTION public.registry_stamp();
    DROP FUNCTION public.registry_note_truncate();
    DROP FUNCTION public.registry_note_symbol_updates();
    DROP FUNCTION public.registry_note_symbols();
    DROP FUNCTION public.registry_note_updated_rows();
    DROP FUNCTION public.registry_note_rows();
END
$down$;
