-- Epoch barrier
-- The barrier is on this table and not on calls, where any VACUUM would delay it. An insert of a call locks it
-- as a writer does (and writes nothing). So the lock waits for all inserts that are under way, and holds new
-- ones until this has committed; those then see the new epoch.
CREATE OR REPLACE FUNCTION picture_begin() RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE
  begun BIGINT;
BEGIN
  LOCK TABLE picture IN EXCLUSIVE MODE;
  UPDATE picture SET epoch = epoch + 1 RETURNING epoch INTO begun;
  RETURN begun;
END
$$;
