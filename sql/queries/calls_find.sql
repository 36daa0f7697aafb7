-- The calls with these ids, in no order.
--   $1 uuid[]  ids
SELECT -- include: calls/columns.def
       metadata::text
  FROM calls
 WHERE id = ANY ($1::uuid[])
