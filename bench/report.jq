# The table of targets: bench/targets.json compared with the results. A target names a figure of ours and,
# where it is a ratio, the figure that it is a share of; with counts, one ratio for each number of
# connections, and the worst of them decides. Gives {missed, missing, table}: how many targets have a
# figure that is not good enough, or no figure (such rows are shown only in a $whole run). Medians decide,
# or every single value where the target says so.
def median: sort | (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2;
def round2: . * 100 | round / 100;
def figure($all; $what; $unit; $section):
  [$all[] | select(.what == $what and .unit == $unit and ($section == null or .section == $section)) | .values]
  | if length > 1 then error("several sections have \($what): name one in targets.json") else first end;
# Of pairs; of other figures, the median with the minimum and the maximum that are possible.
def ratios($ours; $floor):
  if ($ours | length) == ($floor | length) then [range($ours | length) | $ours[.] / $floor[.]]
  else [($ours | median) / ($floor | median), ($ours | min) / ($floor | max), ($ours | max) / ($floor | min)] end;
def spread: if length == 1 then "\(first | round2)" else "\(median | round2) (\(min | round2)–\(max | round2))" end;

. as $all
| [$targets[0][] | . as $t
   | [($t.counts // [null])[] as $n
      | (if $n == null then "" else " @\($n)" end) as $at
      | figure($all; $t.ours + $at; $t.unit; $t.section) as $ours
      | (if $t.floor then figure($all; $t.floor + $at; $t.unit; $t.section) else null end) as $floor
      | select(($ours | length) > 0 and ($t.floor == null or ($floor | length) > 0))
      | {n: $n, values: (if $t.floor then ratios($ours; $floor) else $ours end)}] as $figures
   | ($figures | map(.values | if $t.each then max else median end) | if $t.min then min else max end) as $worst
   | (if $figures == [] then "missing"
      elif (if $t.min then $worst >= $t.min else $worst <= $t.max end) then "met" else "missed" end) as $verdict
   | select($whole or $verdict != "missing")
   | {$verdict, row: ("| \($t.what) | \(if $t.min then "≥ \($t.min)" else "≤ \($t.max)" end) | "
      + if $verdict == "missing" then "– | **not measured** |"
        else ($figures | map((if .n == null then "" else "\(.n): " end) + (.values | spread)) | join(", "))
          + " | \(if $verdict == "met" then "met" else "**missed**" end) |" end)}]
| {missed: map(select(.verdict == "missed")) | length, missing: map(select(.verdict == "missing")) | length,
   table: (["| what | target | here | |", "|---|---|---|---|"] + map(.row) | join("\n"))}
