-- How runs ended, as `domain::ends` numbers it: of a run, and of all runs of a call together. The states beside it stay
-- what versions before this one read; NULL where one of them wrote the end.
ALTER TABLE run ADD COLUMN ended INTEGER;
ALTER TABLE call ADD COLUMN ended INTEGER;
