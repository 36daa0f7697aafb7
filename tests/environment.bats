# What the caller hands down, to ./mcs and to the programs: the locale, variables of the shell, of libpq and
# of other tools, closed descriptors. Nothing of it decides where a private server is, or how anything works.

load harness/helpers
load harness/service

# The locale $1, such as de_DE, made for these tests only.
make_locale() {
	export LOCPATH=$BATS_FILE_TMPDIR/locales
	mkdir -p "$LOCPATH"
	localedef -i "$1" -f UTF-8 "$LOCPATH/$1.UTF-8"
	LC_ALL=$1.UTF-8 locale charmap | grep -qx UTF-8
}

setup_file() {
	make_locale de_DE
	make_locale tr_TR
	chmod 755 "$BATS_FILE_TMPDIR"
}

# A decimal comma, a dotless i, another language, a folder that is not there, another database everywhere.
hostile_environment() {
	printf '%s\n' "LC_ALL=$1" LANG="$1" LANGUAGE=de LOCPATH="$BATS_FILE_TMPDIR/locales" \
		BASH_ENV="$BATS_FILE_TMPDIR/bash_env" ENV="$BATS_FILE_TMPDIR/bash_env" CDPATH=/tmp:/ GLOBIGNORE='*' \
		SHELLOPTS=noglob:noclobber:posix POSIXLY_CORRECT=1 'BASH_FUNC_cd%%=() { false; }' \
		TMPDIR=/nonexistent GREP_OPTIONS=--invert-match QUOTING_STYLE=c PS_FORMAT=user \
		PGHOST=192.0.2.1 PGHOSTADDR=192.0.2.1 PGPORT=1 PGUSER=nobody PGPASSWORD=x PGDATABASE=nowhere \
		PGSERVICE=none PGSERVICEFILE=/nonexistent PGOPTIONS='-c search_path=nowhere' PGREQUIREPEER=nobody \
		PGTARGETSESSIONATTRS=standby PGCHANNELBINDING=require PGSSLMODE=verify-full PGCONNECT_TIMEOUT=1 \
		PGTZ=Asia/Tokyo PGDATESTYLE=German PGDATA=/nonexistent REDISCLI_AUTH=wrong CURL_HOME=/nonexistent
	echo 'echo noise; exit 7' >"$BATS_FILE_TMPDIR/bash_env"
}

@test "an environment that changes everything changes nothing: run, restart, and the other commands" {
	local words command
	mapfile -t words < <(hostile_environment de_DE.UTF-8)
	start_instance words "${words[@]}" TIME_SCALE=20 PATH=/usr/bin:/bin
	KEY=demo-key
	create_call
	wait_until 60 has_recording
	same "$(sql 'SELECT count(*) FROM calls')" 1
	same "$(sql "SELECT count(*) FROM pg_database WHERE datname = 'mock_communications' AND encoding = 6")" 1
	mapfile -t words < <(hostile_environment tr_TR.UTF-8)
	for command in status restart failed vars 'psql -qAtc SELECT+6*7' 'redis PING' 'migrate'; do
		read -ra command <<<"$command"
		run env "${words[@]}" MCS_ENV_FILE=/dev/null "$MCS_ROOT/mcs" "${command[@]//+/ }"
		same "${command[0]} $status" "${command[0]} 0"
		[[ $output != *noise* ]]
		[[ ${command[0]} != psql ]] || same "$output" 42
		[[ ${command[0]} != redis ]] || same "$output" PONG
	done
	run env "${words[@]}" MCS_ENV_FILE=/dev/null "$MCS_ROOT/mcs" stop
	same "$status" 0
	rm "$(instances_folder)/words.instance"
}

@test "other locales: C, POSIX, one that does not exist" {
	use fast
	local locale
	for locale in C POSIX xx_XX.UTF-8 tr_TR.UTF-8; do
		run env LOCPATH="$BATS_FILE_TMPDIR/locales" LC_ALL="$locale" LANG="$locale" MCS_ENV_FILE=/dev/null "$MCS_ROOT/mcs" status
		same "$locale $status" "$locale 0"
		match "$output" "ready at http://localhost:$PORT\$"
		# The checks of settings, in C.
		run env LOCPATH="$BATS_FILE_TMPDIR/locales" LC_ALL="$locale" TIME_SCALE=0.5 BIND=::1 LOG_LEVEL=info MCS_ENV_FILE=/dev/null \
			"$MCS_ROOT/build/${MCS_BUILD:-release}/mcs-admin" config --shell
		match "$output" "TIME_SCALE='0\.5'"
	done
}

@test "the programs reach the private PostgreSQL whatever libpq's variables say" {
	use fast
	local folder=$BATS_TEST_TMPDIR/programs
	run env PGHOSTADDR=192.0.2.1 PGSERVICE=none PGREQUIREPEER=nobody PGCHANNELBINDING=require MCS_ENV_FILE=/dev/null \
		MCS_VAR="$MCS_VAR" "$MCS_ROOT/build/${MCS_BUILD:-release}/mcs-admin" migrate
	same "$status ${lines[-1]}" '0  All migrations completed successfully!'
}

@test "for a PostgreSQL that POSTGRES_HOST names, libpq's variables of common/libpq.def hold, and no others" {
	use fast
	local program=("$MCS_ROOT/build/${MCS_BUILD:-release}/mcs-admin" migrate)
	local words=(MCS_ENV_FILE=/dev/null MCS_VAR="$BATS_TEST_TMPDIR/none" POSTGRES_HOST="$MCS_VAR/run")
	run env "${words[@]}" PGHOSTADDR=192.0.2.1 PGSERVICE=none PGUSER=nobody PGDATABASE=nowhere "${program[@]}"
	same "$status" 0
	run env "${words[@]}" PGREQUIREPEER=nobody "${program[@]}"
	match "$output" 'requirepeer'
	run env "${words[@]}" PGREQUIREPEER=nobody "$MCS_ROOT/mcs" psql -c 'SELECT 1'
	match "$output" 'requirepeer'
	same "$(env "${words[@]}" PGHOSTADDR=192.0.2.1 PGOPTIONS=-x "$MCS_ROOT/mcs" psql -qAtc 'SELECT 6 * 7')" 42
	# The documentation names the same ones.
	same "$(sed -n '/^## Variables/,/^## Pool/{/^| /p}' "$MCS_ROOT/docs/postgresql.md" | grep -o '`PG[A-Z]*`' | tr -d '`' | sort)" \
		"$(sed -n 's/^LIBPQ_VARIABLE(\(.*\))$/\1/p' "$MCS_ROOT/common/libpq.def" | sort)"
}

# Starts a command with all standard descriptors closed.
# shellcheck disable=SC2016
closed=(bash -c 'exec "$@" <&- >&- 2>&-' -)

@test "./mcs run with standard input, output and error closed" {
	local folder number
	folder=$(instances_folder)
	PORT=$(free_port)
	setpriv --pdeathsig TERM -- env -i --default-signal PATH="$PATH" HOME="${HOME:-/}" ASAN_OPTIONS="${ASAN_OPTIONS:-}" \
		UBSAN_OPTIONS="${UBSAN_OPTIONS:-}" MCS_BUILD="${MCS_BUILD:-release}" MCS_SERVER="${MCS_SERVER:-lighttpd}" \
		MCS_ENV_FILE=/dev/null MCS_VAR="$folder/closed" PORT="$PORT" "${closed[@]}" "$MCS_ROOT/mcs" run 3>&- 4>&- &
	echo "$! $PORT" >"$folder/closed.instance"
	use closed
	KEY=test-api-key-1
	wait_until 90 is_ready
	create_call
	number=$(<"$MCS_VAR/mcs.pid")
	same "$(readlink "/proc/$number/fd/"{0,1,2} | paste -sd ' ')" '/dev/null /dev/null /dev/null'
	run "${closed[@]}" "$MCS_ROOT/mcs" restart
	same "$status" 0
	stop_instance closed
}

@test "worker and wsd open the standard descriptors that they find closed" {
	use fast
	local program number
	for program in worker wsd; do
		(exec_in_instance WSD_LISTEN="127.0.0.1:$(free_port)" "${closed[@]}" "$MCS_ROOT/build/${MCS_BUILD:-release}/mcs-$program") 3>&- &
		number=$!
		wait_until 60 has_descriptors "$number"
		kill "$number"
		wait "$number" || :
	done
}

has_descriptors() { [[ $(readlink "/proc/$1/fd/"{0,1,2} | paste -sd ' ') == '/dev/null /dev/null /dev/null' ]]; }
