# shellcheck shell=bash
# The commands of the user's document, word for word as they are printed there.
# shellcheck disable=SC2034

read -rd '' health <<'END' || :
curl http://localhost:3000/health
END

read -rd '' create <<'END' || :
curl -X POST http://localhost:3000/calls \
  -H "Authorization: Bearer test-api-key-1" \
  -H "Content-Type: application/json" \
  -d '{
    "from": "+1234567890",
    "to": "+0987654321",
    "metadata": {"test": true}
  }'
END

read -rd '' status <<'END' || :
curl http://localhost:3000/calls/ \
  -H "Authorization: Bearer test-api-key-1"
END

read -rd '' metrics <<'END' || :
curl http://localhost:3000/metrics \
  -H "Authorization: Bearer test-api-key-1"
END

read -rd '' authentication <<'END' || :
curl http://localhost:3000/calls \
  -H "Authorization: Bearer invalid-key"
END

read -rd '' a_second <<'END' || :
for i in {1..4}; do
  curl -s -X POST http://localhost:3000/calls \
    -H "Authorization: Bearer test-api-key-1" \
    -H "Content-Type: application/json" \
    -d "{\"from\": \"+111$i\", \"to\": \"+222$i\"}" &
done
wait
END

read -rd '' concurrent <<'END' || :
# Send 3 calls with 2-second spacing
curl -s -X POST http://localhost:3000/calls \
  -H "Authorization: Bearer test-api-key-1" \
  -H "Content-Type: application/json" \
  -d '{"from": "+1111", "to": "+2222"}'

sleep 2

curl -s -X POST http://localhost:3000/calls \
  -H "Authorization: Bearer test-api-key-1" \
  -H "Content-Type: application/json" \
  -d '{"from": "+3333", "to": "+4444"}'

sleep 2

curl -s -X POST http://localhost:3000/calls \
  -H "Authorization: Bearer test-api-key-1" \
  -H "Content-Type: application/json" \
  -d '{"from": "+5555", "to": "+6666"}'

# Now send 4 more quickly while first 3 are still running
sleep 2
for i in {1..4}; do
  curl -s -X POST http://localhost:3000/calls \
    -H "Authorization: Bearer test-api-key-1" \
    -H "Content-Type: application/json" \
    -d "{\"from\": \"+777$i\", \"to\": \"+888$i\"}" &
done
wait
END

# What the document expects of the HTTP requests that it shows without a curl.
read -rd '' create_body <<'END' || :
{
  "from": "+1234567890",
  "to": "+0987654321",
  "metadata": {
    "customer_id": "12345",
    "campaign": "support"
  }
}
END

# Runs a command of the document against the instance in use; sets body. Nothing else is changed.
as_printed() {
	body=$(bash -c "${1//localhost:3000/localhost:$PORT}" 2>"$BATS_TEST_TMPDIR/err") || {
		cat "$BATS_TEST_TMPDIR/err" >&2
		return 1
	}
}

# Waits until the document's key may create calls again as if nothing had been.
await_free_key() {
	wait_until 30 no_slots test-api-key-1
	wait_until 10 no_calls_this_second
}

no_calls_this_second() {
	KEY=test-api-key-1 api GET /metrics
	[[ $(json .current_cps) == 0 ]]
}
