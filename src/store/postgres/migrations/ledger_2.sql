-- What was in force last, with the digests of the credentials that were taken; never a secret.
CREATE TABLE in_force (
    one smallint PRIMARY KEY CHECK (one = 1),
    version text NOT NULL,
    credentials text NOT NULL,
    since bigint NOT NULL
);

-- The cluster and namespace whose tenant this is.
CREATE TABLE holder (
    one smallint PRIMARY KEY CHECK (one = 1),
    cluster text NOT NULL,
    namespace text NOT NULL,
    since bigint NOT NULL
);
