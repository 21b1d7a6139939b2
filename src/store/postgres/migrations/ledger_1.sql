-- The ledger of one tenant: calls, runs, chunks, leases, keys and deliveries. Times are UTC microseconds. States are
-- the numbers that `domain::state` gives them; those named in an index's condition never change their number.
--
-- Only `delivery` grows with the customers: it is keyed by customer, may be distributed by it, and no row of it is
-- ever locked by name. Everything else stays in one place, and only that is locked.

-- Everything in force at one time, by the hash of its content. Kept while an unfinished call refers to it.
CREATE TABLE version (
    id text PRIMARY KEY,
    content text NOT NULL,
    created_at bigint NOT NULL
);

-- The trigger log: every accepted call, and refused ones. Ids are UUIDs of version 7 as text: their order is that of
-- time.
CREATE TABLE call (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    request text COLLATE "C",
    trigger_name text NOT NULL,
    credential text,
    received_at bigint NOT NULL,
    expires_at bigint,
    version text,
    params text,
    state smallint NOT NULL,            -- accepted, running, done, failed, cancelled, expired, refused
    http_status int NOT NULL,
    reason text,
    not_fired text,
    finished_at bigint
) WITH (fillfactor = 80);
CREATE INDEX call_by_trigger ON call (trigger_name, id);
CREATE INDEX call_by_request ON call (request, id) WHERE request IS NOT NULL;
CREATE INDEX call_open ON call (seq) WHERE state IN (0, 1);
-- What counts against a trigger's rate window.
CREATE INDEX call_counted ON call (trigger_name, received_at) WHERE state <> 6;

-- 401, 403 and 404 beyond ten a second a trigger are only counted.
CREATE TABLE refusal_count (
    trigger_name text NOT NULL,
    http_status int NOT NULL,
    reason text NOT NULL,
    minute bigint NOT NULL,
    refusals bigint NOT NULL,
    PRIMARY KEY (trigger_name, minute, http_status, reason)
);

-- Idempotency keys (kind 0: scope is trigger and credential) and deduplication keys (kind 1: scope is the trigger).
CREATE TABLE call_key (
    kind smallint NOT NULL,
    scope text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    body_digest bytea NOT NULL,
    answer text NOT NULL,
    expires_at bigint NOT NULL,
    PRIMARY KEY (scope, key, kind)
);
CREATE INDEX call_key_expiry ON call_key (expires_at);

-- One row a trigger with a rate window: whoever accepts calls within it holds this row, and nobody else does then.
CREATE TABLE rate_counter (
    trigger_name text PRIMARY KEY
);

-- One row a channel with a rate: the moment up to which starts have been given out, over all replicas.
CREATE TABLE channel_rate (
    channel text PRIMARY KEY,
    given_to bigint NOT NULL            -- UTC nanoseconds of the server's clock
);

-- One row a process: what it owns is its own while this lease runs, on the server's clock.
CREATE TABLE replica (
    owner text PRIMARY KEY,
    lease_until timestamptz NOT NULL,
    ran_out boolean NOT NULL            -- whether it had run out when it was last renewed
);

-- One scenario executing for one call, on the version the call came in with.
CREATE TABLE run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    call bigint NOT NULL REFERENCES call (seq),
    accepted_at bigint NOT NULL,        -- of its call: where its deliveries are kept
    scenario text NOT NULL,
    state smallint NOT NULL,            -- selecting, running, done, failed, cancelled
    audience bigint,
    access text,
    stopping boolean NOT NULL DEFAULT false,
    failures int NOT NULL DEFAULT 0,
    error text,
    started_at bigint NOT NULL,
    finished_at bigint,
    owner text,                         -- who reads its audience
    UNIQUE (call, scenario)
) WITH (fillfactor = 50);
CREATE INDEX run_open ON run (id) WHERE state IN (0, 1);

-- The audience, read once, in chunks of sorted customer keys. Customers before `position` are decided. An opening
-- locks the row as a key (FOR KEY SHARE); moving `position` does not disturb it; taking the chunk waits for it.
CREATE TABLE chunk (
    run bigint NOT NULL REFERENCES run (id),
    n int NOT NULL,
    first_key bigint NOT NULL,
    last_key bigint NOT NULL,
    size bigint NOT NULL,
    position bigint NOT NULL DEFAULT 0,
    state smallint NOT NULL DEFAULT 0,  -- open, done
    owner text,
    fence bigint NOT NULL DEFAULT 0,
    counts text,
    PRIMARY KEY (run, n)
) WITH (fillfactor = 50);
CREATE INDEX chunk_open ON chunk (run, n) WHERE state = 0;
CREATE INDEX chunk_owned ON chunk (owner) WHERE state = 0;

-- The keys of a chunk, apart from it, because the row of a chunk changes with every window.
CREATE TABLE chunk_customers (
    run bigint NOT NULL,
    n int NOT NULL,
    customers bytea NOT NULL,
    PRIMARY KEY (run, n)
);

-- One message to one customer through one channel. Kept by the time its call was accepted, which is the same in
-- every delivery of a call; led by the run, as chunks are.
CREATE TABLE delivery (
    run bigint NOT NULL,
    customer bigint NOT NULL,
    node int NOT NULL,
    accepted_at bigint NOT NULL,
    channel text NOT NULL,
    state smallint NOT NULL,            -- queued, sending, retrying | sent, failed, unknown, held, skipped, cancelled, expired
    attempt int NOT NULL,
    doubtful boolean NOT NULL DEFAULT false,
    passed boolean NOT NULL DEFAULT false,
    address text,
    digest bytea,
    provider_id text,
    reason text,
    first_at bigint,
    last_at bigint,
    retry_at bigint,
    done_at bigint,
    fence bigint,                       -- by what right its last attempt was opened
    PRIMARY KEY (run, customer, node, accepted_at)
) PARTITION BY RANGE (accepted_at);
CREATE TABLE delivery_default PARTITION OF delivery DEFAULT WITH (fillfactor = 70);
-- No index holds what an outcome changes: an outcome then rewrites its row in place. What people and channels look
-- for among the few that wait or are held is in a table of its own.

-- Deliveries that are queued, retrying or held.
CREATE TABLE pending_delivery (
    run bigint NOT NULL,
    customer bigint NOT NULL,
    node int NOT NULL,
    accepted_at bigint NOT NULL,
    channel text NOT NULL,
    state smallint NOT NULL,
    PRIMARY KEY (run, customer, node)
);
CREATE INDEX pending_by_state ON pending_delivery (state, channel);

-- Writes calls with their keys, all or nothing. SQLSTATE FF001 says that a key or a place in a rate window was taken
-- since it was looked at: nothing is kept, and it is to be decided anew. `moment` is the latest time of receipt.
CREATE FUNCTION accept_calls_1(
    moment bigint,
    call_id text[], call_request text[], call_trigger text[], call_credential text[], call_received bigint[],
    call_expires bigint[], call_version text[], call_params text[],
    key_kind smallint[], key_scope text[], key_text text[], key_digest bytea[], key_answer text[],
    key_expires bigint[],
    rate_trigger text[], rate_calls bigint[], rate_since bigint[], rate_new bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    written bigint;
BEGIN
    IF cardinality(rate_trigger) > 0 THEN
        INSERT INTO rate_counter (trigger_name)
            SELECT DISTINCT t FROM unnest(rate_trigger) t ORDER BY t ON CONFLICT DO NOTHING;
        PERFORM FROM rate_counter WHERE trigger_name = ANY (rate_trigger) ORDER BY trigger_name FOR UPDATE;
        PERFORM FROM unnest(rate_trigger, rate_calls, rate_since, rate_new) r (name, most, since, new)
            WHERE r.new + (SELECT count(*) FROM (
                SELECT FROM call c WHERE c.trigger_name = r.name AND c.received_at > r.since AND c.state <> 6
                LIMIT r.most) counted) > r.most;
        IF FOUND THEN
            RAISE EXCEPTION 'a rate window has filled' USING ERRCODE = 'FF001';
        END IF;
    END IF;
    IF cardinality(key_kind) > 0 THEN
        INSERT INTO call_key (kind, scope, key, body_digest, answer, expires_at)
            SELECT * FROM unnest(key_kind, key_scope, key_text, key_digest, key_answer, key_expires)
                AS k (kind, scope, key, digest, answer, expires)
            ORDER BY scope COLLATE "C", key COLLATE "C", kind
        ON CONFLICT (scope, key, kind) DO UPDATE
            SET body_digest = excluded.body_digest, answer = excluded.answer, expires_at = excluded.expires_at
            WHERE call_key.expires_at <= moment;
        GET DIAGNOSTICS written = ROW_COUNT;
        IF written < cardinality(key_kind) THEN
            RAISE EXCEPTION 'a key was taken' USING ERRCODE = 'FF001';
        END IF;
    END IF;
    INSERT INTO call (id, request, trigger_name, credential, received_at, expires_at, version, params, state, http_status)
        SELECT c.*, 0, 202 FROM unnest(call_id, call_request, call_trigger, call_credential, call_received,
            call_expires, call_version, call_params) c;
END $$;

-- One step of a channel or of a walk, in the order of the arguments: outcomes, what was decided without a window,
-- what was passed, openings, cursors. Answers for each opening: 0 it may be sent, 1 its run is stopping, 2 it has
-- another owner; and behind them whether an outcome was taken of a delivery that was held, and whether something
-- decided or passed was left out because its chunk has another owner. `earliest` and `latest` bound the acceptance times that occur.
CREATE FUNCTION commit_step_1(
    at bigint, repeated boolean, earliest bigint, latest bigint,
    o_run bigint[], o_customer bigint[], o_node int[], o_attempt int[], o_counted int[], o_state smallint[],
    o_doubtful boolean[], o_provider text[], o_reason text[], o_retry bigint[], o_passed boolean[],
    d_run bigint[], d_customer bigint[], d_node int[], d_accepted bigint[], d_channel text[], d_state smallint[],
    d_doubtful boolean[], d_reason text[], d_retry bigint[], d_passed boolean[], d_chunk int[], d_fence bigint[],
    p_run bigint[], p_customer bigint[], p_node int[], p_chunk int[], p_fence bigint[],
    w_run bigint[], w_customer bigint[], w_node int[], w_accepted bigint[], w_channel text[], w_chunk int[],
    w_fence bigint[], w_attempt int[], w_again boolean[], w_address text[], w_digest bytea[],
    w_behind int[],
    c_run bigint[], c_n int[], c_fence bigint[], c_position bigint[],
    o_fence bigint[]
) RETURNS smallint[] LANGUAGE plpgsql AS $$
DECLARE
    lost smallint := 0;
    told_of_held smallint := 0;
    held_run bigint[];
    held_n int[];
    held_fence bigint[];
    held_stopping boolean[];
    s_run bigint[];
    s_customer bigint[];
    s_node int[];
    s_accepted bigint[];
    s_channel text[];
    s_state smallint[];
    f_run bigint[];
    f_customer bigint[];
    f_node int[];
    a_run bigint[];
    a_customer bigint[];
    a_node int[];
    answers smallint[] := '{}';
BEGIN
    -- Arrays lead every join here, and each of their rows is looked up by its whole key.
    IF cardinality(w_run) + cardinality(d_run) + cardinality(p_run) > 0 THEN
        -- Locked as keys: whoever takes a chunk or stops a run waits for this commit, a cursor does not.
        SELECT array_agg(l.run), array_agg(l.n), array_agg(l.fence), array_agg(l.stopping)
            INTO held_run, held_n, held_fence, held_stopping
            FROM (SELECT c.run, c.n, c.fence, r.stopping OR r.state <> 1 AS stopping
                FROM (SELECT DISTINCT * FROM unnest(w_run || d_run || p_run, w_chunk || d_chunk || p_chunk)) x (run, n)
                JOIN chunk c ON c.run = x.run AND c.n = x.n
                JOIN run r ON r.id = x.run
                WHERE c.state = 0
                FOR KEY SHARE OF c, r) l;
    END IF;
    -- An outcome is a fact: it is taken from whoever brings it while the delivery is still at that attempt, also from
    -- one who lost the chunk: the new owner has then found it in doubt, or holds it for a person, who need not ask any
    -- more. Where an attempt did not count, its number is given again: whoever brings the outcome once more is told apart
    -- from the one who opened since by the fence.
    IF cardinality(o_run) > 0 THEN
        WITH settled AS (
            UPDATE delivery d SET state = o.state, attempt = o.counted, doubtful = d.doubtful OR o.doubtful,
                provider_id = coalesce(o.provider, d.provider_id), reason = o.reason, retry_at = o.retry,
                done_at = CASE WHEN o.state > 2 THEN at END, passed = d.passed OR o.passed
            FROM unnest(o_run, o_customer, o_node, o_attempt, o_counted, o_state, o_doubtful, o_provider, o_reason,
                o_retry, o_passed, o_fence)
                AS o (run, customer, node, attempt, counted, state, doubtful, provider, reason, retry, passed, fence)
            WHERE d.accepted_at BETWEEN earliest AND latest
                AND d.run = o.run AND d.customer = o.customer AND d.node = o.node AND d.attempt = o.attempt
                AND d.fence = o.fence
                AND (d.state = 1 OR d.doubtful AND (d.state = 2 OR d.state = 6 AND o.state IN (3, 4)))
            RETURNING d.run, d.customer, d.node, d.accepted_at, d.channel, d.state)
        SELECT array_agg(s.run), array_agg(s.customer), array_agg(s.node), array_agg(s.accepted_at),
                array_agg(s.channel), array_agg(s.state)
            INTO s_run, s_customer, s_node, s_accepted, s_channel, s_state FROM settled s;
        IF EXISTS (SELECT FROM pending_delivery p WHERE p.state = 6) THEN
            SELECT least(count(*), 1) INTO told_of_held
                FROM unnest(s_run, s_customer, s_node, s_state) AS s (run, customer, node, state)
                JOIN pending_delivery p ON p.run = s.run AND p.customer = s.customer AND p.node = s.node
                WHERE p.state = 6 AND s.state IN (3, 4);
        END IF;
        -- Only now, with the deliveries held, is it seen what a new owner wrote while they were waited for.
        DELETE FROM pending_delivery p
            USING unnest(s_run, s_customer, s_node, s_state) AS s (run, customer, node, state)
            WHERE p.run = s.run AND p.customer = s.customer AND p.node = s.node AND s.state NOT IN (0, 2, 6);
        IF s_state && '{0,2,6}' THEN
            INSERT INTO pending_delivery (run, customer, node, accepted_at, channel, state)
                SELECT * FROM unnest(s_run, s_customer, s_node, s_accepted, s_channel, s_state)
                    AS s (run, customer, node, accepted_at, channel, state)
                WHERE s.state IN (0, 2, 6)
            ON CONFLICT (run, customer, node) DO UPDATE SET state = excluded.state;
        END IF;
    END IF;
    -- A row that is final stays as it is: nothing is decided twice.
    IF cardinality(d_run) > 0 THEN
        INSERT INTO delivery (run, customer, node, accepted_at, channel, state, attempt, doubtful, reason, retry_at,
                done_at, passed)
            SELECT d.run, d.customer, d.node, d.accepted, d.channel, d.state, 0, d.doubtful, d.reason, d.retry,
                CASE WHEN d.state > 2 THEN at END, d.passed
            FROM unnest(d_run, d_customer, d_node, d_accepted, d_channel, d_state, d_doubtful, d_reason, d_retry,
                    d_passed, d_chunk, d_fence)
                AS d (run, customer, node, accepted, channel, state, doubtful, reason, retry, passed, chunk, fence)
            JOIN unnest(held_run, held_n, held_fence) AS h (run, n, fence)
                ON h.run = d.run AND h.n = d.chunk AND h.fence = d.fence
        ON CONFLICT (run, customer, node, accepted_at) DO UPDATE SET
            state = excluded.state, doubtful = delivery.doubtful OR excluded.doubtful, reason = excluded.reason,
            retry_at = excluded.retry_at, done_at = excluded.done_at, passed = delivery.passed OR excluded.passed
            WHERE delivery.state IN (0, 1, 2);
        -- Those that were not ours to decide are not held, and somebody else sees to what waits of them.
        SELECT array_agg(d.run), array_agg(d.customer), array_agg(d.node), array_agg(d.accepted)
            INTO s_run, s_customer, s_node, s_accepted
            FROM unnest(d_run, d_customer, d_node, d_accepted, d_chunk, d_fence)
                AS d (run, customer, node, accepted, chunk, fence)
            JOIN unnest(held_run, held_n, held_fence) AS h (run, n, fence)
                ON h.run = d.run AND h.n = d.chunk AND h.fence = d.fence;
        DELETE FROM pending_delivery p USING unnest(s_run, s_customer, s_node) AS s (run, customer, node)
            WHERE p.run = s.run AND p.customer = s.customer AND p.node = s.node;
        INSERT INTO pending_delivery (run, customer, node, accepted_at, channel, state)
            SELECT d.run, d.customer, d.node, d.accepted_at, d.channel, d.state
            FROM unnest(s_run, s_customer, s_node, s_accepted) AS s (run, customer, node, accepted)
            JOIN delivery d ON d.run = s.run AND d.customer = s.customer AND d.node = s.node
                AND d.accepted_at = s.accepted
            WHERE d.accepted_at BETWEEN earliest AND latest AND d.state IN (0, 2, 6);
    END IF;
    IF cardinality(p_run) > 0 THEN
        UPDATE delivery d SET passed = true
        FROM unnest(p_run, p_customer, p_node, p_chunk, p_fence) AS p (run, customer, node, chunk, fence)
            JOIN unnest(held_run, held_n, held_fence) AS h (run, n, fence)
                ON h.run = p.run AND h.n = p.chunk AND h.fence = p.fence
        WHERE d.accepted_at BETWEEN earliest AND latest
            AND d.run = p.run AND d.customer = p.customer AND d.node = p.node AND NOT d.passed;
    END IF;
    IF cardinality(w_run) > 0 THEN
        SELECT array_agg((CASE WHEN h.fence IS DISTINCT FROM w.fence THEN 2 WHEN h.stopping THEN 1 ELSE 0 END)::smallint
                ORDER BY w.place)
            INTO answers
            FROM unnest(w_run, w_chunk, w_fence) WITH ORDINALITY AS w (run, chunk, fence, place)
            LEFT JOIN unnest(held_run, held_n, held_fence, held_stopping) AS h (run, n, fence, stopping)
                ON h.run = w.run AND h.n = w.chunk;
        WITH fresh AS (
            INSERT INTO delivery (run, customer, node, accepted_at, channel, state, attempt, address, digest,
                    first_at, last_at, fence)
                SELECT w.run, w.customer, w.node, w.accepted, w.channel, 1, w.attempt, w.address, w.digest, at, at,
                    w.fence
                FROM unnest(w_run, w_customer, w_node, w_accepted, w_channel, w_attempt, w_again, w_address, w_digest,
                        w_fence, answers)
                    AS w (run, customer, node, accepted, channel, attempt, again, address, digest, fence, answer)
                WHERE w.answer = 0 AND NOT w.again
            ON CONFLICT (run, customer, node, accepted_at) DO UPDATE SET fence = excluded.fence
                WHERE repeated AND delivery.state = 1 AND delivery.attempt = excluded.attempt
                    AND delivery.digest = excluded.digest
            RETURNING run, customer, node)
        SELECT array_agg(f.run), array_agg(f.customer), array_agg(f.node) INTO f_run, f_customer, f_node FROM fresh f;
        IF true = ANY (w_again) THEN
            WITH reopened AS (
                UPDATE delivery d SET state = 1, attempt = w.attempt, address = w.address, digest = w.digest,
                    first_at = coalesce(d.first_at, at), last_at = at, retry_at = NULL, fence = w.fence
                FROM unnest(w_run, w_customer, w_node, w_attempt, w_again, w_address, w_digest, w_fence, answers)
                    AS w (run, customer, node, attempt, again, address, digest, fence, answer)
                WHERE w.answer = 0 AND w.again AND d.accepted_at BETWEEN earliest AND latest
                    AND d.run = w.run AND d.customer = w.customer AND d.node = w.node
                    AND (d.state IN (0, 2) AND d.attempt = w.attempt - 1
                         OR repeated AND d.state = 1 AND d.attempt = w.attempt AND d.digest = w.digest)
                RETURNING d.run, d.customer, d.node)
            SELECT array_agg(r.run), array_agg(r.customer), array_agg(r.node)
                INTO a_run, a_customer, a_node FROM reopened r;
            DELETE FROM pending_delivery p USING unnest(a_run, a_customer, a_node) AS r (run, customer, node)
                WHERE p.run = r.run AND p.customer = r.customer AND p.node = r.node;
        END IF;
        -- Hardly ever is something not written that was ours to write; only then it is asked what.
        IF coalesce(cardinality(f_run), 0) + coalesce(cardinality(a_run), 0)
                < cardinality(array_positions(answers, 0::smallint)) THEN
            SELECT array_agg((CASE WHEN w.answer = 0 AND o.run IS NULL THEN 2 ELSE w.answer END)::smallint
                    ORDER BY w.place)
                INTO answers
                FROM unnest(w_run, w_customer, w_node, answers) WITH ORDINALITY AS w (run, customer, node, answer, place)
                LEFT JOIN unnest(f_run || a_run, f_customer || a_customer, f_node || a_node) AS o (run, customer, node)
                    ON o.run = w.run AND o.customer = w.customer AND o.node = w.node;
        END IF;
        IF cardinality(array_remove(w_behind, NULL)) > 0 THEN
            UPDATE delivery d SET passed = true
            FROM unnest(w_run, w_customer, w_behind, answers) AS w (run, customer, behind, answer)
            WHERE w.answer = 0 AND w.behind IS NOT NULL AND d.accepted_at BETWEEN earliest AND latest
                AND d.run = w.run AND d.customer = w.customer AND d.node = w.behind AND NOT d.passed;
        END IF;
    END IF;
    IF cardinality(c_run) > 0 THEN
        -- A cursor that somebody holds is moved by a later step.
        WITH free AS (
            SELECT c.run, c.n, m.position
            FROM unnest(c_run, c_n, c_fence, c_position) AS m (run, n, fence, position)
            JOIN chunk c ON c.run = m.run AND c.n = m.n
            WHERE c.fence = m.fence AND c.state = 0 AND c.position < m.position
            FOR NO KEY UPDATE OF c SKIP LOCKED)
        UPDATE chunk c SET position = f.position FROM free f WHERE c.run = f.run AND c.n = f.n;
    END IF;
    IF EXISTS (SELECT FROM unnest(d_run || p_run, d_chunk || p_chunk, d_fence || p_fence) AS x (run, n, fence)
            LEFT JOIN unnest(held_run, held_n, held_fence) AS h (run, n, fence)
                ON h.run = x.run AND h.n = x.n AND h.fence = x.fence
            WHERE h.run IS NULL) THEN
        lost := 1;
    END IF;
    RETURN answers || told_of_held || lost;
END $$;

-- Marks a chunk done, unless a delivery of it is open or it has another owner. The chunk is held before its deliveries
-- are looked at: whoever lets one be sent again just then is seen, or opens the chunk once it is done.
CREATE FUNCTION finish_chunk_1(
    of_run bigint, of_n int, of_fence bigint, decided bigint, counted text, accepted bigint
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    first bigint;
    last bigint;
BEGIN
    SELECT c.first_key, c.last_key INTO first, last FROM chunk c
        WHERE c.run = of_run AND c.n = of_n AND c.fence = of_fence AND c.state = 0 FOR UPDATE;
    IF NOT FOUND OR EXISTS (SELECT FROM delivery d WHERE d.accepted_at = accepted AND d.run = of_run
            AND d.customer BETWEEN first AND last AND d.state IN (0, 1, 2)) THEN
        RETURN false;
    END IF;
    UPDATE chunk c SET state = 1, position = decided, counts = counted, owner = NULL
        WHERE c.run = of_run AND c.n = of_n;
    RETURN true;
END $$;

-- Ends a run, and its call with the last one; false if it is at its end already or a chunk of it is open.
CREATE FUNCTION end_run_1(ended bigint, new_state smallint, why text, at bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    of_call bigint;
BEGIN
    -- The call's row first: two runs of one call that end at once take turns, and the later one sees the other.
    SELECT c.seq INTO of_call FROM call c WHERE c.seq = (SELECT r.call FROM run r WHERE r.id = ended) FOR UPDATE;
    UPDATE run r SET state = new_state, error = coalesce(why, r.error), finished_at = at, owner = NULL
        WHERE r.id = ended AND r.state IN (0, 1)
            AND (new_state = 3 OR NOT EXISTS (SELECT 1 FROM chunk k WHERE k.run = ended AND k.state = 0));
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE call c SET finished_at = at, state = CASE
            WHEN EXISTS (SELECT 1 FROM run r WHERE r.call = of_call AND r.state = 3) THEN 3
            WHEN NOT EXISTS (SELECT 1 FROM run r WHERE r.call = of_call AND r.state <> 4) THEN 4
            ELSE 2 END
        WHERE c.seq = of_call AND c.state = 1
            AND NOT EXISTS (SELECT 1 FROM run r WHERE r.call = of_call AND r.state IN (0, 1));
    RETURN true;
END $$;

-- Lets a held delivery wait to be sent again, and opens its chunk, run and call. Gives the chunk's number, or null if
-- it is not held or its run was cancelled or failed.
CREATE FUNCTION resend_1(of_run bigint, of_customer bigint, of_node int, accepted bigint, at bigint)
RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    of_call bigint;
    of_chunk int;
BEGIN
    SELECT c.seq INTO of_call FROM call c WHERE c.seq = (SELECT r.call FROM run r WHERE r.id = of_run) FOR UPDATE;
    PERFORM FROM run r WHERE r.id = of_run AND r.state IN (1, 2) AND NOT r.stopping FOR UPDATE;
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
        WHERE c.run = of_run AND of_customer BETWEEN c.first_key AND c.last_key RETURNING c.n INTO of_chunk;
    UPDATE run r SET state = 1, finished_at = NULL WHERE r.id = of_run;
    UPDATE call c SET state = 1, finished_at = NULL WHERE c.seq = of_call AND c.state IN (1, 2);
    RETURN of_chunk;
END $$;
