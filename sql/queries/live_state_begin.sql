-- Begins a new epoch of the live state, behind a barrier (sql/migrations/0008_names.sql).
-- One row: the epoch (bigint)
SELECT live_state_begin()
