# SPDX-License-Identifier: BSD-2-Clause
# What all figures share. A figure is called in this folder as
#   gnuplot -c FIGURE.gp DATA.csv OUT.svg PANELS AXIS SERIES INTERVALS
# PANELS: the values of column 1 that get a panel each ("" where there is one panel only); AXIS: label
# of the value axis; SERIES: heads of the columns to draw. The lists are of quoted words.
# The colours are Okabe and Ito's, which colour-blind readers can tell apart; markers differ as well.
set datafile separator comma
set datafile missing ""
set encoding utf8
set border 3 lw 1 lc rgb "#444444"
set tics nomirror out scale 0.6 textcolor rgb "#222222"
set grid lw 0.6 lc rgb "#dddddd"
unset key
array colour[6] = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
array marker[6] = [7, 5, 9, 13, 11, 15]
do for [s = 1:6] {
	set style line s lc rgb colour[s] lw 2.2 pt marker[s] ps 0.9
}
# Where the entries of the one legend over all panels stand.
legend(s) = 0.5 + (s - 0.5 * (series + 1)) * 0.22 - 0.06
# The two ends of the interval of each series stand in columns INTERVALS, INTERVALS + 1, ...; 0: none do.
low_end(s) = column(first_low + 2 * (s - 1))
high_end(s) = column(first_low + 2 * (s - 1) + 1)
