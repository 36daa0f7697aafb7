# The table of targets: bench/targets.json held against the results. A target names a figure of ours and,
# where it is a ratio, the figure that it is a share of; with counts, one ratio for each number of
# connections, and the worst of them decides.
def median: sort | .[length / 2 | floor];
def round2: . * 100 | round / 100;
def figure($all; $what; $unit; $section):
  [$all[] | select(.what == $what and .unit == $unit and ($section == null or .section == $section)) | .values]
  | if length > 1 then error("several sections have \($what): name one in targets.json") else first end;
def ratios($ours; $floor):
  if ($ours | length) == ($floor | length) then [range($ours | length) | $ours[.] / $floor[.]]
  else [($ours | median) / ($floor | median)] end;
def spread: "\(median | round2) (\(min | round2)–\(max | round2))";

. as $all
| "| what | target | here | |", "|---|---|---|---|",
  ($targets[0][] | . as $t
   | [($t.counts // [null])[] as $n
      | (if $n == null then "" else " @\($n)" end) as $at
      | figure($all; $t.ours + $at; $t.unit; $t.section) as $ours
      | (if $t.floor then figure($all; $t.floor + $at; $t.unit; $t.section) else null end) as $floor
      | select($ours != null and ($t.floor == null or $floor != null))
      | {n: $n, values: (if $t.floor then ratios($ours; $floor) else $ours end)}]
   | select(length > 0)
   | (map(.values | median) | if $t.least then min else max end) as $worst
   | (if $t.least then $worst >= $t.least else $worst <= $t.most end) as $met
   | "| \($t.what) | \(if $t.least then "≥ \($t.least)" else "≤ \($t.most)" end) | "
     + (map((if .n == null then "" else "\(.n): " end) + (.values | spread)) | join(", "))
     + " | \(if $met then "met" else "**missed**" end) |")
