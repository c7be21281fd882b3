# gnuplot -c codes.gnuplot OUT.png TITLE CODES.csv
# What a run did to its codes, from a file of --codes: by step, a line for each block, the cosine of its direction to
# backprop's, and how far its code moves, how many of its units flip, and what is left of its penalty.

table = ARGV[3]
set datafile separator ","
stats table using 2 skip 1 nooutput
blocks = STATS_max + 1

set terminal pngcairo size 1100,760 font "DejaVu Sans,11" background "#ffffff" enhanced
set output ARGV[1]
set multiplot layout 2,2 margins 0.08,0.97,0.08,0.88 spacing 0.09,0.13
set label 1 ARGV[2] at screen 0.5,0.95 center font "DejaVu Sans,14" textcolor rgb "#222222" noenhanced

# From the lowest block, dark, to the highest, light.
set palette defined (0 "#0b3c6d", 1 "#3b8bc2", 2 "#e69f00")
set cbrange [0 : blocks > 1 ? blocks - 1 : 1]
unset colorbox
set border 3 linecolor rgb "#888888"
set tics nomirror out scale 0.6 textcolor rgb "#444444"
set grid ytics linetype 1 dashtype solid linecolor rgb "#e4e4e4" linewidth 1 back
set xlabel "step" textcolor rgb "#444444"
set key bottom left spacing 1.2 samplen 2 textcolor rgb "#222222" noenhanced maxrows 4
line(b) = blocks > 12 ? "" : sprintf("block %d", b)

# A quantity that no block has is an empty panel.
do for [panel = 1:4] {
  place = panel + 2
  set title (panel == 1 ? "cosine to backprop" : panel == 2 ? "displacement of the code, %" : \
             panel == 3 ? "units that flip, %" : "penalty") textcolor rgb "#222222"
  scale = panel == 2 || panel == 3 ? 100 : 1
  set yrange [*:*]
  unset logscale y
  stats table using (valid(place) ? 1 : 0) skip 1 nooutput
  if (STATS_sum > 0) {
    if (panel == 1) { set yrange [*:1.005] }
    if (panel == 3) { set yrange [0:*] }
    if (panel == 2 || panel == 4) { set logscale y }
    plot for [b = 0:blocks - (panel > 1 ? 2 : 1)] table every blocks::b using 1:(scale * column(place)):(b) skip 1 \
      with lines linewidth 2 linecolor palette title line(b)
  } else {
    set yrange [0:1]
    set label 2 "no codes move" at graph 0.5,0.5 center textcolor rgb "#888888"
    plot NaN notitle
    unset label 2
  }
  unset label 1
  unset key
}
unset multiplot
