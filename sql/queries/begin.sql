-- Begins a transaction; one that may not write where that is the default.
BEGIN ISOLATION LEVEL READ COMMITTED
