-- Inserts a call in its first state and counts it, both or neither, and neither if the id is there.
--   $1 id  $2 from  $3 to  $4 metadata  $5 api_key  $6 created (ms since 1970)  $7 outcome
--   $8 duration_ms int[]  $9 upload_failures  $10 epoch of the admission  $11 metrics stripe
-- One row: stored (bool: by this statement or by an earlier one). A conflict that this
-- statement's snapshot cannot see yet shows as: the epoch is right, and yet nothing was inserted.
WITH barrier AS (
  UPDATE live_state SET epoch = epoch WHERE false -- its lock, taken before the snapshot: see live_state_begin()
), stored AS (
  INSERT INTO calls (id, from_number, to_number, status, metadata, api_key, created_at, updated_at,
                     entered_at, outcome, duration_ms, upload_failures)
  SELECT $1::uuid, $2, $3, 'QUEUED', $4::jsonb, $5,
         at.created, at.created, ARRAY[at.created], $7, $8::integer[], $9::integer
    FROM (SELECT to_timestamp($6::bigint / 1000.0)::timestamptz(3) AS created) AS at
   WHERE (SELECT epoch FROM live_state) = $10::bigint
  ON CONFLICT (id) DO NOTHING
  RETURNING id
), counted AS (
  UPDATE metrics
     SET total_calls = total_calls + 1, active_calls = active_calls + 1, updated_at = now()
   WHERE id = $11::integer AND EXISTS (SELECT FROM stored)
)
SELECT EXISTS (SELECT FROM stored) OR (SELECT epoch FROM live_state) = $10::bigint
       OR EXISTS (SELECT FROM calls WHERE id = $1::uuid)
