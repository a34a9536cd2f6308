# SPDX-License-Identifier: Apache-2.0
# Removes empty paragraphs from a manual page, which mandoc complains about: scdoc writes .P also after headings, before
# them, and before the end of an indented text.

/^\.P$/ { between = 1; next }
/^\.RE$/ { print; next }
/^\.S[HS] / { print; between = 0; heading = 1; next }
{
	if (between && !heading)
		print ".P"
	print
	between = heading = 0
}
