-- A page of the uploads that failed permanently, in the order of ids, without metadata.
--   $1 id after which the page starts  $2 max rows
SELECT -- include: calls/columns.def
       NULL::text
  FROM calls
 WHERE upload_status = 'FAILED' AND id > $1::uuid
 ORDER BY id
 LIMIT $2::bigint
