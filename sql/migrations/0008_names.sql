-- Names of this version
-- A program of an earlier version finds neither table nor column under the old names, so it cannot prepare
-- its statements and does nothing.
ALTER TABLE picture RENAME TO live_state;
ALTER TABLE live_state RENAME CONSTRAINT picture_pkey TO live_state_pkey;
ALTER TABLE calls RENAME COLUMN stage_ms TO duration_ms;
DROP FUNCTION picture_begin();

-- Begins a new epoch. An insert of a call locks this table as a writer does (and writes nothing). So the
-- exclusive lock waits for all inserts that are under way, and holds new ones until this has committed;
-- those then see the new epoch. The lock is not on calls, where any VACUUM would delay it.
CREATE FUNCTION live_state_begin() RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE
  begun BIGINT;
BEGIN
  LOCK TABLE live_state IN EXCLUSIVE MODE;
  UPDATE live_state SET epoch = epoch + 1 RETURNING epoch INTO begun;
  RETURN begun;
END
$$;
