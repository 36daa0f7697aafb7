-- Whether the database answers and has been migrated. One row: the epoch (bigint)
SELECT epoch FROM picture
