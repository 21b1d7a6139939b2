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
