-- Processes that ended while they wrote for a customer of a run. Nearly always empty.
CREATE TABLE ending (
    run bigint NOT NULL,
    customer bigint NOT NULL,
    process text NOT NULL,
    PRIMARY KEY (run, customer, process)
);
