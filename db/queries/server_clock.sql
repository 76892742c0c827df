-- The clock of the server, by which ages are told: no other clock is asked.

-- name: GetServerTime :one
-- What time is it by the server's clock, now and not when its transaction began?
SELECT clock_timestamp()::timestamptz AS server_time;
