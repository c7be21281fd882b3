# gnuplot -c online_stream.gnuplot OUT.png TITLE TABLE.csv
# Accuracy over time of each algorithm, on batches that it has not learned from yet: the mean over seeds, and a band of one
# standard deviation to either side.

table = ARGV[3]

set terminal pngcairo size 1100,560 font "DejaVu Sans,12" background "#ffffff"
set output ARGV[1]
set datafile separator ","

stats table skip 1 nooutput
columns = STATS_columns
stats table using 1 skip 1 nooutput
samples = STATS_max

array color[9] = ["#0072b2", "#56b4e9", "#d55e00", "#e69f00", "#cc79a7", "#444444", "#009e73", "#999933", "#882255"]
set border 3 linecolor rgb "#888888"
set tics nomirror out scale 0.6 textcolor rgb "#444444"
set grid ytics linetype 1 linecolor rgb "#e4e4e4" linewidth 1 back
set title ARGV[2] . ": accuracy on each batch before it is learned from" font "DejaVu Sans,15" textcolor rgb "#222222" noenhanced
set xlabel "samples seen" textcolor rgb "#444444"
set format y "%g %%"
set format x "%.0s%c"
set key outside right center spacing 1.5 samplen 2.5 textcolor rgb "#222222" noenhanced
set style fill transparent solid 0.18 noborder
low(i) = 100 * (column(i) - column(i + 1))
high(i) = 100 * (column(i) + column(i + 1))
plot [0:samples] \
  for [i = 2:columns:2] table using 1:(low(i)):(high(i)) skip 1 with filledcurves linecolor rgb color[i / 2] notitle, \
  for [i = 2:columns:2] table using 1:(100 * column(i)) with lines linewidth 2.2 linecolor rgb color[i / 2] title columnheader(i)
