# gnuplot -c plot.gp KIND DATA OUTPUT COLUMNS: the plots of bench/report. DATA has a column of x and one for each
# line, whose names are in the first row.
kind = ARG1
set terminal svg size 760,440 font 'sans-serif,13' background '#ffffff'
set output ARG3
set datafile separator "\t"
set datafile missing '-'
set key outside right top autotitle columnhead noenhanced
set grid ytics lc '#dddddd'
set border 3 lc '#888888'
set tics nomirror
set style data linespoints
set yrange [0:*]
if (kind eq 'throughput') {
  set title 'Requests a second, by connections' noenhanced
  set logscale x 4
  set logscale y
  set yrange [1000:*]
  set xlabel 'connections'
} else {
  set title 'Processor seconds of all components a million requests' noenhanced
  set xlabel 'finished calls in the table, millions'
}
plot for [i = 2:ARG4 + 0] ARG2 using 1:i lw 2 pt 7 ps 0.5
