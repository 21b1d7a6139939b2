-- Runs that are removed: nobody finds them any more, and what belongs to them goes behind them, batch by batch. A row goes
-- when nothing of its run is left.
CREATE TABLE removed_run (
    run bigint PRIMARY KEY,
    accepted_at bigint NOT NULL,        -- where its deliveries are kept
    only_deliveries boolean NOT NULL DEFAULT false -- all else of it is gone
);
CREATE INDEX removed_run_whole ON removed_run (run) WHERE NOT only_deliveries;
CREATE INDEX removed_run_deliveries ON removed_run (accepted_at, run) WHERE only_deliveries;

-- Whether there is an accepted call of that time. A run is of the same time as its call, and there is none without one.
CREATE FUNCTION has_calls_1(from_at bigint, to_at bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    -- One look into the index a trigger.
    RETURN EXISTS (
        WITH RECURSIVE triggers (name) AS (
            SELECT min(c.trigger_name) FROM call c WHERE c.state <> 6
            UNION ALL
            SELECT (SELECT min(c.trigger_name) FROM call c WHERE c.state <> 6 AND c.trigger_name > t.name)
                FROM triggers t WHERE t.name IS NOT NULL)
        SELECT FROM triggers t JOIN call c ON c.trigger_name = t.name
            WHERE c.state <> 6 AND c.received_at >= from_at AND c.received_at < to_at);
END $$;

-- Takes calls that were received before a time and are at their end, with their runs and chunks. Each is looked at again
-- here, while it is held: whoever lets a delivery be sent again holds the call, and is passed over. Gives how many calls
-- and runs went.
CREATE FUNCTION remove_calls_1(calls bigint[], before_at bigint) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    held bigint[];
    runs bigint[];
    calls_gone bigint;
BEGIN
    SELECT array_agg(l.seq) INTO held FROM (
        SELECT c.seq FROM call c
        WHERE c.seq = ANY (calls) AND c.received_at < before_at AND c.state IN (2, 3, 4, 5, 6)
        FOR UPDATE SKIP LOCKED) l;
    -- Another statement, so that it sees what was committed before the rows were held.
    SELECT array_agg(h.seq) INTO held FROM unnest(held) AS h (seq)
        WHERE NOT EXISTS (SELECT FROM run r WHERE r.call = h.seq AND r.state NOT IN (2, 3, 4));
    IF held IS NULL THEN
        RETURN ARRAY[0, 0];
    END IF;
    SELECT coalesce(array_agg(r.id), '{}') INTO runs FROM run r WHERE r.call = ANY (held);
    INSERT INTO removed_run (run, accepted_at) SELECT r.id, r.accepted_at FROM run r WHERE r.id = ANY (runs);
    DELETE FROM chunk k WHERE k.run = ANY (runs);
    DELETE FROM run r WHERE r.id = ANY (runs) AND r.state IN (2, 3, 4);
    DELETE FROM pause p USING call c WHERE c.seq = ANY (held) AND p.kind = 'call' AND p.name = c.id;
    -- A run that is still there keeps its call, and all of this is undone.
    DELETE FROM call c WHERE c.seq = ANY (held) AND c.received_at < before_at AND c.state IN (2, 3, 4, 5, 6);
    GET DIAGNOSTICS calls_gone = ROW_COUNT;
    RETURN ARRAY[calls_gone, cardinality(runs)];
END $$;

-- Drops a partition all of whose deliveries are of removed calls. 1: it is dropped. 0: a call of its time is there. 2: it
-- is in use just now. Whoever comes behind waits for nobody longer than this does: a twentieth of a second.
CREATE FUNCTION drop_deliveries_1(part text, from_at bigint, to_at bigint) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    IF has_calls_1(from_at, to_at) THEN
        RETURN 0;
    END IF;
    PERFORM set_config('lock_timeout', '50ms', true);
    LOCK TABLE ONLY delivery IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('LOCK TABLE ONLY %I IN ACCESS EXCLUSIVE MODE', part);
    -- Nobody can write into it any more: it is looked at once again.
    IF has_calls_1(from_at, to_at) THEN
        RETURN 0;
    END IF;
    EXECUTE format('DROP TABLE %I', part);
    RETURN 1;
EXCEPTION WHEN lock_not_available OR deadlock_detected OR object_in_use THEN
    RETURN 2;
END $$;

-- Versions that are removed when nothing has needed them for long are known from now on: replicas of the version before do
-- not note which they have in force.
UPDATE version SET created_at = greatest(created_at, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint);
