# gnuplot -c plot.gnuplot OUT.png TITLE NAME HISTORY.csv [NAME HISTORY.csv]...
# Learning curves by epoch: training loss and test accuracy of the runs whose --history files are named.

runs = (ARGC - 2) / 2
name(i) = ARGV[2 * i + 1]
table(i) = ARGV[2 * i + 2]

set terminal pngcairo size 1200,520 font "DejaVu Sans,12" background "#ffffff" enhanced
set output ARGV[1]
set datafile separator ","
set multiplot layout 1,2 margins 0.075,0.98,0.13,0.84 spacing 0.09,0

array color[6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]
do for [i = 1:6] {
  set style line i linecolor rgb color[i] linewidth 2.5 pointtype 7 pointsize 0.9
}

set label 1 ARGV[2] at screen 0.5,0.95 center font "DejaVu Sans,15" textcolor rgb "#222222" noenhanced
set border 3 linecolor rgb "#888888"
set tics nomirror out scale 0.6 textcolor rgb "#444444"
set grid ytics linetype 1 dashtype solid linecolor rgb "#e4e4e4" linewidth 1 back
set xlabel "epoch" textcolor rgb "#444444"
set key spacing 1.3 samplen 2.5 textcolor rgb "#222222" noenhanced

stats table(1) using 1 skip 1 nooutput
step = STATS_max > 40 ? 10 : STATS_max > 20 ? 5 : STATS_max > 10 ? 2 : 1
set xtics step
set xrange [STATS_min - 0.3 : STATS_max + 0.3]

set title "training loss" textcolor rgb "#222222"
set key top right
set format y "%g"
plot [] [0:*] for [i = 1:runs] table(i) using 1:3 skip 1 with linespoints linestyle i title name(i)

unset label 1
set title "test accuracy"
set key bottom right
set format y "%g %%"
plot for [i = 1:runs] table(i) using 1:(100 * column(6)) skip 1 with linespoints linestyle i title name(i)
unset multiplot
