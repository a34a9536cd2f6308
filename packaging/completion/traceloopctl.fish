# SPDX-License-Identifier: Apache-2.0
# Completion of traceloopctl for fish: traceloopctl itself knows what fits, by click's protocol (type,value<tab>help).

function __traceloopctl_complete
    set -lx COMP_WORDS (commandline -cp)
    set -lx COMP_CWORD (commandline -t)
    set -lx _TRACELOOPCTL_COMPLETE fish_complete
    for line in (traceloopctl 2>/dev/null)
        set -l found (string split -m 1 , -- $line)
        switch $found[1]
            case plain
                echo $found[2]
            case file
                __fish_complete_path $found[2]
            case dir
                __fish_complete_directories $found[2]
        end
    end
end

complete --command traceloopctl --no-files --keep-order --arguments "(__traceloopctl_complete)"
