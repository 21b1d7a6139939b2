-- Processes that ended while they wrote for a customer of a run. Nearly always empty.
CREATE TABLE ending (
    run INTEGER NOT NULL,
    customer INTEGER NOT NULL,
    process TEXT NOT NULL,
    PRIMARY KEY (run, customer, process)
) STRICT, WITHOUT ROWID;
