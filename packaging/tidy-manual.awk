# SPDX-License-Identifier: Apache-2.0
# Paragraphs of a manual page as mandoc wants them: scdoc puts .P also behind headings, before them, and before the end
# of an indented text, where one begins that nothing is in.

/^\.P$/ { between = 1; next }
/^\.RE$/ { print; next }
/^\.S[HS] / { print; between = 0; heading = 1; next }
{
	if (between && !heading)
		print ".P"
	print
	between = heading = 0
}
