-- How runs ended, as `domain::ends` numbers it: of a run, and of all runs of a call together. The states beside it stay
-- what versions before this one read; NULL where one of them wrote the end.
ALTER TABLE run ADD COLUMN ended INTEGER;
ALTER TABLE call ADD COLUMN ended INTEGER;

-- Of each scenario, the customers whom runs of it left out last: since which call, and whether a run has reached its
-- customers since.
CREATE TABLE left_out (
    scenario TEXT PRIMARY KEY,
    call TEXT NOT NULL,
    cause TEXT NOT NULL,                -- what tells one reason from another
    told TEXT NOT NULL,                 -- JSON: how many, of how many, and why
    since INTEGER NOT NULL,
    at INTEGER NOT NULL,
    is_over INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How many segments a text message takes; NULL for other messages, and for those of earlier versions.
ALTER TABLE delivery ADD COLUMN segments INTEGER;
