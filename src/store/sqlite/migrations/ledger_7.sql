-- A journey that waits at a node has left its chunk. When its time has come it is woken into a chunk of its own, which begins
-- behind that node; the row stays, since it says to which chunk a delivery of the journey belongs.
CREATE TABLE waiting_journey (
    run INTEGER NOT NULL,
    chunk INTEGER NOT NULL,             -- the chunk it left
    customer INTEGER NOT NULL,
    node INTEGER NOT NULL,
    since INTEGER NOT NULL,
    wake_at INTEGER NOT NULL,
    woken_into INTEGER,                 -- the chunk it goes on in; NULL while it waits, -1 if its run ended before
    PRIMARY KEY (run, chunk, customer)
) STRICT, WITHOUT ROWID;
CREATE INDEX waiting_journey_due ON waiting_journey (wake_at) WHERE woken_into IS NULL;
CREATE INDEX waiting_journey_group ON waiting_journey (run, chunk, node) WHERE woken_into IS NULL;

-- Where a chunk of woken journeys came from; NULL in the chunks of the audience.
ALTER TABLE chunk ADD COLUMN from_chunk INTEGER;
ALTER TABLE chunk ADD COLUMN from_node INTEGER;
ALTER TABLE chunk ADD COLUMN woken_at INTEGER;      -- `now` for its journeys

-- Calls that are not matched: those whose runs rest are many, and no longer among these.
CREATE INDEX call_accepted ON call (seq) WHERE state = 0;

-- Runs of which all that is left waits.
CREATE INDEX run_waiting ON run (scenario, id) WHERE state = 6;
