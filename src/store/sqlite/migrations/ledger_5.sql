-- How many segments a text message takes; NULL for other messages, and for those of earlier versions.
ALTER TABLE delivery ADD COLUMN segments INTEGER;
