-- Notes that a migration was applied.
--   $1 its number
INSERT INTO migrations (version) VALUES ($1::integer)
