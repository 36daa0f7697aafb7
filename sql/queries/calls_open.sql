-- A page of what is open (a call or its upload), in the order of ids, without metadata;
-- then whether the row is wanted, and how many rows the page had.
--   $1 id after which the page starts  $2 max rows
--   $3 wanted is what should have moved on so many ms ago; NULL: all
-- The page is cut before it is looked through, so that it takes no longer the less is wanted. Its last
-- row comes in any case: it tells where the next page begins.
SELECT -- include: calls/columns.def
       NULL::text, wanted, rows
  FROM (
    SELECT *, row_number() OVER () AS number, count(*) OVER () AS rows,
           $3::bigint IS NULL
           OR greatest(updated_at, upload_retry_at) + duration_ms[least(seq, 4)] * interval '1 ms'
              < now() - $3::bigint * interval '1 ms' AS wanted
      FROM (
        SELECT * FROM calls
         WHERE upload_status IN ('WAITING', 'PENDING') AND id > $1::uuid
         ORDER BY id
         LIMIT $2::bigint
      ) AS open
  ) AS page
 WHERE wanted OR number = rows
 ORDER BY id
