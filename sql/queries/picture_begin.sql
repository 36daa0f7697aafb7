-- Begins a new epoch of the picture, behind a barrier (sql/migrations/0006_barrier.sql).
-- One row: the epoch (bigint)
SELECT picture_begin()
