# SPDX-License-Identifier: BSD-2-Clause
# Lines against IPA size (column 1), with a word at each point: after the drawn columns come as many
# columns of words. Lines that coincide stay visible: a later one is thinner and lies on top.
load "common.gp"
panels = ARG3
series = words(ARG5)
height = 400.0
set terminal svg size 900, height font "sans-serif,14" background "white"
set output ARG2
set xlabel "IPA size (bits)" offset 0, 0.4
set ylabel ARG4
set yrange [0:*]
set offsets 1, 1, graph 0.18, 0
set xtics 2
set tmargin at screen 1 - 45 / height
do for [s = 1:series] {
	set label s word(ARG5, s) at screen legend(s), screen 1 - 20 / height point ls s offset 1.2, -0.3 noenhanced
}
plot for [s = 1:series] ARG1 using 1:(column(s + 1)) with linespoints ls s \
		lw (2.5 + 3.0 * (series - s)) ps (0.8 + 0.5 * (series - s)) title word(ARG5, s), \
	for [s = 1:series] ARG1 using 1:(column(s + 1)):(strcol(s + 1 + series)) with labels \
		offset 0, (s == 1 ? 1.1 : -1.1) tc ls s font ",12" title word(ARG5, s)
