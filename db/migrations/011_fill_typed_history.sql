-- Migration 011: copies what is in symbol_history into the table that 010 made, a thousand rows at a time.
--
-- Each thousand is a transaction of its own, which waits for nobody and for which nobody waits longer than it takes. What
-- was copied stays copied where this stops, and it can be run again, and by two at once. One statement, because a program
-- sends several as one transaction; within one, as psql -1 has it, all is copied at once.

-- migrate:up transaction:false
-- exchanges_db: may be run again, so `exchanges-db migrate` does that after a deploy that was interrupted.
DO $fill$
DECLARE
    in_steps boolean := transaction_timestamp() = statement_timestamp();
    done integer := -2147483648;
    done_version integer := 0;
    upto integer;
    ids integer[];
    versions integer[];
BEGIN
    IF to_regclass('public.symbol_history_typed') IS NULL THEN
        RETURN;
    END IF;
    LOOP
        SELECT array_agg(one.symbol_id ORDER BY one.symbol_id, one.spec_version),
               array_agg(one.spec_version ORDER BY one.symbol_id, one.spec_version)
        INTO ids, versions
        FROM (
            SELECT h.symbol_id, h.spec_version
            FROM public.symbol_history AS h
            WHERE (h.symbol_id, h.spec_version) > (done, done_version)
            ORDER BY h.symbol_id, h.spec_version
            LIMIT 1000
        ) AS one;
        EXIT WHEN ids IS NULL;
        PERFORM public.symbol_history_copy(ids, versions);
        done := ids[cardinality(ids)];
        done_version := versions[cardinality(versions)];
        IF in_steps THEN
            COMMIT;
        END IF;
    END LOOP;
    done := -2147483648;
    LOOP
        SELECT max(one.id) INTO upto
        FROM (
            SELECT s.id
            FROM public.symbols AS s
            WHERE s.id > done
            ORDER BY s.id
            LIMIT 1000
        ) AS one;
        EXIT WHEN upto IS NULL;
        -- What an import has just changed is not waited for: the import, in another order, could wait for this. 012 sees to it.
        UPDATE public.symbols AS s
        SET spec_hash = public.symbol_spec_hash(s)
        FROM (
            SELECT n.id
            FROM public.symbols AS n
            WHERE n.id > done AND n.id <= upto AND n.spec_hash IS NULL
            FOR NO KEY UPDATE SKIP LOCKED
        ) AS unhashed
        WHERE s.id = unhashed.id;
        done := upto;
        IF in_steps THEN
            COMMIT;
        END IF;
    END LOOP;
    -- The first question that 012 lets through is planned with figures of its own.
    ANALYZE public.symbol_history_typed;
END
$fill$;

-- migrate:down transaction:false
-- Nothing: the rollback of 010 drops the copy.
