-- How runs ended, as `domain::ends` numbers it: of a run, and of all runs of a call together. The states beside it stay
-- what versions before this one read; NULL where one of them wrote the end.
ALTER TABLE run ADD COLUMN ended smallint;
ALTER TABLE call ADD COLUMN ended smallint;

-- Of each scenario, the customers whom runs of it left out last: since which call, and whether a run has reached its
-- customers since.
CREATE TABLE left_out (
    scenario text PRIMARY KEY,
    call text NOT NULL,
    cause text NOT NULL,                -- what tells one reason from another
    told text NOT NULL,                 -- JSON: how many, of how many, and why
    since bigint NOT NULL,
    at bigint NOT NULL,
    is_over boolean NOT NULL
);

-- What end_run_1 does, and notes how the run ended, what all runs of the call came to, and whom the run left out: its
-- `new_cause` is null if nobody, and then `is_enough` says whether it reached its customers. A cause that goes on keeps
-- the call it began with.
CREATE FUNCTION end_run_2(
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
            AND NOT EXISTS (SELECT 1 FROM run r WHERE r.call = of_call AND r.state IN (0, 1));
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

-- How many segments a text message takes; NULL for other messages, and for those of earlier versions.
ALTER TABLE delivery ADD COLUMN segments smallint;

-- What commit_step_1 does, with the segments of what is opened.
CREATE FUNCTION commit_step_2(
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
    o_fence bigint[], w_segments smallint[]
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
                    first_at, last_at, fence, segments)
                SELECT w.run, w.customer, w.node, w.accepted, w.channel, 1, w.attempt, w.address, w.digest, at, at,
                    w.fence, w.segments
                FROM unnest(w_run, w_customer, w_node, w_accepted, w_channel, w_attempt, w_again, w_address, w_digest,
                        w_fence, w_segments, answers)
                    AS w (run, customer, node, accepted, channel, attempt, again, address, digest, fence, segments,
                        answer)
                WHERE w.answer = 0 AND NOT w.again
            ON CONFLICT (run, customer, node, accepted_at) DO UPDATE SET fence = excluded.fence
                WHERE repeated AND delivery.state = 1 AND delivery.attempt = excluded.attempt
                    AND delivery.digest = excluded.digest
            RETURNING run, customer, node)
        SELECT array_agg(f.run), array_agg(f.customer), array_agg(f.node) INTO f_run, f_customer, f_node FROM fresh f;
        IF true = ANY (w_again) THEN
            WITH reopened AS (
                UPDATE delivery d SET state = 1, attempt = w.attempt, address = w.address, digest = w.digest,
                    first_at = coalesce(d.first_at, at), last_at = at, retry_at = NULL, fence = w.fence,
                    segments = w.segments
                FROM unnest(w_run, w_customer, w_node, w_attempt, w_again, w_address, w_digest, w_fence, w_segments,
                        answers)
                    AS w (run, customer, node, attempt, again, address, digest, fence, segments, answer)
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
