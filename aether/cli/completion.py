"""`aether completion`: what a shell has to know to complete the command line."""

import typer

_BASH = """_aether_completion() {
    local IFS=$'\\n'
    COMPREPLY=( $( env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD _AETHER_COMPLETE=complete_bash $1 ) )
    return 0
}
complete -o default -F _aether_completion aether
"""
_ZSH = """#compdef aether
_aether_completion() {
    eval $(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _AETHER_COMPLETE=complete_zsh aether)
}
compdef _aether_completion aether
"""
_FISH = (
    "complete --command aether --no-files"
    ' --arguments "(env _AETHER_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args'
    ' _TYPER_COMPLETE_ARGS=(commandline -cp) aether)"'
    ' --condition "env _AETHER_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=is-args'
    ' _TYPER_COMPLETE_ARGS=(commandline -cp) aether"\n'
)
SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def script_for(shell: str) -> str:
    if shell not in SCRIPTS:
        raise typer.BadParameter(f"must be one of {', '.join(SCRIPTS)}", param_hint="SHELL")
    return SCRIPTS[shell]
