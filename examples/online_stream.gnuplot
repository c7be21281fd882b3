# gnuplot -c online_stream.gnuplot OUT.png DRIFT TABLE.csv TASKS
# Accuracy over time of each algorithm, on batches that it has not learned from yet; a line where a task begins.

table = ARGV[3]
tasks = int(ARGV[4])

set terminal pngcairo size 1100,560 font "DejaVu Sans,12" background "#ffffff"
set output ARGV[1]
set datafile separator ","

stats table using 1 skip 1 nooutput
samples = STATS_max
stats table skip 1 nooutput
columns = STATS_columns

array color[6] = ["#444444", "#0072b2", "#009e73", "#d55e00", "#cc79a7", "#e69f00"]
do for [i = 1:6] {
  set style line i linecolor rgb color[i] linewidth 2.2
}
set border 3 linecolor rgb "#888888"
set tics nomirror out scale 0.6 textcolor rgb "#444444"
set grid ytics linetype 1 linecolor rgb "#e4e4e4" linewidth 1 back
set title ARGV[2] . " images: accuracy on each batch before it is learned from" font "DejaVu Sans,15" textcolor rgb "#222222"
set xlabel "samples seen" textcolor rgb "#444444"
set format y "%g %%"
set format x "%.0s%c"
set key outside right center spacing 1.5 samplen 2.5 textcolor rgb "#222222" noenhanced
do for [k = 1:tasks - 1] {
  set arrow k from samples * k / tasks, graph 0 to samples * k / tasks, graph 1 nohead linecolor rgb "#bbbbbb" dashtype 2 back
}
do for [k = 1:tasks] {
  set label k sprintf("task %d", k) at samples * (k - 0.5) / tasks, graph 1.02 center font "DejaVu Sans,10" textcolor rgb "#888888"
}
plot [0:samples] for [i = 3:columns] table using 1:(100 * column(i)) with lines linestyle i - 2 title columnheader(i)
