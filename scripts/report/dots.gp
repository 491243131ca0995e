# SPDX-License-Identifier: BSD-2-Clause
# One line for each trace (column 2), one dot on it for each series, panels side by side. The axis is
# logarithmic; a value of 0 is drawn on the left edge, and the axis says so.
load "common.gp"
panels = ARG3
series = words(ARG5)
first_low = ARG6 + 0
barred = first_low ? series : 0
n = words(panels)
names = ""
low = 1e300
high = 0.0
zeros = 0
note(name) = strstrt(" " . names, " " . name . " ") ? 0 : (names = names . name . " ", 1)
span(v) = v > 0 ? (low = v < low ? v : low, high = v > high ? v : high, v) : (zeros = zeros + (v == 0), 0)
set table $unused
do for [s = 1:series] {
	plot ARG1 using (note(strcol(2))):(span(column(s + 2))) skip 1 with table
}
unset table
traces = words(names)
place(name) = traces - int(sum [k = 1:traces] (word(names, k) eq name ? k : 0))
if (high == 0) { low = 1; high = 10 }
edge = 10 ** floor(log10(low) - 0.05)
top = 10 ** ceil(log10(high) + 0.02)
height = 145.0 + 34.0 * traces
set terminal svg size 900, height font "sans-serif,14" background "white"
set output ARG2
set logscale x
set format x "10^{%L}"
set xrange [edge:top]
set yrange [-0.7:traces - 0.3]
set xlabel ARG4 . (zeros ? " (0 on the left edge)" : "") offset 0, 0.3
set ytics () noenhanced
do for [k = 1:traces] {
	set ytics add (word(names, k) traces - k)
}
do for [s = 1:series] {
	set label s word(ARG5, s) at screen legend(s), screen 1 - 20 / height point ls s ps (1.9 - 0.35 * s) \
		offset 1.2, -0.3 noenhanced
}
set multiplot layout 1, n margins 0.105, 0.975, 60 / height, 1 - 75 / height spacing 0.11, 0
do for [i = 1:n] {
	panel = word(panels, i)
	set title panel offset 0, -0.4 noenhanced
	plot for [s = 1:series] ARG1 using \
		(strcol(1) eq panel ? (column(s + 2) > 0 ? column(s + 2) : edge) : NaN):(place(strcol(2))) \
		with points ls s ps (1.9 - 0.35 * s) title word(ARG5, s), \
		for [s = 1:barred] ARG1 using \
		(strcol(1) eq panel && column(s + 2) > 0 ? column(s + 2) : NaN):(place(strcol(2))): \
		(low_end(s) > 0 ? low_end(s) : edge):(high_end(s)) with xerrorbars ls s pt 0 notitle
	unset label
}
unset multiplot
