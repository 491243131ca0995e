# SPDX-License-Identifier: BSD-2-Clause
# Rates over the instructions of a trace (column 2, millions), one panel for each trace, one below the
# other. The axis of rates is logarithmic; 0 is drawn on its lower edge, and the axis says so.
load "common.gp"
panels = ARG3
series = words(ARG5)
n = words(panels)
low = 1e300
high = 0.0
zeros = 0
span(v) = v > 0 ? (low = v < low ? v : low, high = v > high ? v : high, v) : (zeros = zeros + (v == 0), 0)
set table $unused
do for [s = 1:series] {
	plot ARG1 using 2:(span(column(s + 2))) skip 1 with table
}
unset table
if (high == 0) { low = 1; high = 10 }
edge = 10 ** floor(log10(low) - 0.05)
top = 10 ** ceil(log10(high) + 0.02)
height = 95.0 + 205.0 * n
set terminal svg size 900, height font "sans-serif,14" background "white"
set output ARG2
set logscale y
set format y "10^{%L}"
set yrange [edge:top]
set xrange [0:*]
set ylabel ARG4 . (zeros ? "\n(0 on the lower edge)" : "") offset 1
do for [s = 1:series] {
	set label s word(ARG5, s) at screen legend(s), screen 1 - 20 / height point ls s offset 1.2, -0.3 noenhanced
}
set multiplot layout n, 1 margins 0.105, 0.98, 72 / height, 1 - 62 / height spacing 0, 75 / height
do for [i = 1:n] {
	panel = word(panels, i)
	set title panel offset 0, -0.6 noenhanced
	if (i == n) { set xlabel "instructions (millions)" offset 0, 0.4 }
	plot for [s = 1:series] ARG1 using \
		2:(strcol(1) eq panel ? (column(s + 2) > 0 ? column(s + 2) : edge) : NaN) \
		with linespoints ls s lw 1.6 ps 0.35 title word(ARG5, s)
	unset label
}
unset multiplot
