# gnuplot -c plot.gnuplot OUT.png TITLE NAME HISTORY.csv [NAME HISTORY.csv]... [CONFUSION.csv]
# Learning curves by epoch: training loss and test accuracy of the runs whose --history files are named. Beside them, if
# named, a confusion matrix: a line for each true class, of the samples by predicted class.

runs = (ARGC - 2) / 2
confusion = ARGC % 2 == 1 ? ARGV[ARGC] : ""
name(i) = ARGV[2 * i + 1]
table(i) = ARGV[2 * i + 2]

# Pixels, from the left: two curves of one width, and a square.
height = 560
curve = 430
panels = confusion eq "" ? 2 : 3
width = 2 * (curve + 90) + (panels == 3 ? 500 : 0)
left(panel) = (80.0 + panel * (curve + 90)) / width
right(panel) = left(panel) + real(panel < 2 ? curve : 390) / width
top = 0.84
bottom = 0.84 - 390.0 / height

set terminal pngcairo size width,height font "DejaVu Sans,12" background "#ffffff" enhanced
set output ARGV[1]
set datafile separator ","
set multiplot

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
set tmargin at screen top
set bmargin at screen bottom

set lmargin at screen left(0)
set rmargin at screen right(0)
set title "training loss" textcolor rgb "#222222"
set key top right
set format y "%g"
plot [] [0:*] for [i = 1:runs] table(i) using 1:3 skip 1 with linespoints linestyle i title name(i)

unset label 1
set lmargin at screen left(1)
set rmargin at screen right(1)
set title "test accuracy"
set key bottom right
set format y "%g %%"
stats table(1) using (valid(6) ? 100 * column(6) : -1) skip 1 nooutput
if (runs == 1 && STATS_min == STATS_max) { set yrange [STATS_min - 1 : STATS_max + 1] } # a single height
plot for [i = 1:runs] table(i) using 1:(100 * column(6)) skip 1 with linespoints linestyle i title name(i)

set yrange [*:*]

if (confusion ne "") {
  stats confusion matrix nooutput
  classes = STATS_size_x
  array total[classes]
  do for [k = 1:classes] {
    stats confusion matrix every :::(k - 1)::(k - 1) using 3 nooutput
    total[k] = STATS_sum
  }
  share(row, count) = total[row + 1] > 0 ? 100.0 * count / total[row + 1] : 0
  crowded = classes > 12
  number(share) = share < (crowded ? 0.5 : 0.05) || classes > 25 ? "" : \
                  sprintf(crowded || share >= 99.95 ? "%.0f" : "%.1f", share)
  ink(share) = share > 45 ? 0xffffff : 0x222222
  small = sprintf("DejaVu Sans,%d", crowded ? 8 : classes > 6 ? 10 : 12)

  set lmargin at screen left(2)
  set rmargin at screen right(2)
  set title "confusion matrix of the test set, % of true class"
  set xlabel "predicted class"
  set ylabel "true class" textcolor rgb "#444444"
  unset key
  unset grid
  unset colorbox
  set border 0
  set tics scale 0 font small
  set format "%g"
  set xtics 0,(classes > 25 ? 10 : 1)
  set ytics 0,(classes > 25 ? 10 : 1)
  set palette defined (0 "#f2f5f8", 5 "#d6e6f4", 25 "#94c4df", 60 "#3b8bc2", 100 "#084a91")
  set cbrange [0:100]
  set style fill solid noborder
  plot [-0.5 : classes - 0.5] [classes - 0.5 : -0.5] \
    confusion matrix using 1:2:(0.48):(0.48):(share($2, $3)) with boxxyerror linecolor palette, \
    "" matrix using 1:2:(number(share($2, $3))):(ink(share($2, $3))) with labels font small textcolor rgb variable
}
unset multiplot
