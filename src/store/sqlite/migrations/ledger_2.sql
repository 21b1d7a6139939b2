-- What was in force last, with the digests of the credentials that were taken; never a secret.
CREATE TABLE in_force (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    version TEXT NOT NULL,
    credentials TEXT NOT NULL,
    since INTEGER NOT NULL
) STRICT;

-- The cluster and namespace whose tenant this is.
CREATE TABLE holder (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    cluster TEXT NOT NULL,
    namespace TEXT NOT NULL,
    since INTEGER NOT NULL
) STRICT;
