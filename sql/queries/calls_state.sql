-- How the calls with these ids stand, in no order. Without metadata, which may take long to
-- write out.
--   $1 uuid[]  ids
SELECT -- include: calls/columns.def
       NULL::text
  FROM calls
 WHERE id = ANY ($1::uuid[])
