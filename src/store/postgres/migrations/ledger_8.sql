-- A journey that waits at a node has left its chunk. When its time has come it is woken into a chunk of its own, which begins
-- behind that node; the row stays, since it says to which chunk a delivery of the journey belongs.
CREATE TABLE waiting_journey (
    run bigint NOT NULL,
    chunk int NOT NULL,                 -- the chunk it left
    customer bigint NOT NULL,
    node int NOT NULL,
    since bigint NOT NULL,
    wake_at bigint NOT NULL,
    woken_into int,                     -- the chunk it goes on in; null while it waits, -1 if its run ended before
    PRIMARY KEY (run, chunk, customer)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01);
CREATE INDEX waiting_journey_due ON waiting_journey (wake_at) WHERE woken_into IS NULL;
CREATE INDEX waiting_journey_group ON waiting_journey (run, chunk, node) WHERE woken_into IS NULL;

-- Where a chunk of woken journeys came from; null in the chunks of the audience.
ALTER TABLE chunk ADD COLUMN from_chunk int;
ALTER TABLE chunk ADD COLUMN from_node int;
ALTER TABLE chunk ADD COLUMN woken_at bigint;       -- `now` for its journeys

-- Calls that are not matched: those whose runs rest are many, and no longer among these.
CREATE INDEX call_accepted ON call (seq) WHERE state = 0;

-- Runs of which all that is left waits.
CREATE INDEX run_waiting ON run (scenario, id) WHERE state = 6;

-- Whether a delivery was made in a chunk: a journey's deliveries before a wait belong to the chunk that it left, those
-- behind it to the chunk that it was woken into.
CREATE FUNCTION made_in_chunk_1(c chunk, of_customer bigint, of_node int) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT of_customer BETWEEN c.first_key AND c.last_key
        AND (c.from_chunk IS NULL OR EXISTS (SELECT FROM waiting_journey w
            WHERE w.run = c.run AND w.chunk = c.from_chunk AND w.customer = of_customer AND w.woken_into = c.n
                AND w.node < of_node))
        AND NOT EXISTS (SELECT FROM waiting_journey l
            WHERE l.run = c.run AND l.chunk = c.n AND l.customer = of_customer AND l.node < of_node)
$$;

-- Writes journeys that begin to wait; false if a chunk of them has another owner, and then those of it are not written. One
-- that waits already goes on waiting as it was decided first.
CREATE FUNCTION begin_waits_1(
    at bigint, j_run bigint[], j_chunk int[], j_fence bigint[], j_customer bigint[], j_node int[], j_wake bigint[]
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    held_run bigint[];
    held_n int[];
    held_fence bigint[];
BEGIN
    -- Locked as keys: whoever takes a chunk waits for this commit.
    SELECT array_agg(l.run), array_agg(l.n), array_agg(l.fence) INTO held_run, held_n, held_fence
        FROM (SELECT c.run, c.n, c.fence
            FROM (SELECT DISTINCT * FROM unnest(j_run, j_chunk)) x (run, n)
            JOIN chunk c ON c.run = x.run AND c.n = x.n
            WHERE c.state = 0
            FOR KEY SHARE OF c) l;
    INSERT INTO waiting_journey (run, chunk, customer, node, since, wake_at)
        SELECT j.run, j.chunk, j.customer, j.node, at, j.wake
        FROM unnest(j_run, j_chunk, j_fence, j_customer, j_node, j_wake) AS j (run, chunk, fence, customer, node, wake)
        JOIN unnest(held_run, held_n, held_fence) AS h (run, n, fence)
            ON h.run = j.run AND h.n = j.chunk AND h.fence = j.fence
    ON CONFLICT DO NOTHING;
    RETURN NOT EXISTS (SELECT FROM unnest(j_run, j_chunk, j_fence) AS x (run, n, fence)
        LEFT JOIN unnest(held_run, held_n, held_fence) AS h (run, n, fence)
            ON h.run = x.run AND h.n = x.n AND h.fence = x.fence
        WHERE h.run IS NULL);
END $$;

-- Wakes journeys that wait at one node of one chunk into a chunk of their own, and lets their run go on. Gives the chunk's
-- number; -1 if the run is at its end, and they are let go; null if another replica is at it, or one of them is woken.
CREATE FUNCTION wake_journeys_1(
    of_run bigint, left_chunk int, at_node int, customers bigint[], keys bytea, at bigint
) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    run_state smallint;
    new_n int;
    woken bigint;
BEGIN
    -- Those who open windows in the run are not disturbed; who ends or stops it, or wakes others of it, takes turns.
    SELECT r.state INTO run_state FROM run r WHERE r.id = of_run FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND AND EXISTS (SELECT FROM run r WHERE r.id = of_run) THEN
        RETURN NULL;
    END IF;
    SELECT count(*) INTO woken FROM (SELECT FROM waiting_journey w
        WHERE w.run = of_run AND w.chunk = left_chunk AND w.node = at_node AND w.customer = ANY (customers)
            AND w.woken_into IS NULL
        FOR UPDATE SKIP LOCKED) held;
    IF woken < cardinality(customers) THEN
        RETURN NULL;
    END IF;
    new_n := -1;
    IF run_state IN (1, 6) THEN
        SELECT coalesce(max(c.n), 0) + 1 INTO new_n FROM chunk c WHERE c.run = of_run;
        INSERT INTO chunk (run, n, first_key, last_key, size, from_chunk, from_node, woken_at)
            SELECT of_run, new_n, min(k), max(k), count(*), left_chunk, at_node, at FROM unnest(customers) k;
        INSERT INTO chunk_customers (run, n, customers) VALUES (of_run, new_n, keys);
        UPDATE run r SET state = 1 WHERE r.id = of_run AND r.state = 6;
    END IF;
    UPDATE waiting_journey w SET woken_into = new_n
        WHERE w.run = of_run AND w.chunk = left_chunk AND w.customer = ANY (customers);
    RETURN new_n;
END $$;

-- Lets a run rest of which nothing but waiting journeys is left.
CREATE FUNCTION rest_run_1(of_run bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    -- First the row: whoever wakes journeys of it just now is waited for, and their chunk is seen.
    PERFORM FROM run r WHERE r.id = of_run FOR UPDATE;
    UPDATE run r SET state = 6, owner = NULL WHERE r.id = of_run AND r.state = 1 AND NOT r.stopping
        AND NOT EXISTS (SELECT FROM chunk c WHERE c.run = of_run AND c.state = 0)
        AND EXISTS (SELECT FROM waiting_journey w WHERE w.run = of_run AND w.woken_into IS NULL);
    RETURN FOUND;
END $$;

-- What finish_chunk_1 does, about the deliveries that were made in the chunk.
CREATE FUNCTION finish_chunk_2(
    of_run bigint, of_n int, of_fence bigint, decided bigint, counted text, accepted bigint
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    held chunk;
BEGIN
    SELECT c.* INTO held FROM chunk c
        WHERE c.run = of_run AND c.n = of_n AND c.fence = of_fence AND c.state = 0 FOR UPDATE;
    IF NOT FOUND OR EXISTS (SELECT FROM delivery d WHERE d.accepted_at = accepted AND d.run = of_run
            AND d.customer BETWEEN held.first_key AND held.last_key AND d.state IN (0, 1, 2)
            AND made_in_chunk_1(held, d.customer, d.node)) THEN
        RETURN false;
    END IF;
    UPDATE chunk c SET state = 1, position = decided, counts = counted, owner = NULL
        WHERE c.run = of_run AND c.n = of_n;
    RETURN true;
END $$;

-- What resend_1 does, for the chunk in which the delivery was made, also of a run that rests.
CREATE FUNCTION resend_2(of_run bigint, of_customer bigint, of_node int, accepted bigint, at bigint)
RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    of_call bigint;
    of_chunk int;
BEGIN
    SELECT c.seq INTO of_call FROM call c WHERE c.seq = (SELECT r.call FROM run r WHERE r.id = of_run) FOR UPDATE;
    PERFORM FROM run r WHERE r.id = of_run AND r.state IN (1, 2, 6) AND NOT r.stopping FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    UPDATE delivery d SET state = 0, doubtful = false, address = NULL, digest = NULL, first_at = NULL, done_at = NULL,
            retry_at = at, reason = 'sent again by a person''s decision'
        WHERE d.accepted_at = accepted AND d.run = of_run AND d.customer = of_customer AND d.node = of_node
            AND d.state = 6;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    UPDATE pending_delivery p SET state = 0
        WHERE p.run = of_run AND p.customer = of_customer AND p.node = of_node;
    UPDATE chunk c SET state = 0, counts = NULL
        WHERE c.run = of_run AND made_in_chunk_1(c, of_customer, of_node) RETURNING c.n INTO of_chunk;
    UPDATE run r SET state = 1, finished_at = NULL WHERE r.id = of_run;
    UPDATE call c SET state = 1, finished_at = NULL WHERE c.seq = of_call AND c.state IN (1, 2);
    RETURN of_chunk;
END $$;

-- What end_run_2 does, where a run that rests keeps its call under way.
CREATE FUNCTION end_run_3(
    ended_run bigint, new_state smallint, new_end smallint, why text, at_time bigint,
    new_cause text, new_told text, is_enough boolean
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    of_call bigint;
BEGIN
    -- The call's row first: two runs of one call that end at once take turns, and the later one sees the other.
    SELECT c.seq INTO of_call FROM call c WHERE c.seq = (SELECT r.call FROM run r WHERE r.id = ended_run) FOR UPDATE;
    UPDATE run r SET state = new_state, ended = new_end, error = coalesce(why, r.error), finished_at = at_time, owner = NULL
        WHERE r.id = ended_run AND r.state IN (0, 1)
            AND (new_state = 3 OR NOT EXISTS (SELECT 1 FROM chunk k WHERE k.run = ended_run AND k.state = 0));
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE call c SET finished_at = at_time, state = s.state, ended = s.ended
        FROM (SELECT CASE WHEN bool_or(r.state = 3) THEN 3 WHEN bool_and(r.state = 4) THEN 4 ELSE 2 END AS state,
                bit_or(coalesce(r.ended, CASE r.state WHEN 3 THEN 2 WHEN 4 THEN 4 ELSE 1 END)::smallint) AS ended
            FROM run r WHERE r.call = of_call) s
        WHERE c.seq = of_call AND c.state = 1
            AND NOT EXISTS (SELECT 1 FROM run r WHERE r.call = of_call AND r.state IN (0, 1, 6));
    IF new_cause IS NOT NULL THEN
        INSERT INTO left_out AS l (scenario, call, cause, told, since, at, is_over)
            SELECT r.scenario, c.id, new_cause, new_told, at_time, at_time, false
            FROM run r JOIN call c ON c.seq = r.call WHERE r.id = ended_run AND c.seq = of_call
        ON CONFLICT (scenario) DO UPDATE SET at = excluded.at, is_over = false, cause = excluded.cause,
            call = CASE WHEN l.is_over OR l.cause <> excluded.cause THEN excluded.call ELSE l.call END,
            told = CASE WHEN l.is_over OR l.cause <> excluded.cause THEN excluded.told ELSE l.told END,
            since = CASE WHEN l.is_over OR l.cause <> excluded.cause THEN excluded.since ELSE l.since END;
    ELSIF is_enough THEN
        UPDATE left_out l SET is_over = true
            WHERE l.scenario = (SELECT r.scenario FROM run r WHERE r.id = ended_run) AND NOT l.is_over;
    END IF;
    RETURN true;
END $$;
