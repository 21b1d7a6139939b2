-- A step of a channel or of a chunk's worker is one statement that calls the functions here, each of which writes one kind of
-- thing. What commit_step_2 does, all in one, stays for replicas of the version before.
--
-- Arrays lead every join here, and each of their rows is looked up by its whole key.

-- A chunk that nobody else can take until the commit, with the right to decide about it, and whether nothing of its run may
-- be sent.
CREATE TYPE held_chunk AS (run bigint, n int, fence bigint, stopping boolean);

-- Holds those of the chunks that are open. Locked as keys: whoever takes a chunk or stops a run waits for this commit, a cursor
-- does not.
CREATE FUNCTION hold_chunks_1(of_run bigint[], of_n int[]) RETURNS held_chunk[] LANGUAGE plpgsql AS $$
DECLARE
    held held_chunk[];
BEGIN
    IF cardinality(of_run) > 0 THEN
        SELECT array_agg(ROW(l.run, l.n, l.fence, l.stopping)::held_chunk) INTO held
            FROM (SELECT c.run, c.n, c.fence, r.stopping OR r.state <> 1 AS stopping
                FROM unnest(of_run, of_n) AS x (run, n)
                JOIN chunk c ON c.run = x.run AND c.n = x.n
                JOIN run r ON r.id = x.run
                WHERE c.state = 0
                FOR KEY SHARE OF c, r) l;
    END IF;
    RETURN coalesce(held, '{}');
END $$;

-- Whether all that is to be decided is of chunks that are held by the right it was decided with.
CREATE FUNCTION are_held_1(held held_chunk[], x_run bigint[], x_n int[], x_fence bigint[]) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    RETURN NOT EXISTS (SELECT FROM unnest(x_run, x_n, x_fence) AS x (run, n, fence)
        LEFT JOIN unnest(held) AS h ON h.run = x.run AND h.n = x.n AND h.fence = x.fence
        WHERE h.run IS NULL);
END $$;

-- Writes what came of attempts. Whether one of them is of a delivery that was held.
--
-- An outcome is a fact: it is taken from whoever brings it while the delivery is still at that attempt, also from one who lost
-- the chunk: the new owner has then found it in doubt, or holds it for a person, who need not ask any more. Where an attempt did
-- not count, its number is given again: whoever brings the outcome once more is told apart from the one who opened since by the
-- fence.
CREATE FUNCTION write_outcomes_1(
    at bigint, earliest bigint, latest bigint,
    o_run bigint[], o_customer bigint[], o_node int[], o_attempt int[], o_fence bigint[], o_counted int[], o_state smallint[],
    o_doubtful boolean[], o_provider text[], o_reason text[], o_retry bigint[], o_passed boolean[]
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    s_run bigint[];
    s_customer bigint[];
    s_node int[];
    s_accepted bigint[];
    s_channel text[];
    s_state smallint[];
    told_of_held boolean := false;
BEGIN
    IF cardinality(o_run) = 0 THEN
        RETURN false;
    END IF;
    WITH settled AS (
        UPDATE delivery d SET state = o.state, attempt = o.counted, doubtful = d.doubtful OR o.doubtful,
            provider_id = coalesce(o.provider, d.provider_id), reason = o.reason, retry_at = o.retry,
            done_at = CASE WHEN o.state > 2 THEN at END, passed = d.passed OR o.passed
        FROM unnest(o_run, o_customer, o_node, o_attempt, o_fence, o_counted, o_state, o_doubtful, o_provider, o_reason,
            o_retry, o_passed)
            AS o (run, customer, node, attempt, fence, counted, state, doubtful, provider, reason, retry, passed)
        WHERE d.accepted_at BETWEEN earliest AND latest
            AND d.run = o.run AND d.customer = o.customer AND d.node = o.node AND d.attempt = o.attempt
            AND d.fence = o.fence
            AND (d.state = 1 OR d.doubtful AND (d.state = 2 OR d.state = 6 AND o.state IN (3, 4)))
        RETURNING d.run, d.customer, d.node, d.accepted_at, d.channel, d.state)
    SELECT array_agg(s.run), array_agg(s.customer), array_agg(s.node), array_agg(s.accepted_at),
            array_agg(s.channel), array_agg(s.state)
        INTO s_run, s_customer, s_node, s_accepted, s_channel, s_state FROM settled s;
    IF EXISTS (SELECT FROM pending_delivery p WHERE p.state = 6) THEN
        told_of_held := EXISTS (SELECT
            FROM unnest(s_run, s_customer, s_node, s_state) AS s (run, customer, node, state)
            JOIN pending_delivery p ON p.run = s.run AND p.customer = s.customer AND p.node = s.node
            WHERE p.state = 6 AND s.state IN (3, 4));
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
    RETURN told_of_held;
END $$;

-- Writes what was decided without sending. A row that is final stays as it is: nothing is decided twice. Whether all of it was
-- of chunks that are held; what was not is not written, and somebody else sees to what waits of it.
CREATE FUNCTION write_decided_1(
    held held_chunk[], at bigint, earliest bigint, latest bigint,
    d_run bigint[], d_customer bigint[], d_node int[], d_chunk int[], d_fence bigint[], d_accepted bigint[], d_channel text[],
    d_state smallint[], d_doubtful boolean[], d_reason text[], d_retry bigint[], d_passed boolean[]
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    s_run bigint[];
    s_customer bigint[];
    s_node int[];
    s_accepted bigint[];
BEGIN
    IF cardinality(d_run) = 0 THEN
        RETURN true;
    END IF;
    INSERT INTO delivery (run, customer, node, accepted_at, channel, state, attempt, doubtful, reason, retry_at, done_at, passed)
        SELECT d.run, d.customer, d.node, d.accepted, d.channel, d.state, 0, d.doubtful, d.reason, d.retry,
            CASE WHEN d.state > 2 THEN at END, d.passed
        FROM unnest(d_run, d_customer, d_node, d_chunk, d_fence, d_accepted, d_channel, d_state, d_doubtful, d_reason,
                d_retry, d_passed)
            AS d (run, customer, node, chunk, fence, accepted, channel, state, doubtful, reason, retry, passed)
        JOIN unnest(held) AS h ON h.run = d.run AND h.n = d.chunk AND h.fence = d.fence
    ON CONFLICT (run, customer, node, accepted_at) DO UPDATE SET
        state = excluded.state, doubtful = delivery.doubtful OR excluded.doubtful, reason = excluded.reason,
        retry_at = excluded.retry_at, done_at = excluded.done_at, passed = delivery.passed OR excluded.passed
        WHERE delivery.state IN (0, 1, 2);
    SELECT array_agg(d.run), array_agg(d.customer), array_agg(d.node), array_agg(d.accepted)
        INTO s_run, s_customer, s_node, s_accepted
        FROM unnest(d_run, d_customer, d_node, d_chunk, d_fence, d_accepted) AS d (run, customer, node, chunk, fence, accepted)
        JOIN unnest(held) AS h ON h.run = d.run AND h.n = d.chunk AND h.fence = d.fence;
    DELETE FROM pending_delivery p USING unnest(s_run, s_customer, s_node) AS s (run, customer, node)
        WHERE p.run = s.run AND p.customer = s.customer AND p.node = s.node;
    INSERT INTO pending_delivery (run, customer, node, accepted_at, channel, state)
        SELECT d.run, d.customer, d.node, d.accepted_at, d.channel, d.state
        FROM unnest(s_run, s_customer, s_node, s_accepted) AS s (run, customer, node, accepted)
        JOIN delivery d ON d.run = s.run AND d.customer = s.customer AND d.node = s.node
            AND d.accepted_at = s.accepted
        WHERE d.accepted_at BETWEEN earliest AND latest AND d.state IN (0, 2, 6);
    RETURN are_held_1(held, d_run, d_chunk, d_fence);
END $$;

-- Notes that journeys have gone on behind nodes, or ended there. Whether all of them were of chunks that are held; the others
-- are not noted.
CREATE FUNCTION pass_nodes_1(
    held held_chunk[], earliest bigint, latest bigint,
    p_run bigint[], p_customer bigint[], p_node int[], p_chunk int[], p_fence bigint[]
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF cardinality(p_run) = 0 THEN
        RETURN true;
    END IF;
    UPDATE delivery d SET passed = true
        FROM unnest(p_run, p_customer, p_node, p_chunk, p_fence) AS p (run, customer, node, chunk, fence)
            JOIN unnest(held) AS h ON h.run = p.run AND h.n = p.chunk AND h.fence = p.fence
        WHERE d.accepted_at BETWEEN earliest AND latest
            AND d.run = p.run AND d.customer = p.customer AND d.node = p.node AND NOT d.passed;
    RETURN are_held_1(held, p_run, p_chunk, p_fence);
END $$;

-- What may be sent, by the chunks that are held: 0 yes, 1 its run is stopping, 2 its chunk has another owner.
CREATE FUNCTION may_open_1(held held_chunk[], w_run bigint[], w_chunk int[], w_fence bigint[]) RETURNS smallint[]
LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT array_agg((CASE WHEN h.fence IS DISTINCT FROM w.fence THEN 2 WHEN h.stopping THEN 1 ELSE 0 END)::smallint
                ORDER BY w.place)
            FROM unnest(w_run, w_chunk, w_fence) WITH ORDINALITY AS w (run, chunk, fence, place)
            LEFT JOIN unnest(held) AS h ON h.run = w.run AND h.n = w.chunk);
END $$;

-- The answers, with 2 for what may have been sent and was not written: its row is not where the attempt expected it.
CREATE FUNCTION answers_1(
    answers smallint[], w_run bigint[], w_customer bigint[], w_node int[],
    written_run bigint[], written_customer bigint[], written_node int[]
) RETURNS smallint[] LANGUAGE plpgsql AS $$
BEGIN
    -- Hardly ever is something not written that was ours to write; only then it is asked what.
    IF coalesce(cardinality(written_run), 0) = cardinality(array_positions(answers, 0::smallint)) THEN
        RETURN answers;
    END IF;
    RETURN (SELECT array_agg((CASE WHEN w.answer = 0 AND o.run IS NULL THEN 2 ELSE w.answer END)::smallint ORDER BY w.place)
            FROM unnest(w_run, w_customer, w_node, answers) WITH ORDINALITY AS w (run, customer, node, answer, place)
            LEFT JOIN unnest(written_run, written_customer, written_node) AS o (run, customer, node)
                ON o.run = w.run AND o.customer = w.customer AND o.node = w.node);
END $$;

-- Passes the nodes behind which what was opened stands.
CREATE FUNCTION pass_behind_1(
    answers smallint[], earliest bigint, latest bigint, w_run bigint[], w_customer bigint[], w_behind int[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF cardinality(array_remove(w_behind, NULL)) > 0 THEN
        UPDATE delivery d SET passed = true
        FROM unnest(w_run, w_customer, w_behind, answers) AS w (run, customer, behind, answer)
        WHERE w.answer = 0 AND w.behind IS NOT NULL AND d.accepted_at BETWEEN earliest AND latest
            AND d.run = w.run AND d.customer = w.customer AND d.node = w.behind AND NOT d.passed;
    END IF;
END $$;

-- Opens first attempts; gives an answer for each. A step that is brought again opens what it opened before.
CREATE FUNCTION open_first_1(
    held held_chunk[], at bigint, repeated boolean, earliest bigint, latest bigint,
    w_run bigint[], w_customer bigint[], w_node int[], w_chunk int[], w_fence bigint[], w_accepted bigint[], w_channel text[],
    w_attempt int[], w_address text[], w_digest bytea[], w_segments smallint[], w_behind int[]
) RETURNS smallint[] LANGUAGE plpgsql AS $$
DECLARE
    answers smallint[];
    f_run bigint[];
    f_customer bigint[];
    f_node int[];
BEGIN
    IF cardinality(w_run) = 0 THEN
        RETURN '{}';
    END IF;
    answers := may_open_1(held, w_run, w_chunk, w_fence);
    WITH fresh AS (
        INSERT INTO delivery (run, customer, node, accepted_at, channel, state, attempt, address, digest, first_at, last_at,
                fence, segments)
            SELECT w.run, w.customer, w.node, w.accepted, w.channel, 1, w.attempt, w.address, w.digest, at, at, w.fence,
                w.segments
            FROM unnest(w_run, w_customer, w_node, w_fence, w_accepted, w_channel, w_attempt, w_address, w_digest, w_segments,
                    answers)
                AS w (run, customer, node, fence, accepted, channel, attempt, address, digest, segments, answer)
            WHERE w.answer = 0
        ON CONFLICT (run, customer, node, accepted_at) DO UPDATE SET fence = excluded.fence
            WHERE repeated AND delivery.state = 1 AND delivery.attempt = excluded.attempt
                AND delivery.digest = excluded.digest
        RETURNING run, customer, node)
    SELECT array_agg(f.run), array_agg(f.customer), array_agg(f.node) INTO f_run, f_customer, f_node FROM fresh f;
    answers := answers_1(answers, w_run, w_customer, w_node, f_run, f_customer, f_node);
    PERFORM pass_behind_1(answers, earliest, latest, w_run, w_customer, w_behind);
    RETURN answers;
END $$;

-- Opens further attempts of deliveries that wait; gives an answer for each, as open_first_1 does.
CREATE FUNCTION open_again_1(
    held held_chunk[], at bigint, repeated boolean, earliest bigint, latest bigint,
    w_run bigint[], w_customer bigint[], w_node int[], w_chunk int[], w_fence bigint[],
    w_attempt int[], w_address text[], w_digest bytea[], w_segments smallint[], w_behind int[]
) RETURNS smallint[] LANGUAGE plpgsql AS $$
DECLARE
    answers smallint[];
    a_run bigint[];
    a_customer bigint[];
    a_node int[];
BEGIN
    IF cardinality(w_run) = 0 THEN
        RETURN '{}';
    END IF;
    answers := may_open_1(held, w_run, w_chunk, w_fence);
    WITH reopened AS (
        UPDATE delivery d SET state = 1, attempt = w.attempt, address = w.address, digest = w.digest,
            first_at = coalesce(d.first_at, at), last_at = at, retry_at = NULL, fence = w.fence, segments = w.segments
        FROM unnest(w_run, w_customer, w_node, w_fence, w_attempt, w_address, w_digest, w_segments, answers)
            AS w (run, customer, node, fence, attempt, address, digest, segments, answer)
        WHERE w.answer = 0 AND d.accepted_at BETWEEN earliest AND latest
            AND d.run = w.run AND d.customer = w.customer AND d.node = w.node
            AND (d.state IN (0, 2) AND d.attempt = w.attempt - 1
                 OR repeated AND d.state = 1 AND d.attempt = w.attempt AND d.digest = w.digest)
        RETURNING d.run, d.customer, d.node)
    SELECT array_agg(r.run), array_agg(r.customer), array_agg(r.node) INTO a_run, a_customer, a_node FROM reopened r;
    DELETE FROM pending_delivery p USING unnest(a_run, a_customer, a_node) AS r (run, customer, node)
        WHERE p.run = r.run AND p.customer = r.customer AND p.node = r.node;
    answers := answers_1(answers, w_run, w_customer, w_node, a_run, a_customer, a_node);
    PERFORM pass_behind_1(answers, earliest, latest, w_run, w_customer, w_behind);
    RETURN answers;
END $$;

-- Moves cursors forward. One that somebody holds is moved by a later step.
CREATE FUNCTION move_cursors_1(c_run bigint[], c_n int[], c_fence bigint[], c_position bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF cardinality(c_run) > 0 THEN
        WITH free AS (
            SELECT c.run, c.n, m.position
            FROM unnest(c_run, c_n, c_fence, c_position) AS m (run, n, fence, position)
            JOIN chunk c ON c.run = m.run AND c.n = m.n
            WHERE c.fence = m.fence AND c.state = 0 AND c.position < m.position
            FOR NO KEY UPDATE OF c SKIP LOCKED)
        UPDATE chunk c SET position = f.position FROM free f WHERE c.run = f.run AND c.n = f.n;
    END IF;
END $$;
