-- Initial metrics row
INSERT INTO metrics (id) SELECT generate_series(1, 64) ON CONFLICT (id) DO NOTHING;
SELECT setval(pg_get_serial_sequence('metrics', 'id'), 64);
