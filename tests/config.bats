# The configuration: one table, the environment and .env, and invalid values.

load harness/helpers
load harness/service

setup() {
	use fast
	KEY=demo-key
	programs=$MCS_ROOT/build/${MCS_BUILD:-release}
	env_file=$BATS_TEST_TMPDIR/env
}

# mcs-admin config --shell with nothing but these VAR=value words in its environment.
config() { env -i ASAN_OPTIONS="${ASAN_OPTIONS:-}" "$@" "$programs/mcs-admin" config --shell; }

# The resolved value of a variable.
value_of() {
	local name=$1
	shift
	config "$@" | sed -n "s/^$name='\\(.*\\)'\$/\\1/p"
}

# The variables of the table, a line each.
variables() { sed -n 's/^CONFIG_[A-Z]*([a-z0-9_]*, \([A-Z0-9_]*\),.*/\1/p' "$MCS_ROOT/common/config.def"; }

# --- values ---------------------------------------------------------------------------------------

@test "the specification's variables have its defaults" {
	local name value
	while read -r name value; do
		same "$name=$(value_of "$name")" "$name=$value"
	done <<-'END'
		PORT 3000
		POSTGRES_PORT 5432
		POSTGRES_DB mock_communications
		REDIS_PORT 6379
		MAX_CONCURRENT_CALLS_PER_KEY 3
		MAX_CPS_PER_KEY 2
		VALID_API_KEYS test-api-key-1,test-api-key-2,demo-key
		S3_BUCKET_NAME mock-recordings-bucket
		AWS_REGION us-east-1
		POSTGRES_HOST
		REDIS_HOST
	END
}

@test "docker-compose.yml passes on every setting but those that are its own" {
	local named own='BIND|WSD_LISTEN|RESPONDER_LISTEN|MCS_VAR|PARTS|REDIS_SENTINELS|REDIS_MASTER_NAME|REDIS_USERNAME|POSTGRES_POOL_MODE'
	named=$(sed -n '/^x-mcs:/,/^services:/s/^    \([A-Z0-9_]*\):.*/\1/p' "$MCS_ROOT/docker-compose.yml")
	same "$(sort <<<"$named")" "$(variables | grep -vxE "$own" | sort)"
}

@test "an invalid value: one line that names the variable, and status 2" {
	local setting
	while read -r setting; do
		run config "$setting"
		same "$status" 2
		same "${#lines[@]}" 1
		match "$output" "^[a-z-]*: ${setting%%=*}[= ]"
	done <<-'END'
		PORT=abc
		PORT=0
		PORT=65536
		PORT=-1
		PORT=3000x
		PORT=30.5
		PORT= 3000
		POSTGRES_PORT=x
		REDIS_PORT=99999
		MAX_CONCURRENT_CALLS_PER_KEY=-3
		MAX_CONCURRENT_CALLS_PER_KEY=0
		MAX_CPS_PER_KEY=-1
		MAX_CPS_PER_KEY=two
		VALID_API_KEYS=,
		VALID_API_KEYS=with"quote
		VALID_API_KEYS=a;b
		VALID_API_KEYS=schlüssel
		LOG_LEVEL=loud
		UPLOAD_FAILURE_RATE=1.5
		UPLOAD_FAILURE_RATE=-0.1
		UPLOAD_FAILURE_RATE=nan
		TIME_SCALE=0
		TIME_SCALE=inf
		TIME_SCALE=fast
		RESPONDERS=0
		RESPONDERS=1000
		MAX_BODY_BYTES=10
		RETENTION_DAYS=-1
		BASE_PATH=mock
		BASE_PATH=/mock/
		BASE_PATH=/a//b
		BASE_PATH=/../x
		PUBLIC_URL=calls.example.com
		PUBLIC_URL=ftp://calls.example.com
		PUBLIC_URL=https://calls.example.com/
		S3_BUCKET_NAME=my bucket
		AWS_REGION=a/b
		POSTGRES_POOL_MODE=statement
		POSTGRES_USER=
		BIND=local host
		WSD_MAX_CONNECTIONS=0
	END
}

@test "a key of 101 characters is one too long" {
	local key
	printf -v key 'k%.0s' {1..100}
	same "$(value_of VALID_API_KEYS VALID_API_KEYS="$key")" "$key"
	run config VALID_API_KEYS="${key}k"
	same "$status" 2
	match "$output" '^[a-z-]*: VALID_API_KEYS '
}

@test "each program stops at an invalid value, and says which" {
	local program
	for program in responder wsd worker; do
		run env LOG_LEVEL=loud "$programs/mcs-$program" </dev/null
		same "$status" 2
		same "$output" "mcs-$program: LOG_LEVEL must be debug, info, warn or error"
	done
}

@test "'mcs run' stops at once at an invalid value, and leaves nothing" {
	local setting
	for setting in PORT=abc MAX_CPS_PER_KEY=-2 LOG_LEVEL=loud 'VALID_API_KEYS= '; do
		run env "$setting" MCS_VAR="$BATS_TEST_TMPDIR/v" MCS_ENV_FILE=/dev/null "$MCS_ROOT/mcs" run
		[[ $status != 0 ]]
		same "${#lines[@]}" 1
		match "$output" "^mcs: ${setting%%=*}[= ]"
		[[ ! -e $BATS_TEST_TMPDIR/v ]]
	done
}

# --- the file -------------------------------------------------------------------------------------

@test "the file is read and the environment beats it" {
	printf 'PORT=4000\nMAX_CPS_PER_KEY=7\n' >"$env_file"
	same "$(value_of PORT MCS_ENV_FILE="$env_file")" 4000
	same "$(value_of PORT MCS_ENV_FILE="$env_file" PORT=5000)" 5000
	same "$(value_of MAX_CPS_PER_KEY MCS_ENV_FILE="$env_file" PORT=5000)" 7
}

@test "comments, quotes, blanks, export and Windows line ends in the file are understood" {
	cat >"$env_file" <<-'END'
		# MAX_CPS_PER_KEY=99
		PORT=4001 # behind the value
		export POSTGRES_DB = "my_db"   # quoted
		VALID_API_KEYS='a, b'
		POSTGRES_PASSWORD="has # and 'blank"
		REDIS_PASSWORD=a#b
		  AWS_REGION=eu-west-1
		S3_BUCKET_NAME=first
		S3_BUCKET_NAME=second
		UNKNOWN=ignored
		OLD_PORT=5
		CORS_ORIGIN=
	END
	printf 'POSTGRES_USER=dos\r\nRESPONDERS=2' >>"$env_file"
	same "$(value_of PORT MCS_ENV_FILE="$env_file")" 4001
	same "$(value_of VALID_API_KEYS MCS_ENV_FILE="$env_file")" 'a, b'
	same "$(value_of POSTGRES_PASSWORD MCS_ENV_FILE="$env_file")" "has # and '\\''blank"
	same "$(value_of REDIS_PASSWORD MCS_ENV_FILE="$env_file")" 'a#b'
	same "$(value_of AWS_REGION MCS_ENV_FILE="$env_file")" eu-west-1
	same "$(value_of S3_BUCKET_NAME MCS_ENV_FILE="$env_file")" second
	same "$(value_of MAX_CPS_PER_KEY MCS_ENV_FILE="$env_file")" 2
	same "$(value_of CORS_ORIGIN MCS_ENV_FILE="$env_file")" ''
	same "$(value_of POSTGRES_USER MCS_ENV_FILE="$env_file")" dos
	same "$(value_of RESPONDERS MCS_ENV_FILE="$env_file")" 2
}

@test "an invalid value in the file is named too, and so is a missing file" {
	echo 'PORT=abc' >"$env_file"
	run config MCS_ENV_FILE="$env_file"
	same "$status" 2
	match "$output" ': PORT=abc must be a whole number from 1 to 65535$'
	run config MCS_ENV_FILE="$BATS_TEST_TMPDIR/nothing"
	same "$status" 2
	match "$output" ': MCS_ENV_FILE=.*nothing cannot be read'
}

@test "a line of the file that says nothing is named" {
	printf 'PORT=4000\n\n# fine\nno line at all\n' >"$env_file"
	run config MCS_ENV_FILE="$env_file"
	same "$status" 2
	match "$output" '^[a-z-]*: MCS_ENV_FILE=.*: line 4 is not NAME=value$'
}

@test "a name in the file that is a typing error of a setting stops every program, with a line" {
	echo 'TIMESCALE=20' >"$env_file"
	run config MCS_ENV_FILE="$env_file"
	same "$status" 2
	same "$output" "mcs-admin: MCS_ENV_FILE=$env_file: line 1: there is no setting TIMESCALE; did you mean TIME_SCALE?"
	local program
	for program in responder wsd worker; do
		run env MCS_ENV_FILE="$env_file" "$programs/mcs-$program" </dev/null
		same "$status" 2
		match "$output" 'did you mean TIME_SCALE\?$'
	done
}

@test "other unknown names in the file, and typing errors in the environment, are a warning" {
	printf 'NODE_ENV=test\nAPI_KEYS=mine\nCOMPOSE_PROJECT_NAME=x\nREDIS_PUBLISH=1\n' >"$env_file"
	run config MCS_ENV_FILE="$env_file" TIMESCALE=20 EDITOR=vi
	same "$status" 0
	same "$(grep -v "='.*'\$" <<<"$output")" "mcs-admin: $env_file: ignored, not settings: NODE_ENV, API_KEYS (did you mean VALID_API_KEYS?)
mcs-admin: there is no setting TIMESCALE (in the environment); did you mean TIME_SCALE?"
}

@test "an empty number is as good as unset" {
	same "$(value_of PORT PORT=)" 3000
}

@test "what --shell prints, a shell reads back as it was" {
	local password="it's \$HOME \"quoted\" \\ \`x\`"
	eval "$(config POSTGRES_PASSWORD="$password" | sed -n '/^POSTGRES_PASSWORD=/s/^POSTGRES_/GOT_/p')"
	# shellcheck disable=SC2154
	same "$GOT_PASSWORD" "$password"
}

# --- the table in its other forms -----------------------------------------------------------------

@test ".env.example is what the table says" {
	same "$("$programs/mcs-admin" config --env-example)" "$(<"$MCS_ROOT/.env.example")"
}

@test ".env.example, copied to .env, changes nothing: the two hosts are commented out" {
	same "$(config MCS_ENV_FILE="$MCS_ROOT/.env.example")" "$(config)"
	grep -q '^# POSTGRES_HOST=$' "$MCS_ROOT/.env.example"
	grep -q '^# REDIS_HOST=$' "$MCS_ROOT/.env.example"
}

@test "docs/configuration.md has the table" {
	same "$(sed -n '/<!-- config -->/,/<!-- \/config -->/p' "$MCS_ROOT/docs/configuration.md" | sed '1d;$d' | sed '/^$/d')" \
		"$("$programs/mcs-admin" config --markdown)"
}

# The settings that the table has for a program (RESPONDER, WSD, …), a line each.
variables_of() {
	sed -n 's/^CONFIG_[A-Z]*([a-z0-9_]*, \([A-Z0-9_]*\), \([A-Z_ |]*\),.*/\1 \2/p' "$MCS_ROOT/common/config.def" |
		grep -E "FOR_($1|ALL)" | cut -d ' ' -f 1
}

# The variables of the fields that a program's own code reads.
variables_read_in() {
	local field
	grep -rhoE 'config(->|\.)(resolved_)?[a-z0-9_]+' "$MCS_ROOT/$1" --include='*.c' |
		sed -E 's/config(->|\.)(resolved_)?//' | sort -u | while read -r field; do
		sed -n "s/^CONFIG_[A-Z]*($field, \([A-Z0-9_]*\),.*/\1/p" "$MCS_ROOT/common/config.def"
	done
}

@test "--help of each program lists its own settings, --version the version" {
	local program folder name
	for program in responder wsd worker admin; do
		folder=${program/responder/fcgi}
		run "$programs/mcs-$program" --help
		same "$status" 0
		same "$(sed -n 's/^  \([A-Z][A-Z0-9_]*\) .*/\1/p' <<<"$output")" "$(variables_of "${program^^}")"
		for name in $(variables_read_in "$folder"); do
			match "$output" "  $name "
		done
		run "$programs/mcs-$program" --version
		same "$status" 0
		match "$output" "^mcs-$program [0-9]+\.[0-9]+\.[0-9]+"
		run "$programs/mcs-$program" --nonsense
		[[ $status != 0 ]]
	done
	(($(variables | wc -l) >= 27))
	(($(variables_of WSD | wc -l) < 20))
}

# --- what they do ---------------------------------------------------------------------------------

@test "TIME_SCALE changes the calls' states and their uploads, and nothing else" {
	same "$(config TIME_SCALE=20 | grep -v ^TIME_SCALE=)" "$(config | grep -v ^TIME_SCALE=)"
	# The states and the upload of this instance are short (their ranges are lifecycle.bats' business).
	fresh_key
	burst_at_limit 4
	call_id=$(jq -r '.call_id // empty' "$replies"/* | head -n 1)
	wait_until 60 has_recording
	same "$(sql "SELECT duration_ms[1] + duration_ms[2] + duration_ms[3] + duration_ms[4] < 800 FROM calls WHERE id = '$call_id'")" t
	# The limits' second is not, see burst_at_limit; and Redis keeps a call that is over for a minute, as ever.
	local left
	left=$(live PTTL "$(live_key call "$call_id")")
	((left > 30000 && left <= 60000))
}

@test "LOG_LEVEL decides what is in the log" {
	local worker level
	for level in info error; do
		exec_in_instance LOG_LEVEL=$level "$programs/mcs-worker" 2>"$BATS_TEST_TMPDIR/$level" 3>&- &
		worker=$!
		wait_until 60 is_connected "$worker"
		kill -TERM "$worker"
		wait "$worker"
	done
	match "$(<"$BATS_TEST_TMPDIR/info")" "^$iso_time info worker worker\.start "
	same "$(<"$BATS_TEST_TMPDIR/error")" ''
}

# Whether that process has connections to both databases.
is_connected() { (($(readlink "/proc/$1/fd/"* | grep -c '^socket:') >= 2)); }
