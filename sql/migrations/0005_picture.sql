-- Epoch table
-- One row: the epoch of the live state in Redis. Every rebuild of the live state begins a new epoch, and
-- PostgreSQL refuses an insert that was admitted under an older one.
CREATE TABLE IF NOT EXISTS picture (
  one   BOOLEAN PRIMARY KEY DEFAULT true CHECK (one),
  epoch BIGINT NOT NULL
);
INSERT INTO picture (epoch) VALUES (1) ON CONFLICT (one) DO NOTHING;

-- Begins a new epoch. The lock waits for all inserts and updates of calls that are under way, and
-- holds new ones until this has committed; those then see the new epoch.
CREATE OR REPLACE FUNCTION picture_begin() RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE
  begun BIGINT;
BEGIN
  LOCK TABLE calls IN SHARE MODE;
  UPDATE picture SET epoch = epoch + 1 RETURNING epoch INTO begun;
  RETURN begun;
END
$$;
