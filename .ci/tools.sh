# shellcheck shell=bash
# Tools of the gate and of the deeper checks, each installed once, below target/tools.

PATH="$PWD/target/tools/bin:$PATH"

# cargo_tool NAME VERSION: a subcommand of cargo.
cargo_tool() {
    cargo "$1" --version >/dev/null 2>&1 || cargo install "cargo-$1" --version "$2" --locked --debug --root target/tools
}

# python_tool NAME VERSION: a program of PyPI's in an environment of its own; `tool` is its path then.
python_tool() {
    local folder=target/tools/$1-$2
    tool=$PWD/$folder/bin/$1
    [ -x "$tool" ] && return
    python3 -m venv "$folder"
    "$folder/bin/pip" install --quiet "$1==$2"
}

cargo_deny() { cargo_tool deny 0.20.2; }
cfn_lint() { python_tool cfn-lint 1.58.0; }
checkov() { python_tool checkov 3.3.0; }
ministack() { python_tool ministack 1.5.33; }
