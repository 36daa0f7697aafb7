# Judges one report of the Autobahn testsuite's fuzzingclient, of tests/harness/autobahn.sh.
# Output: a line of TAP, without its number.
#
# The service sends the events of a call and ignores what clients send. So the messages that it sends are not
# compared, and a case that expects an echo is judged by liveness: the connection has answered all pings, and
# has closed as the case demands. A message beyond the limit of wsd may end in close 1009 instead.

def without_messages: map(select(.[0] != "message"));

(.received | without_messages) as $received
| [.expected[] | without_messages] as $expected
| any(.expected[][]; .[0] == "message") as $echo
| (.behaviorClose == "OK" or .behaviorClose == "INFORMATIONAL") as $closed
| "\(.id) \(.description | gsub("<[^>]*>"; "") | gsub("\\s+"; " "))" as $name
| if .behavior == "UNIMPLEMENTED" then "ok \($name) # skip not negotiated"
  elif $echo and .remoteCloseCode == 1009 then "ok \($name) (close 1009: beyond the limit)"
  elif $closed and ($expected == [] or any($expected[]; . == $received)) then
    "ok \($name)" + (if $echo then " (by liveness)" else "" end)
  else "not ok \($name): received \($received | tojson), close \(.behaviorClose) \(.remoteCloseCode)" end
