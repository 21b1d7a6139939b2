-- Runs that are removed: nobody finds them any more, and what belongs to them goes behind them, batch by batch. A row goes
-- when nothing of its run is left.
CREATE TABLE removed_run (
    run INTEGER PRIMARY KEY
) STRICT;

-- The greatest numbers that removed rows had. They are never given again: the id of a delivery, by which providers know a
-- repeated message, is made of its run's.
CREATE TABLE number_given (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    call INTEGER NOT NULL,
    run INTEGER NOT NULL
) STRICT;
INSERT INTO number_given (one, call, run) VALUES (1, 0, 0);
