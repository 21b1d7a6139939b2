-- How runs ended, as `domain::ends` numbers it: of a run, and of all runs of a call together. The states beside it stay
-- what versions before this one read; NULL where one of them wrote the end.
ALTER TABLE run ADD COLUMN ended smallint;
ALTER TABLE call ADD COLUMN ended smallint;

-- What end_run_1 does, and notes how the run ended and what all runs of the call came to.
CREATE FUNCTION end_run_2(ended_run bigint, new_state smallint, new_end smallint, why text, at bigint)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    of_call bigint;
BEGIN
    -- The call's row first: two runs of one call that end at once take turns, and the later one sees the other.
    SELECT c.seq INTO of_call FROM call c WHERE c.seq = (SELECT r.call FROM run r WHERE r.id = ended_run) FOR UPDATE;
    UPDATE run r SET state = new_state, ended = new_end, error = coalesce(why, r.error), finished_at = at, owner = NULL
        WHERE r.id = ended_run AND r.state IN (0, 1)
            AND (new_state = 3 OR NOT EXISTS (SELECT 1 FROM chunk k WHERE k.run = ended_run AND k.state = 0));
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE call c SET finished_at = at, state = s.state, ended = s.ended
        FROM (SELECT CASE WHEN bool_or(r.state = 3) THEN 3 WHEN bool_and(r.state = 4) THEN 4 ELSE 2 END AS state,
                bit_or(coalesce(r.ended, CASE r.state WHEN 3 THEN 2 WHEN 4 THEN 4 ELSE 1 END)::smallint) AS ended
            FROM run r WHERE r.call = of_call) s
        WHERE c.seq = of_call AND c.state = 1
            AND NOT EXISTS (SELECT 1 FROM run r WHERE r.call = of_call AND r.state IN (0, 1));
    RETURN true;
END $$;
