# SPDX-License-Identifier: Apache-2.0
# Completion of traceloopctl for bash: traceloopctl itself knows what fits, by click's protocol (type,value a line).
# Unlike click's own script it reads the line as typed, where `trace=%file` and `unix:/run` are one word each.

_traceloopctl() {
	local line=${COMP_LINE:0:COMP_POINT} kind value
	local -a words
	COMPREPLY=()
	read -ra words <<<"$line"
	[[ $line == *[[:space:]] ]] && words+=("")
	while IFS=, read -r kind value; do
		if [[ $kind == plain ]]; then
			COMPREPLY+=("$value")
		elif [[ $kind == file || $kind == dir ]]; then
			compopt -o default
		fi
	done < <(COMP_WORDS=$line COMP_CWORD=$((${#words[@]} - 1)) _TRACELOOPCTL_COMPLETE=bash_complete "$1" 2>/dev/null)
}

complete -o nosort -F _traceloopctl traceloopctl
