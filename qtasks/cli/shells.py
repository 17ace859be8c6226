"""The completion scripts, one for each shell. Each asks `qtasks __complete WORD…` and takes `word<tab>meaning` lines;
`:files` alone stands for the shell's own completion of file names. A word that ends in = or / is not finished."""

from __future__ import annotations

# bash breaks words at "=", and replaces only what stands behind the last one.
_BASH = """\
# Completion of qtasks for bash: source <(qtasks completion bash)
_qtasks() {
    local i value words=() last
    for ((i = 1; i <= COMP_CWORD; i++)); do
        if ((i > 1)) && [[ ${COMP_WORDS[i]} == "=" || ${COMP_WORDS[i - 1]} == "=" ]]; then
            words[${#words[@]} - 1]+="${COMP_WORDS[i]}"
        else
            words+=("${COMP_WORDS[i]}")
        fi
    done
    last="${words[${#words[@]} - 1]}"
    COMPREPLY=()
    while IFS=$'\\t' read -r value _; do
        if [[ $value == ":files" ]]; then
            compopt -o default 2>/dev/null
            return
        fi
        if [[ $last == *=* ]]; then
            value="${value#"${last%=*}="}"
        fi
        COMPREPLY+=("$value")
    done < <("${COMP_WORDS[0]}" __complete "${words[@]}" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[=/] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -F _qtasks qtasks
"""

_ZSH = """\
#compdef qtasks
# Completion of qtasks for zsh: source <(qtasks completion zsh)
_qtasks() {
    local value says
    local -a whole open
    while IFS=$'\\t' read -r value says; do
        if [[ $value == ":files" ]]; then
            _files
            return
        fi
        if [[ $value == *[=/] ]]; then
            open+=("${value//:/\\\\:}${says:+:$says}")
        else
            whole+=("${value//:/\\\\:}${says:+:$says}")
        fi
    done < <("${words[1]}" __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)
    (( $#open )) && _describe 'qtasks' open -S ''
    (( $#whole )) && _describe 'qtasks' whole
}
if [[ ${funcstack[1]} == _qtasks ]]; then
    _qtasks
else
    compdef _qtasks qtasks
fi
"""

_FISH = """\
# Completion of qtasks for fish: qtasks completion fish | source
function __qtasks_candidates
    set -l before (commandline -opc)
    set -l last (commandline -ct)
    set -l found (command $before[1] __complete $before[2..-1] "$last" 2>/dev/null)
    if test "$found[1]" = ":files"
        __fish_complete_path "$last"
        return
    end
    if test (count $found) -gt 0
        printf '%s\\n' $found
    end
end
complete -c qtasks -e
complete -c qtasks -f -a '(__qtasks_candidates)'
"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
