-- The target of a customer that a delivery goes to is a part of its key: a message may go to several of them, a device each.
-- 0 is the only target of a message that goes to one address.
--
-- Deliveries are many. The index of the new key is built beside the old one before this is run, partition by partition,
-- while messages are sent (see `prepare` in migrate.rs); what has none yet, an empty partition mostly, gets it here.

ALTER TABLE delivery ADD COLUMN IF NOT EXISTS target int NOT NULL DEFAULT 0;
ALTER TABLE delivery DROP CONSTRAINT delivery_pkey;
DO $$
DECLARE
    built record;
BEGIN
    FOR built IN SELECT c.relname AS part, x.relname AS index
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        JOIN pg_index n ON n.indrelid = c.oid AND n.indisvalid AND n.indisunique
        JOIN pg_class x ON x.oid = n.indexrelid
        WHERE i.inhparent = 'delivery'::regclass AND x.relname = c.relname || '_by_target'
    LOOP
        EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I PRIMARY KEY USING INDEX %I',
            built.part, built.part || '_pkey', built.index);
    END LOOP;
END $$;
ALTER TABLE delivery ADD PRIMARY KEY (run, customer, node, target, accepted_at);

ALTER TABLE pending_delivery ADD COLUMN target int NOT NULL DEFAULT 0;
ALTER TABLE pending_delivery DROP CONSTRAINT pending_delivery_pkey;
ALTER TABLE pending_delivery ADD PRIMARY KEY (run, customer, node, target);

-- Functions that replicas of earlier versions call write by the key as it is now; they know one target.
DO $$
DECLARE
    earlier regprocedure;
BEGIN
    FOR earlier IN SELECT p.oid::regprocedure FROM pg_proc p
        WHERE p.pronamespace = current_schema()::regnamespace AND p.prosrc LIKE '%ON CONFLICT (run, customer, node%'
    LOOP
        EXECUTE replace(replace(pg_get_functiondef(earlier),
            'ON CONFLICT (run, customer, node)', 'ON CONFLICT (run, customer, node, target)'),
            'ON CONFLICT (run, customer, node, accepted_at)', 'ON CONFLICT (run, customer, node, target, accepted_at)');
    END LOOP;
END $$;

-- Writes what came of attempts. Whether one of them is of a delivery that was held.
--
-- An outcome is a fact: every replica may write it while the delivery is still at that attempt, also one that has lost the
-- chunk: the new owner has then found the delivery in doubt, or holds it for a person, who need not decide any more. Where an
-- attempt did not count, its number is given again: the fence tells an outcome that is written once more from one of the
-- attempt that was opened since.
CREATE FUNCTION write_outcomes_2(
    at bigint, earliest bigint, latest bigint,
    o_run bigint[], o_customer bigint[], o_node int[], o_target int[], o_attempt int[], o_fence bigint[], o_counted int[],
    o_state smallint[], o_doubtful boolean[], o_provider text[], o_reason text[], o_retry bigint[], o_passed boolean[]
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    s_run bigint[];
    s_customer bigint[];
    s_node int[];
    s_target int[];
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
        FROM unnest(o_run, o_customer, o_node, o_target, o_attempt, o_fence, o_counted, o_state, o_doubtful, o_provider,
            o_reason, o_retry, o_passed)
            AS o (run, customer, node, target, attempt, fence, counted, state, doubtful, provider, reason, retry, passed)
        WHERE d.accepted_at BETWEEN earliest AND latest
            AND d.run = o.run AND d.customer = o.customer AND d.node = o.node AND d.target = o.target
            AND d.attempt = o.attempt AND d.fence = o.fence
            AND (d.state = 1 OR d.doubtful AND (d.state = 2 OR d.state = 6 AND o.state IN (3, 4)))
        RETURNING d.run, d.customer, d.node, d.target, d.accepted_at, d.channel, d.state)
    SELECT array_agg(s.run), array_agg(s.customer), array_agg(s.node), array_agg(s.target),
            array_agg(s.accepted_at), array_agg(s.channel), array_agg(s.state)
        INTO s_run, s_customer, s_node, s_target, s_accepted, s_channel, s_state FROM settled s;
    IF EXISTS (SELECT FROM pending_delivery p WHERE p.state = 6) THEN
        told_of_held := EXISTS (SELECT
            FROM unnest(s_run, s_customer, s_node, s_target, s_state) AS s (run, customer, node, target, state)
            JOIN pending_delivery p
                ON p.run = s.run AND p.customer = s.customer AND p.node = s.node AND p.target = s.target
            WHERE p.state = 6 AND s.state IN (3, 4));
    END IF;
    -- Only now, with the deliveries held, is it seen what a new owner wrote while they were waited for.
    DELETE FROM pending_delivery p
        USING unnest(s_run, s_customer, s_node, s_target, s_state) AS s (run, customer, node, target, state)
        WHERE p.run = s.run AND p.customer = s.customer AND p.node = s.node AND p.target = s.target
            AND s.state NOT IN (0, 2, 6);
    IF s_state && '{0,2,6}' THEN
        INSERT INTO pending_delivery (run, customer, node, target, accepted_at, channel, state)
            SELECT * FROM unnest(s_run, s_customer, s_node, s_target, s_accepted, s_channel, s_state)
                AS s (run, customer, node, target, accepted_at, channel, state)
            WHERE s.state IN (0, 2, 6)
        ON CONFLICT (run, customer, node, target) DO UPDATE SET state = excluded.state;
    END IF;
    RETURN told_of_held;
END $$;

-- Writes what was decided without sending. A row that is final stays as it is: nothing is decided twice. Whether all of it was
-- of chunks that are held; what was not is not written; the owner of its chunk decides about it.
CREATE FUNCTION write_decided_2(
    held held_chunk[], at bigint, earliest bigint, latest bigint,
    d_run bigint[], d_customer bigint[], d_node int[], d_target int[], d_chunk int[], d_fence bigint[], d_accepted bigint[],
    d_channel text[], d_state smallint[], d_doubtful boolean[], d_reason text[], d_retry bigint[], d_passed boolean[]
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    s_run bigint[];
    s_customer bigint[];
    s_node int[];
    s_target int[];
    s_accepted bigint[];
BEGIN
    IF cardinality(d_run) = 0 THEN
        RETURN true;
    END IF;
    INSERT INTO delivery (run, customer, node, target, accepted_at, channel, state, attempt, doubtful, reason, retry_at,
            done_at, passed)
        SELECT d.run, d.customer, d.node, d.target, d.accepted, d.channel, d.state, 0, d.doubtful, d.reason, d.retry,
            CASE WHEN d.state > 2 THEN at END, d.passed
        FROM unnest(d_run, d_customer, d_node, d_target, d_chunk, d_fence, d_accepted, d_channel, d_state, d_doubtful,
                d_reason, d_retry, d_passed)
            AS d (run, customer, node, target, chunk, fence, accepted, channel, state, doubtful, reason, retry, passed)
        JOIN unnest(held) AS h ON h.run = d.run AND h.n = d.chunk AND h.fence = d.fence
    ON CONFLICT (run, customer, node, target, accepted_at) DO UPDATE SET
        state = excluded.state, doubtful = delivery.doubtful OR excluded.doubtful, reason = excluded.reason,
        retry_at = excluded.retry_at, done_at = excluded.done_at, passed = delivery.passed OR excluded.passed
        WHERE delivery.state IN (0, 1, 2);
    SELECT array_agg(d.run), array_agg(d.customer), array_agg(d.node), array_agg(d.target), array_agg(d.accepted)
        INTO s_run, s_customer, s_node, s_target, s_accepted
        FROM unnest(d_run, d_customer, d_node, d_target, d_chunk, d_fence, d_accepted)
            AS d (run, customer, node, target, chunk, fence, accepted)
        JOIN unnest(held) AS h ON h.run = d.run AND h.n = d.chunk AND h.fence = d.fence;
    DELETE FROM pending_delivery p
        USING unnest(s_run, s_customer, s_node, s_target) AS s (run, customer, node, target)
        WHERE p.run = s.run AND p.customer = s.customer AND p.node = s.node AND p.target = s.target;
    INSERT INTO pending_delivery (run, customer, node, target, accepted_at, channel, state)
        SELECT d.run, d.customer, d.node, d.target, d.accepted_at, d.channel, d.state
        FROM unnest(s_run, s_customer, s_node, s_target, s_accepted) AS s (run, customer, node, target, accepted)
        JOIN delivery d ON d.run = s.run AND d.customer = s.customer AND d.node = s.node AND d.target = s.target
            AND d.accepted_at = s.accepted
        WHERE d.accepted_at BETWEEN earliest AND latest AND d.state IN (0, 2, 6);
    RETURN are_held_1(held, d_run, d_chunk, d_fence);
END $$;

-- The answers, with 2 for what may have been sent and was not written: its row is not where the attempt expected it.
CREATE FUNCTION answers_2(
    answers smallint[], w_run bigint[], w_customer bigint[], w_node int[], w_target int[],
    written_run bigint[], written_customer bigint[], written_node int[], written_target int[]
) RETURNS smallint[] LANGUAGE plpgsql AS $$
BEGIN
    -- Hardly ever is something not written that was ours to write; only then it is asked what.
    IF coalesce(cardinality(written_run), 0) = cardinality(array_positions(answers, 0::smallint)) THEN
        RETURN answers;
    END IF;
    RETURN (SELECT array_agg((CASE WHEN w.answer = 0 AND o.run IS NULL THEN 2 ELSE w.answer END)::smallint ORDER BY w.place)
            FROM unnest(w_run, w_customer, w_node, w_target, answers) WITH ORDINALITY
                AS w (run, customer, node, target, answer, place)
            LEFT JOIN unnest(written_run, written_customer, written_node, written_target)
                AS o (run, customer, node, target)
                ON o.run = w.run AND o.customer = w.customer AND o.node = w.node AND o.target = w.target);
END $$;

-- Opens first attempts; gives an answer for each. A step that is brought again opens what it opened before.
CREATE FUNCTION open_first_2(
    held held_chunk[], at bigint, repeated boolean, earliest bigint, latest bigint,
    w_run bigint[], w_customer bigint[], w_node int[], w_target int[], w_chunk int[], w_fence bigint[], w_accepted bigint[],
    w_channel text[], w_attempt int[], w_address text[], w_digest bytea[], w_segments smallint[], w_behind int[]
) RETURNS smallint[] LANGUAGE plpgsql AS $$
DECLARE
    answers smallint[];
    f_run bigint[];
    f_customer bigint[];
    f_node int[];
    f_target int[];
BEGIN
    IF cardinality(w_run) = 0 THEN
        RETURN '{}';
    END IF;
    answers := may_open_1(held, w_run, w_chunk, w_fence);
    WITH fresh AS (
        INSERT INTO delivery (run, customer, node, target, accepted_at, channel, state, attempt, address, digest, first_at,
                last_at, fence, segments)
            SELECT w.run, w.customer, w.node, w.target, w.accepted, w.channel, 1, w.attempt, w.address, w.digest, at,
                at, w.fence, w.segments
            FROM unnest(w_run, w_customer, w_node, w_target, w_fence, w_accepted, w_channel, w_attempt, w_address,
                    w_digest, w_segments, answers)
                AS w (run, customer, node, target, fence, accepted, channel, attempt, address, digest, segments, answer)
            WHERE w.answer = 0
        ON CONFLICT (run, customer, node, target, accepted_at) DO UPDATE SET fence = excluded.fence
            WHERE repeated AND delivery.state = 1 AND delivery.attempt = excluded.attempt
                AND delivery.digest = excluded.digest
        RETURNING run, customer, node, target)
    SELECT array_agg(f.run), array_agg(f.customer), array_agg(f.node), array_agg(f.target)
        INTO f_run, f_customer, f_node, f_target FROM fresh f;
    answers := answers_2(answers, w_run, w_customer, w_node, w_target, f_run, f_customer, f_node, f_target);
    PERFORM pass_behind_1(answers, earliest, latest, w_run, w_customer, w_behind);
    RETURN answers;
END $$;

-- Opens further attempts of deliveries that wait; gives an answer for each, as open_first_2 does.
CREATE FUNCTION open_again_2(
    held held_chunk[], at bigint, repeated boolean, earliest bigint, latest bigint,
    w_run bigint[], w_customer bigint[], w_node int[], w_target int[], w_chunk int[], w_fence bigint[],
    w_attempt int[], w_address text[], w_digest bytea[], w_segments smallint[], w_behind int[]
) RETURNS smallint[] LANGUAGE plpgsql AS $$
DECLARE
    answers smallint[];
    a_run bigint[];
    a_customer bigint[];
    a_node int[];
    a_target int[];
BEGIN
    IF cardinality(w_run) = 0 THEN
        RETURN '{}';
    END IF;
    answers := may_open_1(held, w_run, w_chunk, w_fence);
    WITH reopened AS (
        UPDATE delivery d SET state = 1, attempt = w.attempt, address = w.address, digest = w.digest,
            first_at = coalesce(d.first_at, at), last_at = at, retry_at = NULL, fence = w.fence, segments = w.segments
        FROM unnest(w_run, w_customer, w_node, w_target, w_fence, w_attempt, w_address, w_digest, w_segments, answers)
            AS w (run, customer, node, target, fence, attempt, address, digest, segments, answer)
        WHERE w.answer = 0 AND d.accepted_at BETWEEN earliest AND latest
            AND d.run = w.run AND d.customer = w.customer AND d.node = w.node AND d.target = w.target
            AND (d.state IN (0, 2) AND d.attempt = w.attempt - 1
                 OR repeated AND d.state = 1 AND d.attempt = w.attempt AND d.digest = w.digest)
        RETURNING d.run, d.customer, d.node, d.target)
    SELECT array_agg(r.run), array_agg(r.customer), array_agg(r.node), array_agg(r.target)
        INTO a_run, a_customer, a_node, a_target FROM reopened r;
    DELETE FROM pending_delivery p
        USING unnest(a_run, a_customer, a_node, a_target) AS r (run, customer, node, target)
        WHERE p.run = r.run AND p.customer = r.customer AND p.node = r.node AND p.target = r.target;
    answers := answers_2(answers, w_run, w_customer, w_node, w_target, a_run, a_customer, a_node, a_target);
    PERFORM pass_behind_1(answers, earliest, latest, w_run, w_customer, w_behind);
    RETURN answers;
END $$;

-- What resend_2 does, for one target.
CREATE FUNCTION resend_3(of_run bigint, of_customer bigint, of_node int, of_target int, accepted bigint, at bigint)
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
            AND d.target = of_target AND d.state = 6;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    UPDATE pending_delivery p SET state = 0
        WHERE p.run = of_run AND p.customer = of_customer AND p.node = of_node AND p.target = of_target;
    UPDATE chunk c SET state = 0, counts = NULL
        WHERE c.run = of_run AND made_in_chunk_1(c, of_customer, of_node) RETURNING c.n INTO of_chunk;
    UPDATE run r SET state = 1, finished_at = NULL WHERE r.id = of_run;
    UPDATE call c SET state = 1, finished_at = NULL WHERE c.seq = of_call AND c.state IN (1, 2);
    RETURN of_chunk;
END $$;
