# SPDX-License-Identifier: BSD-2-Clause
# Lines against IPA size (column 2), panels in rows of two.
load "common.gp"
panels = ARG3
series = words(ARG5)
first_low = ARG6 + 0
barred = first_low ? series : 0
n = words(panels)
columns = n == 1 ? 1 : 2
rows = (n + columns - 1) / columns
height = 50.0 + 310.0 * rows
set terminal svg size 900, height font "sans-serif,14" background "white"
set output ARG2
set multiplot layout rows, columns margins 0.085, 0.98, 62 / height, 1 - 78 / height \
	spacing 0.10, 105 / height
set xlabel "IPA size (bits)" offset 0, 0.4
set ylabel ARG4 offset 1
set xrange [31:53]
set yrange [0:*]
set xtics 32, 4, 52
set offsets 0, 0, graph 0.12, 0
do for [s = 1:series] {
	set label s word(ARG5, s) at screen legend(s), screen 1 - 20 / height point ls s offset 1.2, -0.3 noenhanced
}
do for [i = 1:n] {
	panel = word(panels, i)
	set title panel offset 0, -0.4 noenhanced
	plot for [s = 1:barred] ARG1 using 2:(strcol(1) eq panel ? column(s + 2) : NaN):(low_end(s)):(high_end(s)) \
		with yerrorbars ls s pt 0 notitle, \
		for [s = 1:series] ARG1 using 2:(strcol(1) eq panel ? column(s + 2) : NaN) with linespoints ls s title word(ARG5, s)
	unset label
}
unset multiplot
