# shellcheck shell=bash
# Rows that are put into `calls` by hand: calls that nobody plays, because Redis does not know them before a
# rebuild. Loaded by service.bash; needs its `sql`.
#
#   insert_call [COLUMN=VALUE…]          one row
#   insert_calls COUNT [COLUMN=VALUE…]   so many, where n is the number of a row, from 1
#   insert_statement FROM [COLUMN=VALUE…]  prints the statement, for the rows of this FROM clause
#   v7_id                                an SQL expression: a UUID of version 7 that is made of the columns h
#                                        (12 hex digits of the time), m (16 of chance) and hash (2 of the key)
#
# COLUMN=VALUE is a literal, COLUMN:=VALUE an SQL expression. A column that is not named has the value of a
# call of demo-key that waits for an hour in QUEUED, or of one that is over, with status=COMPLETED. at:=VALUE
# is when that was: created_at, updated_at, and all of entered_at.

insert_call() { insert_calls 1 "$@"; }

insert_calls() { sql "$(insert_statement "generate_series(1, $1) AS n" "${@:2}")"; }

insert_statement() {
	local from=$1 word name value at
	local -A row=([status]="'QUEUED'") defaults=([id]='gen_random_uuid()' [from_number]="'1'" [to_number]="'2'"
		[api_key]="'demo-key'" [outcome]="'ANSWERED'" [created_at]=moment [updated_at]=moment)
	for word in "${@:2}"; do
		name=${word%%=*} value=${word#*=}
		[[ $name == *: ]] || value="'${value//\'/\'\'}'"
		row[${name%:}]=$value
	done
	at=${row[at]:-now()}
	unset 'row[at]'
	if [[ ${row[status]} == "'COMPLETED'" ]]; then
		defaults+=([seq]=5 [entered_at]='ARRAY[moment, moment, moment, moment]' [duration_ms]="'{1, 1, 1, 1}'"
			[upload_status]="'COMPLETED'")
	else
		defaults+=([seq]=1 [entered_at]='ARRAY[moment]' [duration_ms]="'{3600000, 1, 1, 1}'")
	fi
	for name in "${!defaults[@]}"; do
		row[$name]=${row[$name]:-${defaults[$name]}}
	done
	echo "INSERT INTO calls ($(IFS=, && echo "${!row[*]}"))
		SELECT $(IFS=, && echo "${row[*]}")
		  FROM $from CROSS JOIN LATERAL (SELECT $at AS moment) AS moments"
}

# shellcheck disable=SC2034
v7_id="(left(h, 8) || '-' || right(h, 4) || '-7' || left(m, 3) || '-8' || substr(m, 4, 3) || '-' || substr(m, 7, 10) || hash)::uuid"
